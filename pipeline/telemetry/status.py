"""How a run is doing, for whoever watches it from outside: ``status.json``, written anew every second."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.core.errors import ProcessLostError
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.match_status import MatchStatus

EVERY_S = 1.0

logger = logging.getLogger(__name__)


class WatchedCamera(Protocol):
    """A camera that says how it is doing."""

    async def status(self) -> CameraStatus:
        """Return its status now."""
        ...


class Watched(Protocol):
    """A running pipeline, as far as its status is read."""

    @property
    def cameras(self) -> Mapping[str, WatchedCamera]:
        """Cameras by id."""
        ...

    @property
    def match_status(self) -> Callable[[], Awaitable[MatchStatus]]:
        """Reads the status of the match actor."""
        ...

    @property
    def busy(self) -> Mapping[str, Sequence[Callable[[], Awaitable[tuple[float, int, int]]]]]:
        """Reads seconds of work, items done and items waiting of each batch actor, by stage."""
        ...


@asynccontextmanager
async def in_background(work: Callable[[], Awaitable[None]] | None) -> AsyncIterator[None]:
    """Do something beside what is inside, and stop it then; nothing for None."""
    task = None if work is None else asyncio.ensure_future(work())
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def write_status(folder: Path, running: Watched) -> None:
    """Write how a line is doing into ``status.json``, for ever; the file is always whole."""
    path = folder / "status.json"
    speeds: dict[str, _Speed] = {}
    while True:
        try:
            written = await _status_of(running, speeds)
        except ProcessLostError as error:
            logger.debug("%s waits: %s", path.name, error)  # whoever watches the process says so
        else:
            if not _write(path, written):
                return
        await asyncio.sleep(EVERY_S)


@dataclass(slots=True)
class _Speed:
    """Frames a second of one camera, from one look to the next."""

    at: float
    frames: int
    fps: float = 0.0

    def look(self, frames: int) -> float:
        now = time.monotonic()
        self.fps = round(max(0, frames - self.frames) / max(now - self.at, 1e-6), 2)
        self.at, self.frames = now, frames
        return self.fps


async def _status_of(running: Watched, speeds: dict[str, _Speed]) -> dict[str, Any]:
    cameras = {}
    for camera_id, camera in running.cameras.items():
        try:
            status = await camera.status()
        except ProcessLostError as error:
            status = CameraStatus(error=str(error))
        speed = speeds.setdefault(camera_id, _Speed(time.monotonic(), status.frames_processed))
        cameras[camera_id] = {**asdict(status), "fps": speed.look(status.frames_processed)}
    return {
        "at": time.time(),
        "cameras": cameras,
        "match": asdict(await running.match_status()),
        "busy": await _busy(running),
    }


async def _busy(running: Watched) -> dict[str, dict[str, float]]:
    """Return seconds of work and items so far, and items that wait, by stage."""
    found = {}
    for stage, actors in running.busy.items():
        told = await asyncio.gather(*(busy() for busy in actors), return_exceptions=True)
        done = [each for each in told if not isinstance(each, BaseException)]
        busy_s, items, waiting = (sum(values) for values in zip(*done, strict=True)) if done else (0.0, 0, 0)
        found[stage] = {"busy_s": busy_s, "items": float(items), "waiting": float(waiting)}
    return found


def _write(path: Path, written: dict[str, Any]) -> bool:
    """Put a new file in the place of the old one; return whether that worked."""
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(written))
        os.replace(part, path)
    except OSError as error:
        logger.warning("%s is written no more: %s", path.name, error)
        return False
    return True
