"""A recording: any video file that FFmpeg reads.

Needs: av.
Guarantee: every frame, with the times of the recording; the same frames, bit for bit, each time.
When slow: waits, and never drops a frame.
Secrets: none.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import inf
from pathlib import Path

import av
import av.error

from connectors.pictures.rectangle import check_inside, checked_rectangle
from connectors.pictures.rgb import ToRgb
from pipeline.core import Frame, FrameStamp
from pipeline.core.camera_uri import file_path
from pipeline.core.errors import ConfigError, SourceLostError

logger = logging.getLogger(__name__)

# PyAV and not OpenCV, which is often faster: OpenCV's read() cannot tell a broken file from the end of the file.
# Frames/s to RGB of this source against OpenCV, each picture kept until the next one, one thread / two threads, medians
# in two runs on two shared cores: 768x576 MPEG-4 860-1,270 / 1,150-1,320 against 1,680-2,160 / 1,910-2,000; 1080x1920
# H.264 130-210 / 230-370 against 240-260 / 300-330. The loss is mostly fresh memory for each picture: with a malloc
# that keeps it (MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ above 1 GB; one run), one thread gives 1,820 and 255.

USUAL_FPS = Fraction(25)
"""Frames a second that are assumed if the container does not say."""

FORMATS_WITH_DURATION = ("matroska,webm", "flv", "asf")
"""Formats whose header holds a duration. In others without a duration of each stream, FFmpeg guesses from the size."""

MAX_MISSING_SHARE = 0.02
MAX_MISSING_FRAMES = 3
"""A file may be shorter than its header says by the larger of the two, because headers are rounded.

Larger values accept files that were cut off near the end.
"""


class VideoFileSource:
    """Frames of a video file.

    A file that was cut off is recognised by an incomplete picture at its end, or by a header that promises more.
    Transport streams and raw video have neither, so they just end.

    Args:
        camera_id: The camera that recorded it.
        uri: Path, or ``file://`` URL.
        starts_at: Unix seconds of the first frame.
        crop_xyxy: Left, top, right, bottom of the part of the picture that this camera sees, pixels; None: all.
        stride: Every n-th frame is yielded; at least 1. ``index`` is still the frame's number in the recording.
        seconds: Seconds to read from the beginning; above 0. None: all.
        threads: Threads of the decoder; at least 1.

    Raises:
        ConfigError: If an option is out of range.
    """

    live = False
    num_dropped = num_bad = 0

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        starts_at: float = 0.0,
        crop_xyxy: Sequence[int] | None = None,
        stride: int = 1,
        seconds: float | None = None,
        threads: int = 1,
    ) -> None:
        self.camera_id = camera_id
        self._path = file_path(uri)
        self._starts_at = starts_at
        self._crop = None if crop_xyxy is None else checked_rectangle(camera_id, crop_xyxy)
        if stride < 1 or threads < 1:
            raise ConfigError(
                f"site.cameras.{camera_id}: expected stride and threads of at least 1, got {stride} and {threads}; "
                "correct them"
            )
        if seconds is not None and seconds <= 0:
            raise ConfigError(
                f"site.cameras.{camera_id}.seconds: expected more than 0, or null for all, got {seconds}; correct it"
            )
        self._stride = stride
        self._ends_after_s = inf if seconds is None else seconds
        self._threads = threads
        self._resume_at = 0
        self._closed = threading.Event()

    def check(self) -> None:
        """Decode the first picture.

        Raises:
            ConfigError: If there is no such file, it is not a video, or ``crop_xyxy`` is not inside the picture.
        """
        key = f"site.cameras.{self.camera_id}"
        if not self._path.is_file():
            raise ConfigError(f"{key}: expected a video file, got nothing at {self._path}; correct the path")
        if self._path.stat().st_size == 0:
            raise ConfigError(f"{key}: expected a video, got the empty file {self._path}; copy it again")
        try:
            with _Recording(self._path, 1) as recording:
                image = ToRgb().image(next(recording.pictures())[1])
        except (av.error.FFmpegError, OSError, _BrokenError, StopIteration) as error:
            raise ConfigError(
                f"{key}: expected a video, got {_reason(error)} from {self._path}; "
                "try it in a video player, or copy it again"
            ) from error
        check_inside(self.camera_id, self._crop, image)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the first one; after an error, continue after the last one yielded.

        A time that does not increase is replaced by the previous time plus the length of a frame. The number of such
        frames is logged.

        Raises:
            SourceLostError: If the file cannot be read, or was cut off.
        """
        number = -1
        to_rgb = ToRgb()
        captured_at = float("-inf")
        num_repaired = 0
        try:
            with _Recording(self._path, self._threads) as recording:
                for number, picture in recording.pictures():
                    if self._closed.is_set():
                        return
                    seconds = recording.seconds(picture, number)
                    if seconds >= self._ends_after_s:
                        break
                    at = self._starts_at + seconds
                    is_later = at > captured_at
                    captured_at = at if is_later else captured_at + recording.frame_s
                    if number < self._resume_at or number % self._stride:
                        continue
                    num_repaired += not is_later
                    image = to_rgb.image(picture, self._crop)
                    yield Frame(FrameStamp(self.camera_id, number, captured_at), image)
        except (av.error.FFmpegError, OSError, _BrokenError) as error:
            self._resume_at = max(self._resume_at, number + 1)
            raise SourceLostError(
                f"{self._path}: expected a whole recording, got {_reason(error)} after {number + 1} frames; "
                "copy it again, or repair it"
            ) from error
        finally:
            if num_repaired:
                logger.warning(
                    "camera %s: the times of %d frames did not increase and were replaced", self.camera_id, num_repaired
                )
        self._resume_at = 0

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``."""
        self._resume_at = stamp.index + 1

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: the file stays."""

    def close(self) -> None:
        """End ``frames`` for good; idempotent, from any thread."""
        self._closed.set()


class _BrokenError(Exception):
    """The recording was cut off, or is damaged."""


class _Recording:
    """An open file; a context manager that closes it."""

    def __init__(self, path: Path, threads: int) -> None:
        # With the scheme, because FFmpeg would take "a:b.mp4" for a protocol.
        self._container = av.open(f"file:{path}")
        try:
            stream = self._container.streams.best("video")
            if stream is None:
                raise _BrokenError("no pictures, at most sound,")
            self._stream = stream
            self._stream.codec_context.thread_count = threads
            self._stream.codec_context.thread_type = "AUTO"
        except BaseException:
            self._container.close()
            raise
        # One of the two is often the rate of the clock, which is higher.
        rates = [rate for rate in (self._stream.average_rate, self._stream.guessed_rate) if rate]
        self.frame_s = float(1 / min(rates, default=USUAL_FPS))
        self._first_pts: int | None = None
        self._num_packets = 0
        self._last_s = 0.0
        self._ends_at_s = 0.0

    def __enter__(self) -> "_Recording":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def pictures(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield frame numbers and pictures, in presentation order.

        Raises:
            _BrokenError: If the file was cut off or is damaged, after all complete pictures were yielded.
        """
        number = 0
        broken: Exception | None = None
        try:
            for picture in self._decoded():
                yield number, picture
                number += 1
        except (av.error.FFmpegError, OSError, _BrokenError) as error:
            broken = error
        # The decoder still holds pictures that it reorders.
        for picture in self._stream.codec_context.decode(None):
            yield number, picture
            number += 1
        if broken is not None:
            raise _BrokenError(_reason(broken)) from broken
        if number == 0:
            raise _BrokenError("no picture")
        self._check_end()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield the decoded pictures of all complete packets."""
        has_begun = False
        for packet in self._whole_packets():
            self._num_packets += 1
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                # A recording may begin between two key frames.
                if has_begun:
                    raise
                continue
            has_begun = has_begun or bool(pictures)
            yield from pictures

    def _whole_packets(self) -> Iterator[av.Packet]:
        """Yield packets; raise if the last one is incomplete."""
        corrupt: list[av.Packet] = []
        for packet in self._container.demux():
            if not packet.size:
                continue
            if packet.pts is not None:
                self._ends_at_s = max(self._ends_at_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != self._stream.index:
                continue
            if packet.is_corrupt:
                corrupt.append(packet)
                continue
            # Inside a transport stream, a packet that is marked as corrupt may still hold a complete picture.
            yield from corrupt
            corrupt.clear()
            yield packet
        if corrupt:
            raise _BrokenError("an incomplete picture at the end")

    def seconds(self, picture: av.VideoFrame, number: int) -> float:
        """Return the presentation time of a picture, seconds after the first one."""
        # Not the picture's own time base: pictures that the decoder held to the end have none.
        if picture.pts is None or self._stream.time_base is None:
            self._last_s = number * self.frame_s
        else:
            if self._first_pts is None:
                self._first_pts = picture.pts
            self._last_s = float((picture.pts - self._first_pts) * self._stream.time_base)
        return self._last_s

    def _check_end(self) -> None:
        """Raise if the header promised clearly more than there was, both by number and by time, as far as it says."""
        promises: list[tuple[float, float]] = []
        if self._stream.frames > 0:
            promises.append((self._num_packets, self._stream.frames))
        if self._stream.duration is not None and self._stream.time_base is not None:
            promised_s = float(self._stream.duration * self._stream.time_base)
            promises.append((self._last_s / self.frame_s + 1, promised_s / self.frame_s))
        elif self._container.duration is not None and self._container.format.name in FORMATS_WITH_DURATION:
            promised_s = self._container.duration / av.time_base
            promises.append((self._ends_at_s / self.frame_s, promised_s / self.frame_s))
        if promises and all(
            there < promised - max(MAX_MISSING_FRAMES, MAX_MISSING_SHARE * promised) for there, promised in promises
        ):
            raise _BrokenError(f"the end where the header promises {promises[0][1]:.0f} frames,")


def _reason(error: BaseException) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror or error) or type(error).__name__
