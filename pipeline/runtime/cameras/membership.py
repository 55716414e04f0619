"""Which cameras take part in a run, while it goes on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.camera.privacy_mask import Mask
from pipeline.core.errors import ConnectorError
from pipeline.runtime.cameras.camera import Camera
from pipeline.telemetry.camera_status import CameraStatus, after


class RunEndingError(ConnectorError):
    """The run is ending, so its cameras do not change any more."""


class Membership:
    """The cameras of a run: the one who directs the run starts those that are new, and lets go of those that leave.

    Args:
        cameras: That are there from the start, by name.
        drop: Lets go of a camera that has left, or that was built in vain.

    Attributes:
        cameras: That take part now, those that are leaving included.
        removed: The last status of each camera that has left.
        leaving: When each camera that leaves was asked to, seconds of the monotonic clock.
        drop: As given.
        changed: Set when a camera comes or is to leave.
        is_open: Cameras may come and go; False once the run ends.
    """

    def __init__(self, cameras: Mapping[str, Camera], drop: Callable[[str], Awaitable[None]]) -> None:
        self.cameras = dict(cameras)
        self.removed: dict[str, CameraStatus] = {}
        self.leaving: dict[str, float] = {}
        self.is_open = True
        self.changed = asyncio.Event()
        self.drop = drop
        self._left = asyncio.Condition()

    def add(self, camera_id: str, camera: Camera) -> None:
        """Let a camera take part from now on.

        Raises:
            RunEndingError: If the run ends.
        """
        if not self.is_open:
            raise RunEndingError("the run is ending")
        self.cameras[camera_id] = AddedCamera(camera, self.removed.pop(camera_id, CameraStatus()))
        self.changed.set()

    async def remove(self, camera_id: str) -> CameraStatus:
        """Let a camera leave, and return its last status once it has: its tracks have ended and are published.

        Raises:
            RunEndingError: If the run ends before.
        """
        if not self.is_open:
            raise RunEndingError("the run is ending")
        self.leaving[camera_id] = time.monotonic()
        self.changed.set()
        async with self._left:
            await self._left.wait_for(lambda: camera_id not in self.leaving or not self.is_open)
        if camera_id not in self.removed:
            raise RunEndingError("the run is ending")
        return self.removed[camera_id]

    async def let_go(self, camera_id: str, status: CameraStatus) -> None:
        """Note that a camera has left, with its last status."""
        self.removed[camera_id] = replace(status, removed_at=time.time(), people_now=0, is_silent=False)
        del self.cameras[camera_id], self.leaving[camera_id]
        await self.drop(camera_id)
        async with self._left:
            self._left.notify_all()

    async def close(self) -> None:
        """Let no camera come or go any more; those that are leaving stay."""
        self.is_open = False
        async with self._left:
            self._left.notify_all()


class AddedCamera:
    """A camera that was added while the run went on. Implements ``Camera``.

    Args:
        camera: The camera.
        before: What was counted of it before it was removed.
    """

    def __init__(self, camera: Camera, before: CameraStatus) -> None:
        self._camera, self._before = camera, before

    async def ready(self) -> None:
        """Return once the source is built."""
        await self._camera.ready()

    async def status(self) -> CameraStatus:
        """Return the status now, with what was counted before it was removed."""
        return after(self._before, await self._camera.status())

    async def run(self) -> CameraStatus:
        """Work until the source ends."""
        return after(self._before, await self._camera.run())

    async def stop(self) -> None:
        """Read no further."""
        await self._camera.stop()

    async def remove(self) -> None:
        """Read no further, and end all tracks."""
        await self._camera.remove()

    async def cover(self, masks: Sequence[Mask]) -> None:
        """Cover more parts of the picture."""
        await self._camera.cover(masks)

    async def end_at(self, at: float) -> bool:
        """Let a recording end at a time of event time."""
        return await self._camera.end_at(at)

    async def settle(self) -> None:
        """Let the source forget what was read."""
        await self._camera.settle()
