"""Segments of video in memory: a few seconds of one camera.

Of a stream of H.264 or H.265 they are its packets, as the camera sent them; of anything else, pictures that are encoded
here.
"""

import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import av.error
import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

SEGMENT_S = 2.0
"""Seconds of a segment, unless another length is asked for. A longer one delays the end of a clip; shorter ones need
more files."""

KEY_SHARE = 0.5
"""Share of a segment's length after which a key frame begins the next one. Films can begin there; a larger one leaves
fewer such places, a smaller one needs more files."""

COPIED = ("h264", "hevc")
"""Codecs whose packets are kept as they are: those that cameras send, and that a clip (MP4) and players take."""

CLOCK = Fraction(1, 90_000)
"""Seconds of one tick of MPEG-TS."""

MAX_SHIFT_S = 0.5
"""Seconds by which pictures may be early or late before the clock of their stream is set anew; more hide real leaps."""

MAX_UNTIMED = 4
"""Segments that wait for the first picture that says when they were taken."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some seconds of video.

    Attributes:
        since: Unix seconds, event time, of the first picture.
        until: Unix seconds of the end of the last one.
        data: MPEG-TS, one stream.
        is_key: Whether it begins with a key frame. Otherwise it needs the segments before it.
    """

    since: float
    until: float
    data: bytes
    is_key: bool = True

    @property
    def num_bytes(self) -> int:
        """Its size, bytes."""
        return len(self.data)


class PacketSegments:
    """Cuts the packets of one camera into segments. It is a ``PacketTap``.

    Args:
        put: Takes each finished segment; called by the thread that reads the camera, so it must not wait.
        segment_s: Seconds of a segment, at most.
    """

    def __init__(self, put: Callable[[Segment], None], segment_s: float = SEGMENT_S) -> None:
        self._put = put
        self._segment_s = segment_s
        self._has_come = self._is_refused = self._is_ended = False
        self._begun: object = None
        self._undated: av.Packet | None = None
        self._open: _Copy | None = None
        self._ahead_s: float | None = None
        self._untimed: list[Segment] = []

    @property
    def is_fed(self) -> bool:
        """Whether packets come that can be kept as they are."""
        return self._has_come and not (self._is_refused or self._is_ended)

    def packet(self, packet: av.Packet) -> None:
        """Take a packet, which stays as it is."""
        if self._is_ended:
            self.close()  # what came before the end, in the thread that took it
        if self._is_refused or self._is_ended or packet.stream.codec_context.name not in COPIED:
            return
        self._has_come = True
        if packet.pts is None:  # as the first one of an RTSP stream
            self._undated = packet if packet.is_keyframe else None
            return
        at = float(packet.pts * packet.time_base)
        try:
            if self._open is not None and not self._open.takes(packet, at, self._segment_s):
                self.close()
            first = packet
            if self._undated is not None and not packet.is_keyframe:
                first = self._undated
                self.close()
            if self._open is None and (first.is_keyframe or packet.stream is self._begun):
                self._open, self._begun = _Copy(first, at), packet.stream
            if self._open is not None:
                if first is not packet:
                    self._open.write(first, at, packet.pts - 1)
                self._open.write(packet, at, packet.pts)
            self._undated = None
        except (av.error.FFmpegError, OSError) as error:  # no parameters, for instance: pictures are encoded instead
            logger.warning("packets cannot be kept for clips (%s); pictures are encoded instead", type(error).__name__)
            self._open, self._is_refused = None, True

    def end(self) -> None:
        """Keep no further packets: pictures are encoded instead."""
        self._is_ended = True

    def shown(self, seconds: float, captured_at: float) -> None:
        """Learn when the picture at a time of the stream was taken."""
        ahead_s = captured_at - seconds
        if self._ahead_s is None or abs(ahead_s - self._ahead_s) > MAX_SHIFT_S:
            self._ahead_s = ahead_s
        for segment in self._untimed:
            self._put(self._timed(segment, self._ahead_s))
        self._untimed.clear()

    def close(self) -> None:
        """Finish the segment that is open; idempotent."""
        if self._open is None:
            return
        done, self._open = self._open, None
        try:
            segment = Segment(done.since_s, done.until_s, done.finish(), done.is_key)
        except (av.error.FFmpegError, OSError) as error:
            logger.warning("a segment for clips is lost (%s)", type(error).__name__)
            return
        if self._ahead_s is not None:
            self._put(self._timed(segment, self._ahead_s))
        else:
            self._untimed = [*self._untimed[1 - MAX_UNTIMED :], segment]

    @staticmethod
    def _timed(segment: Segment, ahead_s: float) -> Segment:
        return replace(segment, since=segment.since + ahead_s, until=segment.until + ahead_s)


class PictureSegments:
    """Encodes the pictures of one camera as segments of H.264.

    Args:
        put: Takes each finished segment.
        segment_s: Seconds of a segment, at most.
    """

    def __init__(self, put: Callable[[Segment], None], segment_s: float = SEGMENT_S) -> None:
        self._put = put
        self._segment_s = segment_s
        self._open: _Encoding | None = None

    def add(self, image: NDArray[np.uint8], captured_at: float) -> None:
        """Take a picture, shape ``(H, W, 3)``, uint8, RGB."""
        even = np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
        if self._open is not None and not self._open.takes(even, captured_at, self._segment_s):
            self.close()
        if self._open is None:
            self._open = _Encoding(even.shape[:2], captured_at)
        self._open.write(even, captured_at)

    def close(self) -> None:
        """Finish the segment that is open; idempotent."""
        if self._open is not None:
            done, self._open = self._open, None
            self._put(Segment(done.since, done.until, done.finish()))


class _Copy:
    """A segment of packets that are copied. Times are seconds of the stream."""

    def __init__(self, packet: av.Packet, since_s: float) -> None:
        self.since_s = self.until_s = since_s
        self.is_key = packet.is_keyframe
        self._stream = packet.stream
        self._buffer = io.BytesIO()
        self._container = av.open(self._buffer, "w", format="mpegts")
        self._copy = self._container.add_stream_from_template(packet.stream)
        self._last_dts: int | None = None

    def takes(self, packet: av.Packet, at: float, segment_s: float) -> bool:
        longest_s = KEY_SHARE * segment_s if packet.is_keyframe else segment_s
        return packet.stream is self._stream and -segment_s < at - self.since_s < longest_s

    def write(self, packet: av.Packet, at: float, pts: int) -> None:
        copy = av.Packet(bytes(packet))
        copy.time_base = packet.time_base
        copy.pts, copy.dts = pts, pts if packet.dts is None else packet.dts
        assert copy.dts is not None
        if self._last_dts is not None and copy.dts <= self._last_dts:
            return  # out of order; a player would refuse it
        self._last_dts = copy.dts
        copy.is_keyframe = packet.is_keyframe
        copy.stream = self._copy
        self.since_s = min(self.since_s, at)
        length_s = float(packet.duration * packet.time_base) if packet.duration else 0.0
        self.until_s = max(self.until_s, at + length_s)
        self._container.mux(copy)

    def finish(self) -> bytes:
        self._container.close()
        return self._buffer.getvalue()


class _Encoding:
    """A segment of pictures that are encoded. Times are Unix seconds."""

    def __init__(self, size_hw: tuple[int, int], since: float) -> None:
        self.since = self.until = since
        self._size_hw = size_hw
        self._buffer = io.BytesIO()
        self._container = av.open(self._buffer, "w", format="mpegts")
        self._stream = self._container.add_stream("libx264", rate=Fraction(25))
        self._stream.height, self._stream.width = size_hw
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = CLOCK
        self._stream.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "26", "threads": "1"}

    def takes(self, image: NDArray[np.uint8], at: float, segment_s: float) -> bool:
        return image.shape[:2] == self._size_hw and self.until < at < self.since + segment_s

    def write(self, image: NDArray[np.uint8], at: float) -> None:
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.time_base = CLOCK
        picture.pts = round((at - self.since) / CLOCK)
        self.until = at
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._buffer.getvalue()
