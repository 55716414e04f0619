"""What the process that directs a run sees of a camera."""

import logging
from collections.abc import Sequence
from typing import Protocol

from pipeline.camera.privacy_mask import Mask
from pipeline.core.errors import ReidError
from pipeline.runtime.cameras.checkpoint import Checkpoint
from pipeline.telemetry.camera_status import CameraStatus, given_up

logger = logging.getLogger(__name__)


class Camera(Protocol):
    """A camera actor, in whichever process; see ``CameraActor``."""

    async def ready(self) -> None:
        """Return once the source is built."""
        ...

    async def status(self) -> CameraStatus:
        """Return the status now."""
        ...

    async def run(self) -> CameraStatus:
        """Work until the source ends."""
        ...

    async def stop(self) -> None:
        """Read no further."""
        ...

    async def remove(self) -> None:
        """Read no further, and end all tracks."""
        ...

    async def cover(self, masks: Sequence[Mask]) -> None:
        """Cover more parts of the picture, in place of those of the last call."""
        ...

    async def end_at(self, at: float) -> bool:
        """Let a recording end at a time of event time; return False if it was read further already."""
        ...

    async def settle(self) -> None:
        """Let the source forget what was read."""
        ...


class UnbuiltCamera:
    """A camera whose source or monitor could not be built where it works. The others of its process go on.

    A run does not start with it; one that went on when its process was replaced gives it up.

    Args:
        why: What its constructor raised.
    """

    def __init__(self, why: ReidError) -> None:
        self._why = why

    async def ready(self) -> None:
        """Raise why it could not be built."""
        raise self._why

    async def status(self) -> CameraStatus:
        """Return a status that says why it is given up."""
        return given_up(CameraStatus(), str(self._why))

    async def checkpoint(self) -> None:
        """Return: it has ended."""

    async def run(self, checkpoint: Checkpoint | None = None) -> CameraStatus:
        """Return the status of the process before, and why it goes no further."""
        logger.error("a camera is given up: %s", self._why)
        return given_up(CameraStatus() if checkpoint is None else checkpoint.status, str(self._why))

    async def stop(self) -> None:
        """Return: it reads nothing."""

    async def remove(self) -> None:
        """Return: it reads nothing."""

    async def cover(self, masks: Sequence[Mask]) -> None:
        """Do nothing: there is no picture."""

    async def end_at(self, at: float) -> bool:
        """Return True: it reads nothing."""
        return True

    async def settle(self) -> None:
        """Return: it has no source."""
