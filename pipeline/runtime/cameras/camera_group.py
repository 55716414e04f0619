"""A process with several cameras, as the process that watches over the run sees it."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.actor_ref import ActorRef
from pipeline.runtime.cameras.camera_host import CameraMaker

DROP_S = 2.0
"""Seconds that a process has to let go of a camera. Longer: one that hangs keeps the next command waiting longer."""


class CameraGroup:
    """A process with a ``CameraHost``; when it dies, the first of its cameras starts another one for all of them.

    Args:
        start: Starts a process with these cameras.
        make_cameras: Its cameras.
    """

    def __init__(
        self, start: Callable[[Mapping[str, CameraMaker]], ActorRef], make_cameras: Mapping[str, CameraMaker]
    ) -> None:
        self._start = start
        self._make_cameras = dict(make_cameras)
        self._process = start(dict(self._make_cameras))
        self._had: dict[str, ActorRef] = {}

    def __len__(self) -> int:
        return len(self._make_cameras)

    @property
    def makers(self) -> Collection[CameraMaker]:
        """How its cameras are built."""
        return self._make_cameras.values()

    @property
    def process(self) -> ActorRef:
        """The process now."""
        return self._process

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the host returns."""
        return await self._process.call(method, *arguments)

    async def add(self, camera_id: str, maker: CameraMaker) -> None:
        """Build one more camera in the process; in a new one, with all others, if it has just died.

        Raises:
            ReidError: What is wrong with the camera or its networks; nothing has changed then.
        """
        self._make_cameras[camera_id] = maker
        try:
            await self._process.call("add", camera_id, maker)
        except ProcessLostError:
            self._process = self._start(dict(self._make_cameras))
        except BaseException:
            del self._make_cameras[camera_id]
            raise

    async def drop(self, camera_id: str) -> None:
        """Let go of a camera that has ended; a process that starts anew does not have it."""
        del self._make_cameras[camera_id]
        self._had.pop(camera_id, None)
        with suppress(ProcessLostError, TimeoutError):  # one that hangs is replaced by another without the camera
            await asyncio.wait_for(self._process.call("drop", camera_id), DROP_S)

    def member(self, camera_id: str) -> "GroupMember":
        """Return one camera of the process; of another process if the one that it had is lost."""
        if self._had.get(camera_id) is self._process:
            self._process = self._start(dict(self._make_cameras))
        self._had[camera_id] = self._process
        return GroupMember(camera_id, self._process)


class GroupMember:
    """One camera of a process. Implements ``CameraProcess``.

    Args:
        camera_id: The camera.
        process: Its process.
    """

    def __init__(self, camera_id: str, process: ActorRef) -> None:
        self._camera_id, self._process = camera_id, process

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the camera returns.

        Raises:
            ProcessLostError: If its process is lost, as ``camera NAME``; or another one that it needs.
        """
        try:
            return await self._process.call("camera", self._camera_id, method, *arguments)
        except ProcessLostError as error:
            if error.process == self._process.name:
                raise ProcessLostError(f"camera {self._camera_id}") from error
            raise
