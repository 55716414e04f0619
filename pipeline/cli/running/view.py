"""What a job shows of all its sites meanwhile: a table or log lines, warnings, metrics."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.drop_watch import DropWatch
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.metrics_server import Metrics
from pipeline.telemetry.progress import Progress


class JobView:
    """Shows the sites that go on, each camera with the name of its site; a context manager.

    Args:
        sites: Their names.
        metrics: Where metrics are shown.
    """

    def __init__(self, sites: list[str], metrics: Sequence[Metrics]) -> None:
        self._going = set(sites)
        self._progress, self._open = Progress(), ExitStack()
        self._drops = DropWatch()
        self._metrics = metrics
        self._cameras: dict[str, Mapping[str, CameraStatus]] = {}

    def __enter__(self) -> Self:
        self._open.enter_context(self._progress)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def show(self, site: str, cameras: Mapping[str, CameraStatus], match: MatchStatus) -> None:
        """Show the newest status of a site."""
        named = {f"{site}/{camera_id}" if site else camera_id: status for camera_id, status in cameras.items()}
        self._cameras[site] = named
        self._progress.show({name: status for each in self._cameras.values() for name, status in each.items()})
        self._drops.show(named)
        for metrics in self._metrics:
            metrics.show(cameras, match, site)

    def end(self, site: str) -> None:
        """Note that a site shows nothing more; after the last one the table is left as it is."""
        self._going.discard(site)
        if not self._going:
            self._open.close()
