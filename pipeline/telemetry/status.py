"""``status.json``: the status of a run for other processes, written every second."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
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
"""Seconds to wait for the matcher and the batch actors, which may be busy. Longer: a hung one stops the file longer."""

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


async def write_status(folder: Path, pipeline: Watched, disk: Callable[[], DiskStatus] = DiskStatus) -> None:
    """Write the status of a pipeline to ``status.json`` until cancelled; readers never see half a file.

    Args:
        folder: Output folder of the run.
        pipeline: The pipeline.
        disk: Returns what the run takes of its disk.
    """
    path = folder / "status.json"
    speeds: dict[str, _Speed] = {}
    while True:
        try:
            written = {**await _status_of(pipeline, speeds), "disk": asdict(disk())}
        except (ProcessLostError, TimeoutError) as error:
            logger.debug("%s waits: %s", path.name, error)  # the supervisor reports it
        else:
            if not _write(path, written):
                return
        await asyncio.sleep(EVERY_S)


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


async def _status_of(pipeline: Watched, speeds: dict[str, _Speed]) -> dict[str, Any]:
    cameras = {}
    now = dict(pipeline.cameras)
    match, busy, *statuses = await asyncio.gather(  # together: one that hangs delays the others by its own limit only
        asyncio.wait_for(pipeline.match_status(), SILENT_S),
        _busy(pipeline),
        *(_camera_status(camera) for camera in now.values()),
    )
    for camera_id, status in zip(now, statuses, strict=True):
        speed = speeds.setdefault(camera_id, _Speed(time.monotonic(), status.frames_processed))
        cameras[camera_id] = {**asdict(status), "fps": speed.update(status.frames_processed)}
    return {
        "at": time.time(),
        "cameras": cameras,
        "removed_cameras": {camera_id: asdict(status) for camera_id, status in pipeline.removed.items()},
        "match": asdict(match),
        "busy": busy,
    }


async def _camera_status(camera: WatchedCamera) -> CameraStatus:
    try:
        return await asyncio.wait_for(camera.status(), EVERY_S)
    except TimeoutError:
        return CameraStatus(is_silent=True)
    except ProcessLostError as error:
        return CameraStatus(error=str(error))


async def _busy(pipeline: Watched) -> dict[str, dict[str, Any]]:
    """Return the status of each stage, over all its actors that answer; ``calls`` has sizes as text, as JSON does."""
    stages = {stage: tuple(actors) for stage, actors in pipeline.busy.items()}  # changes as cameras come and go
    return dict(zip(stages, await asyncio.gather(*map(_stage, stages.values())), strict=True))


async def _stage(actors: Sequence[Callable[[], Awaitable[BatchStatus]]]) -> dict[str, Any]:
    asked = (asyncio.wait_for(busy(), SILENT_S) for busy in actors)
    replies = await asyncio.gather(*asked, return_exceptions=True)
    together = sum((reply for reply in replies if isinstance(reply, BatchStatus)), BatchStatus())
    calls = {str(size): count for size, count in together.calls.items()}
    return {**asdict(together), "calls": calls, "mean_call": together.mean_call}


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
