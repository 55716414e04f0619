"""How a run is doing, for whoever watches it from outside: ``status.json``, written anew every second."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.actors.camera_status import CameraStatus
from pipeline.actors.supervisor import Line
from pipeline.core.errors import ProcessLostError

EVERY_S = 1.0

logger = logging.getLogger(__name__)


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


async def write_status(folder: Path, line: Line) -> None:
    """Write how a line is doing into ``status.json``, for ever; the file is always whole."""
    path = folder / "status.json"
    before: dict[str, tuple[float, int]] = {}
    fps: dict[str, float] = {}
    while True:
        cameras = {}
        for camera_id, camera in line.cameras.items():
            try:
                status = await camera.status()
            except ProcessLostError as error:
                status = CameraStatus(error=str(error))
            now = time.monotonic()
            if camera_id in before:
                at, frames = before[camera_id]
                fps[camera_id] = round((status.frames_processed - frames) / (now - at), 2)
            before[camera_id] = (now, status.frames_processed)
            cameras[camera_id] = {**asdict(status), "fps": fps.get(camera_id, 0.0)}
        written = {
            "at": time.time(),
            "cameras": cameras,
            "match": asdict(await line.match_status()),
            "busy": await _busy(line),
        }
        if not _write(path, written):
            return
        await asyncio.sleep(EVERY_S)


async def _busy(line: Line) -> dict[str, dict[str, float]]:
    """Return seconds of work and items so far, by stage."""
    found = {}
    for stage, actors in line.busy.items():
        pairs = await asyncio.gather(*(busy() for busy in actors), return_exceptions=True)
        done = [pair for pair in pairs if not isinstance(pair, BaseException)]
        found[stage] = {"busy_s": sum(seconds for seconds, _ in done), "items": float(sum(n for _, n in done))}
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
