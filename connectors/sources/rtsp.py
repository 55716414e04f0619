"""A network camera by RTSP, over TCP.

Needs: av.
Guarantee: the newest frame, stamped at arrival; frames that nobody took in time leave a gap in ``index``.
When slow: drops old frames.
Secrets: user and password in the URL; they reach no log and no error.
"""

from collections.abc import Iterator

import av
import av.error

from connectors.pictures.rgb import ToRgb
from connectors.redaction import redact_url
from connectors.sources.live_reading import LiveReading, ReadingEndedError
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError

# Not to measure the frame rate first brings the first picture after 0.3 s instead of 1.1 s (25 frames/s). The usual
# fflags=nobuffer throws away what was read until then, key frame included: 2.1 s, and later ones come no sooner.
OPTIONS = {"rtsp_transport": "tcp", "fpsprobesize": "0", "analyzeduration": "1000000"}


class RtspSource:
    """Frames of an RTSP stream; ``rtsps`` is encrypted, but the camera's certificate is not verified.

    Args:
        camera_id: The camera.
        uri: ``rtsp://user:password@host:554/path``.
        open_timeout_s: Seconds within which the first picture must come.
        read_timeout_s: Seconds within which every further one must.
        threads: For the decoder; at least 1.
    """

    live = True
    num_bad = 0

    def __init__(self, camera_id: str, uri: str, *, open_timeout_s: float, read_timeout_s: float, threads: int) -> None:
        self.camera_id = camera_id
        self._uri = uri
        self._address = redact_url(uri)
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._threads = threads
        self._reading = self._make_reading()

    @property
    def num_dropped(self) -> int:
        """Pictures that nobody took in time."""
        return self._reading.num_missed

    def check(self) -> None:
        """Wait for a picture.

        Raises:
            ConfigError: If none comes within ``open_timeout_s``.
        """
        reason = self._make_reading().why_silent()
        if reason is not None:
            raise ConfigError(
                f"site.cameras.{self.camera_id}: expected pictures from {self._address}, got {reason}; "
                "check address, user and password, and that the camera is on"
            )

    def frames(self) -> Iterator[Frame]:
        """Open the camera and yield its newest frame again and again; ``index`` goes on where the last call ended.

        Raises:
            SourceLostError: If it cannot be opened, breaks, ends the stream, or is silent for too long.
        """
        to_rgb = ToRgb()
        try:
            for arrival in self._reading.arrivals():
                stamp = FrameStamp(self.camera_id, arrival.index, arrival.arrived_at)
                yield Frame(stamp, to_rgb.image(arrival.picture))
        except ReadingEndedError as error:
            raise SourceLostError(
                f"{self._address}: expected pictures, got {error}; check the camera and the way to it"
            ) from error

    def resume(self, stamp: FrameStamp) -> None:
        """Let indices and times go on behind ``stamp``."""
        self._reading.resume(stamp.index, stamp.captured_at)

    def ack(self, stamp: FrameStamp) -> None:
        """Do nothing: what was not seen is gone."""

    def close(self) -> None:
        """End ``frames``, for good; idempotent, from any thread."""
        self._reading.close()

    def _make_reading(self) -> LiveReading[av.VideoFrame]:
        return LiveReading(
            f"rtsp-{self.camera_id}",
            self._pictures,
            open_timeout_s=self._open_timeout_s,
            read_timeout_s=self._read_timeout_s,
        )

    def _pictures(self) -> Iterator[av.VideoFrame]:
        """Open the stream and yield pictures as they come; runs in the reading's thread."""
        reason = None
        try:
            with av.open(self._uri, options=OPTIONS, timeout=(self._open_timeout_s, self._read_timeout_s)) as container:
                stream = container.streams.best("video")
                if stream is None:
                    raise ReadingEndedError("a stream without pictures")
                # Threads by frame would hold back a picture each.
                stream.codec_context.thread_type = "SLICE"
                stream.codec_context.thread_count = self._threads
                for packet in container.demux(stream):
                    try:
                        pictures = packet.decode()
                    except av.error.InvalidDataError:
                        # Before the first key frame; should it last, the reading's time-out ends it.
                        continue
                    yield from pictures
        except (av.error.FFmpegError, OSError) as error:
            # The error itself holds the whole address.
            reason = error.strerror or type(error).__name__
        if reason is not None:
            raise ReadingEndedError(reason)
