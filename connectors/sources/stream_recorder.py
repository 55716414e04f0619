"""Records a network stream as the camera sends it, in files of a minute; nothing is decoded.

Needs: av.
Guarantee: each file begins with a key frame, is named by the time of its first picture (UTC), and can be read while it
is written. Sound is left out. A broken connection, or a full disk, leaves a hole, which is said; it disturbs nothing
else.
When slow: the network holds the camera back; nothing waits for the disk but this recording.
Secrets: those of the opener. They reach no log and no error.
"""

import logging
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import av
import av.error
from av.container import OutputContainer

from connectors.sources.ffmpeg_words import error_words
from connectors.sources.live_reading import ReadingEndedError
from connectors.sources.network import NetworkOpener
from connectors.sources.recordings.image_sequence import moment_in_name

PAUSE_S = 2.0
"""Seconds before a stream that broke is opened again. More leave longer holes; less disturb a camera that restarts."""

LINGER_S = 2.0
"""Seconds that ``close`` waits for the last file to be finished. More delay the end of a run if a camera hangs."""

logger = logging.getLogger(__name__)


class StreamRecorder:
    """Records one stream in a thread of its own, from ``start`` to ``close``.

    Args:
        camera_id: The camera, for messages.
        opener: Opens the stream.
        folder: Where the files are written.
        segment_s: Seconds of a file, at least; it ends before the next key frame. More lose more to a broken disk.
        keep_s: Seconds after which a file is deleted; more keep pictures of people for longer.
        open_timeout_s: Seconds within which the camera must answer.
        read_timeout_s: Seconds without a picture after which the stream is opened again.

    Attributes:
        num_bytes: What was recorded.
        away: Why nothing is recorded now; None if all is well.
    """

    def __init__(
        self,
        camera_id: str,
        opener: NetworkOpener,
        folder: Path,
        *,
        segment_s: float,
        keep_s: float,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self._camera_id = camera_id
        self._opener = opener
        self._folder = folder
        self._segment_s = segment_s
        self._keep_s = keep_s
        self._timeouts = {"open_timeout_s": open_timeout_s, "read_timeout_s": read_timeout_s}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.num_bytes = 0
        self.away: str | None = None

    def why_silent(self) -> str | None:
        """Wait for one packet; return why none arrived, None if one did."""
        try:
            return None if next(self._opener.packets(**self._timeouts), None) else "the end of the stream"
        except ReadingEndedError as error:
            return str(error)

    def start(self) -> None:
        """Begin to record; idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"record-{self._camera_id}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the recording for good; idempotent, from any thread."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(LINGER_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._record()
                reason = "the end of the stream"
            except (ReadingEndedError, av.error.FFmpegError, OSError) as error:
                reason = error_words(error)
            if self._closed.is_set():
                return
            if self.away is None:
                logger.warning("camera %s: nothing is recorded now: %s", self._camera_id, reason)
            self.away = reason
            self._closed.wait(PAUSE_S)

    def _record(self) -> None:
        segment: _Segment | None = None
        try:
            for packet in self._opener.packets(**self._timeouts):
                if self._closed.is_set():
                    return
                if packet.is_keyframe and (segment is None or time.monotonic() - segment.began >= self._segment_s):
                    if segment is not None:
                        segment.close()
                        segment = None
                    self._delete_old()
                    segment = _Segment(self._folder, packet)
                if segment is not None and segment.write(packet):
                    self.num_bytes += packet.size
                    self.away = None
        finally:
            if segment is not None:
                segment.close()

    def _delete_old(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self._folder.glob("*.mkv"):
            begun_at = moment_in_name(path.stem)
            if begun_at is not None and begun_at < time.time() - self._keep_s - self._segment_s:
                path.unlink()


class _Segment:
    """One file, whose times begin at 0."""

    def __init__(self, folder: Path, first: av.Packet) -> None:
        self.began = time.monotonic()
        begun_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        name = begun_at.removesuffix("+00:00").replace(":", "-")
        self._container: OutputContainer = av.open(str(folder / f"{name}.mkv"), "w", format="matroska")
        self._stream = self._container.add_stream_from_template(first.stream)
        self._first_dts: int | None = None
        self._last_dts = -1

    def write(self, packet: av.Packet) -> bool:
        """Return whether the packet has a time that follows, and was written."""
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            return False
        if self._first_dts is None:
            self._first_dts = dts
        if dts - self._first_dts <= self._last_dts:
            return False
        self._last_dts = dts - self._first_dts
        packet.pts = self._last_dts if packet.pts is None else packet.pts - self._first_dts
        packet.dts = self._last_dts
        packet.stream = self._stream
        self._container.mux(packet)
        return True

    def close(self) -> None:
        self._container.close()
