"""A camera of two streams: people are looked for in one, and the other is recorded as it is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from connectors.sources.network import NetworkOpener
from connectors.sources.stream_recorder import StreamRecorder
from pipeline.core import Frame, FrameStamp, ReportingSource, Source
from pipeline.core.errors import ConfigError
from pipeline.core.interfaces import PacketSource, PacketTap
from pipeline.core.records.source_report import SourceReport


class RecordedCamera:
    """The frames of a source; beside it, another stream of the same camera is recorded.

    Args:
        camera_id: The camera.
        uri: The stream that is recorded.
        make_source: Makes the source of the frames.
        folder: Where it is recorded.
        opener: Makes the opener of the stream that is recorded.
        segment_s: See ``StreamRecorder``.
        keep_s: Likewise.
        open_timeout_s: Likewise.
        read_timeout_s: Likewise.

    Raises:
        ConfigError: If seconds are not above 0, or ``uri`` cannot be opened so.
    """

    def __init__(
        self,
        camera_id: str,
        uri: str,
        make_source: Callable[[], Source],
        folder: Path,
        *,
        opener: Callable[..., NetworkOpener],
        segment_s: float = 60.0,
        keep_s: float = 86400.0,
        open_timeout_s: float = 15.0,
        read_timeout_s: float = 15.0,
    ) -> None:
        if not min(segment_s, keep_s) > 0:
            raise ConfigError(
                f"site.cameras.{camera_id}.record: expected segment_s and keep_s above 0, got {segment_s} and {keep_s}"
            )
        self._source = make_source()
        self._opener = opener(uri)
        self._recorder = StreamRecorder(
            camera_id,
            self._opener,
            folder,
            segment_s=segment_s,
            keep_s=keep_s,
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
        )
        self.camera_id = camera_id
        self.live = self._source.live

    @property
    def tap(self) -> PacketTap | None:
        """As of the source of the frames."""
        return self._source.tap if isinstance(self._source, PacketSource) else None

    @tap.setter
    def tap(self, tap: PacketTap | None) -> None:
        if isinstance(self._source, PacketSource):
            self._source.tap = tap

    @property
    def num_dropped(self) -> int:
        """As of the source of the frames."""
        return self._source.num_dropped

    @property
    def num_bad(self) -> int:
        """As of the source of the frames."""
        return self._source.num_bad

    def report(self) -> SourceReport:
        """Return the report of the source of the frames, and what was recorded."""
        report = self._source.report() if isinstance(self._source, ReportingSource) else SourceReport()
        return replace(report, recorded_bytes=self._recorder.num_bytes, unrecorded=self._recorder.away)

    def check(self) -> None:
        """Raise ``ConfigError`` if one of the two streams cannot be opened."""
        self._source.check()
        try:
            self._opener.check()
        except ConfigError as error:
            raise ConfigError(f"site.cameras.{self.camera_id}.record: {error}") from error
        reason = self._recorder.why_silent()
        if reason is not None:
            raise ConfigError(
                f"site.cameras.{self.camera_id}.record: expected pictures from {self._opener.address}, got {reason}; "
                f"check {self._opener.advice}"
            )

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, and record; raises as the source of the frames."""
        self._recorder.start()
        yield from self._source.frames()

    def resume(self, stamp: FrameStamp) -> None:
        """Let the frames continue after ``stamp``."""
        self._source.resume(stamp)

    def ack(self, stamp: FrameStamp) -> None:
        """Let the source of the frames forget them."""
        self._source.ack(stamp)

    def close(self) -> None:
        """End both; idempotent, from any thread."""
        self._source.close()
        self._recorder.close()
