"""``status.json``: the status of a run for other processes, written every second."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pipeline.core.errors import ProcessLostError
from pipeline.telemetry.batch_status import BatchStatus
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.disk_status import DiskStatus
from pipeline.telemetry.match_status import MatchStatus
from pipeline.telemetry.tasks import end

EVERY_S = 1.0
"""Seconds between two writes. The operator's page shows a status that is up to so old."""
SILENT_S = 5.0
"""Seconds to wait for the matcher and the batch actors, which may be busy. Longer: a hung one delays the file more."""

logger = logging.getLogger(__name__)


class WatchedCamera(Protocol):
    """A camera with a status."""

    async def status(self) -> CameraStatus:
        """Return the status now."""
        ...


class Watched(Protocol):
    """A running pipeline, as far as its status is read."""

    @property
    def cameras(self) -> Mapping[str, WatchedCamera]:
        """Cameras by id."""
        ...

    @property
    def removed(self) -> Mapping[str, CameraStatus]:
        """The last status of each camera that was removed."""
        ...

    @property
    def match_status(self) -> Callable[[], Awaitable[MatchStatus]]:
        """Reads the status of the match actor."""
        ...

    @property
    def busy(self) -> Mapping[str, Sequence[Callable[[], Awaitable[BatchStatus]]]]:
        """Reads the status of each batch actor, by stage."""
        ...


@asynccontextmanager
async def in_background(work: Callable[[], Awaitable[None]] | None) -> AsyncIterator[None]:
    """Run some work beside the body, and cancel it at the end; None for no work."""
    task = None if work is None else asyncio.ensure_future(work())
    try:
        yield
    finally:
        if task is not None:
            await end(task)
            if not task.cancelled():
                task.result()  # or what went wrong in it


def last_status_at(folder: Path) -> float | None:
    """Return when the last run into a folder told its status, Unix seconds; None if there is none."""
    try:
        return float(json.loads((folder / "status.json").read_text())["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def frame_sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Return height and width of the first frame of each camera of the last run into a folder, as far as known."""
    try:
        status = json.loads((folder / "status.json").read_text())
        cameras = {**status.get("removed_cameras", {}), **status["cameras"]}
        sizes = {camera_id: status.get("frame_hw") for camera_id, status in cameras.items()}
        return {camera_id: (int(size[0]), int(size[1])) for camera_id, size in sizes.items() if size}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return {}


async def write_status(folder: Path, pipeline: Watched, disk: Callable[[], DiskStatus] = DiskStatus) -> None:
    """Write the status of a pipeline to ``status.json`` until cancelled; readers never see half a file.

    Args:
        folder: Output folder of the run.
        pipeline: The pipeline.
        disk: Returns what the run takes of its disk.
    """
    path = folder / "status.json"
    answers = _Answers(pipeline)
    while True:
        if not _write(path, {**await answers.ask(), "disk": asdict(disk())}):
            return
        await asyncio.sleep(EVERY_S)


def write_last_status(folder: Path, cameras: Mapping[str, CameraStatus]) -> None:
    """Put the last status of every camera into ``status.json``, which was last written up to a second before the end.

    Args:
        folder: Output folder of the run.
        cameras: Every camera that was part of it.
    """
    path = folder / "status.json"
    with suppress(OSError, ValueError):  # a run that ended before it was written first, or a full disk
        _write(path, {**json.loads(path.read_text()), **_cameras(cameras, lambda camera_id, status: 0.0)})


def _cameras(statuses: Mapping[str, CameraStatus], fps: Callable[[str, CameraStatus], float]) -> dict[str, Any]:
    """Return what the file has of cameras: those that are part of the run, and those that were removed."""
    left = {name: status for name, status in statuses.items() if status.removed_at is not None}
    there = {name: status for name, status in statuses.items() if name not in left}
    return {
        "cameras": {name: {**asdict(status), "fps": fps(name, status)} for name, status in there.items()},
        "removed_cameras": {name: asdict(status) for name, status in left.items()},
    }


@dataclass(slots=True)
class _Speed:
    """Frames a second of one camera, between two updates."""

    at: float
    frames: int
    fps: float = 0.0

    def update(self, frames: int) -> float:
        now = time.monotonic()
        self.fps = round(max(0, frames - self.frames) / max(now - self.at, 1e-6), 2)
        self.at, self.frames = now, frames
        return self.fps


class _Answers:
    """Asks the parts of a pipeline for their status. Of one that does not answer it keeps what was known.

    Args:
        pipeline: The pipeline.
    """

    def __init__(self, pipeline: Watched) -> None:
        self._pipeline = pipeline
        self._cameras: dict[str, CameraStatus] = {}
        self._speeds: dict[str, _Speed] = {}
        self._match = MatchStatus()
        self._busy: dict[tuple[str, int], BatchStatus] = {}

    async def ask(self) -> dict[str, Any]:
        """Return the content of the file; all are asked together, so one that hangs delays it by its own limit only."""
        cameras = dict(self._pipeline.cameras)
        stages = {
            stage: tuple(actors) for stage, actors in self._pipeline.busy.items()
        }  # changes as cameras come and go
        self._match, busy, *statuses = await asyncio.gather(
            self._ask_match(),
            asyncio.gather(*(self._ask_stage(stage, actors) for stage, actors in stages.items())),
            *(self._ask_camera(camera_id, camera) for camera_id, camera in cameras.items()),
        )
        self._cameras = dict(zip(cameras, statuses, strict=True))
        return {
            "at": time.time(),
            **_cameras({**self._pipeline.removed, **self._cameras}, self._fps),
            "match": asdict(self._match),
            "busy": dict(zip(stages, busy, strict=True)),
        }

    def _fps(self, camera_id: str, status: CameraStatus) -> float:
        speed = self._speeds.setdefault(camera_id, _Speed(time.monotonic(), status.frames_processed))
        return speed.update(status.frames_processed)

    async def _ask_match(self) -> MatchStatus:
        try:
            return await asyncio.wait_for(self._pipeline.match_status(), SILENT_S)
        except (TimeoutError, ProcessLostError):
            return replace(self._match, is_silent=True)

    async def _ask_camera(self, camera_id: str, camera: WatchedCamera) -> CameraStatus:
        known = self._cameras.get(camera_id, CameraStatus())
        try:
            return await asyncio.wait_for(camera.status(), EVERY_S)
        except TimeoutError:
            return replace(known, is_silent=True)
        except ProcessLostError as error:
            return replace(known, error=str(error))

    async def _ask_stage(self, stage: str, actors: Sequence[Callable[[], Awaitable[BatchStatus]]]) -> dict[str, Any]:
        """Return the status of a stage over all its actors; ``calls`` has sizes as text, as JSON does."""
        asked = (self._ask_actor((stage, number), busy) for number, busy in enumerate(actors))
        together = sum(await asyncio.gather(*asked), BatchStatus())
        calls = {str(size): count for size, count in together.calls.items()}
        return {**asdict(together), "calls": calls, "mean_call": together.mean_call}

    async def _ask_actor(self, key: tuple[str, int], busy: Callable[[], Awaitable[BatchStatus]]) -> BatchStatus:
        try:
            self._busy[key] = await asyncio.wait_for(busy(), SILENT_S)
        except (TimeoutError, ProcessLostError):
            return replace(self._busy.get(key, BatchStatus()), num_silent=1)
        return self._busy[key]


def _write(path: Path, written: dict[str, Any]) -> bool:
    """Replace the file; return whether that worked."""
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(written))
        os.replace(part, path)
    except OSError as error:
        logger.warning("%s is no longer written: %s", path.name, error)
        return False
    return True
