"""A process with several cameras, as the process that watches over the run sees it."""

from collections.abc import Callable
from typing import Any

from pipeline.core.errors import ProcessLostError
from pipeline.runtime.actor_ref import ActorRef


class CameraGroup:
    """A process with a ``CameraHost``; when it dies, the first of its cameras starts another one for all of them.

    Args:
        start: Starts a process.
    """

    def __init__(self, start: Callable[[], ActorRef]) -> None:
        self._start = start
        self._process = start()
        self._had: dict[str, ActorRef] = {}

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the host returns."""
        return await self._process.call(method, *arguments)

    def member(self, camera_id: str) -> "GroupMember":
        """Return one camera of the process; of another process if the one that it had is lost."""
        if self._had.get(camera_id) is self._process:
            self._process = self._start()
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
