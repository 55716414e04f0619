"""A camera that comes back when its process dies."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.checkpoint import Checkpoint
from pipeline.runtime.remote import Remote
from pipeline.telemetry.camera_status import CameraStatus

logger = logging.getLogger(__name__)


class RestartingCamera:
    """A camera actor in a process of its own, and its last checkpoint, from which a new process goes on.

    Args:
        name: What its process is called in messages.
        start: Starts a process with a ``CameraActor``.
        max_restarts: How often it may die, and one time more ends it.
        checkpoint_every_s: Seconds between two checkpoints.
    """

    def __init__(self, name: str, start: Callable[[], Remote], *, max_restarts: int, checkpoint_every_s: float) -> None:
        self._name = name
        self._start = start
        self._max_restarts = max_restarts
        self._checkpoint_every_s = checkpoint_every_s
        self._camera = start()
        self._checkpoint: Checkpoint | None = None
        self._is_stopped = False

    async def ready(self) -> None:
        """Return; its source is built."""
        await self._camera.ready()

    async def status(self) -> CameraStatus:
        """Return how it is doing now."""
        status: CameraStatus = await self._camera.status()
        return status

    async def stop(self) -> None:
        """Read no further; what was read is worked off."""
        self._is_stopped = True
        await self._camera.stop()

    async def settle(self) -> None:
        """Let the source forget everything that was tracked."""
        await self._camera.settle()

    async def run(self) -> CameraStatus:
        """Work until the source ends.

        Raises:
            ProcessLostError: If its process died once too often.
        """
        num_restarts = 0
        while True:
            keeping = asyncio.create_task(self._keep(self._camera))
            await asyncio.sleep(0)  # the camera is asked for a checkpoint before it runs, and so holds back its acks
            try:
                status: CameraStatus = await self._camera.run(self._checkpoint)
            except ProcessLostError as error:
                if error.process != self._name or num_restarts == self._max_restarts:
                    raise
                num_restarts += 1
                self._camera = self._start()
                where = f"frame {self._checkpoint.stamp.index}" if self._checkpoint else "its beginning"
                logger.warning("%s; started again behind %s", error, where)
                if self._is_stopped:
                    await self._camera.stop()
            else:
                return status
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError, ProcessLostError):
                    await keeping

    async def _keep(self, camera: Remote) -> None:
        while True:
            self._checkpoint = await camera.checkpoint()
            await asyncio.sleep(self._checkpoint_every_s)
