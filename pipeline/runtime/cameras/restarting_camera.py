"""A camera that is started again when its process dies."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from pipeline.camera.privacy_mask import Mask
from pipeline.core.errors import ProcessLostError
from pipeline.runtime.cameras.checkpoint import Checkpoint
from pipeline.runtime.process_watch import BUDGET_S
from pipeline.telemetry.camera_status import CameraStatus

logger = logging.getLogger(__name__)


class CameraProcess(Protocol):
    """A process with a ``CameraActor`` in it, as ``ActorRef`` is."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the actor returns."""
        ...


class RestartingCamera:
    """A camera actor in a process of its own, and the last checkpoint, from which a new process continues.

    Args:
        name: What the process is called in messages.
        start: Starts a process.
        max_restarts: How often the process may die within an hour; the camera is lost when it dies once more.
        checkpoint_every_s: Seconds between two checkpoints. A longer time means less copying, and more frames that a
            new process tracks again.
    """

    def __init__(
        self, name: str, start: Callable[[], CameraProcess], *, max_restarts: int, checkpoint_every_s: float
    ) -> None:
        self._name = name
        self._start = start
        self._max_restarts = max_restarts
        self._checkpoint_every_s = checkpoint_every_s
        self._process = start()
        self._checkpoint: Checkpoint | None = None
        self._again: dict[str, tuple[Any, ...]] = {}

    async def ready(self) -> None:
        """Return once the source is built."""
        await self._process.call("ready")

    async def status(self) -> CameraStatus:
        """Return the status now; until a new process has taken over, that from which it continues."""
        status: CameraStatus = await self._process.call("status")
        if self._checkpoint is not None and status.frames_processed < self._checkpoint.status.frames_processed:
            return self._checkpoint.status
        return status

    async def stop(self) -> None:
        """Read no further; what was read is still tracked and delivered."""
        self._again["stop"] = ()
        await self._process.call("stop")

    async def remove(self) -> None:
        """Read no further, and end all tracks."""
        self._again["remove"] = ()
        await self._process.call("remove")

    async def cover(self, masks: Sequence[Mask]) -> None:
        """Cover more parts of the picture; see ``PacedFrames.cover``."""
        await self._process.call("cover", masks)
        self._again["cover"] = (masks,)

    async def end_at(self, at: float) -> bool:
        """Let a recording end at a time of event time; see ``PacedFrames.end_at``."""
        is_in_time: bool = await self._process.call("end_at", at)
        if is_in_time:
            self._again["end_at"] = (at,)
        return is_in_time

    async def settle(self) -> None:
        """Let the source forget every frame that was tracked."""
        await self._process.call("settle")

    async def run(self) -> CameraStatus:
        """Work until the source ends.

        Raises:
            ProcessLostError: If the process died once too often.
        """
        died_at: deque[float] = deque()
        while True:
            keeping = asyncio.create_task(self._keep_checkpoints(self._process))
            await asyncio.sleep(0)  # asked for a checkpoint before it runs, the camera holds acknowledgements back
            try:
                status: CameraStatus = await self._process.call("run", self._checkpoint)
            except ProcessLostError as error:
                now = time.monotonic()
                while died_at and died_at[0] < now - BUDGET_S:
                    died_at.popleft()
                if error.process != self._name or len(died_at) == self._max_restarts:
                    raise
                died_at.append(now)
                self._process = self._start()
                where = f"after frame {self._checkpoint.stamp.index}" if self._checkpoint else "from the beginning"
                logger.warning("%s; started again %s", error, where)
                for method, arguments in self._again.items():
                    await self._process.call(method, *arguments)
            else:
                return status
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError, ProcessLostError):
                    await keeping

    async def _keep_checkpoints(self, process: CameraProcess) -> None:
        while (checkpoint := await process.call("checkpoint")) is not None:
            self._checkpoint = checkpoint
            await asyncio.sleep(self._checkpoint_every_s)
