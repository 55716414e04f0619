"""What the process that directs a run sees of a camera."""

from typing import Protocol

from pipeline.telemetry.camera_status import CameraStatus


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

    async def end_at(self, at: float) -> bool:
        """Let a recording end at a time of event time; return False if it was read further already."""
        ...

    async def settle(self) -> None:
        """Let the source forget what was read."""
        ...
