"""From a Ray actor's handle to plain async calls, so that whoever calls does not know Ray."""

from collections.abc import Sequence
from typing import Any

from ray.actor import ActorHandle


class RemoteCall:
    """One method of an actor as an async function; can be sent to other actors.

    With several actors, calls go to them in turn.
    """

    def __init__(self, handles: Sequence[ActorHandle], method: str) -> None:
        self._handles = list(handles)
        self._method = method
        self._turn = 0

    async def __call__(self, *arguments: Any) -> Any:
        """Return what the method returns; raises what it raises."""
        handle = self._handles[self._turn % len(self._handles)]
        self._turn += 1
        return await getattr(handle, self._method).remote(*arguments)


class Remote:
    """All methods of an actor as async functions."""

    def __init__(self, handle: ActorHandle) -> None:
        self._handle = handle

    def __getattr__(self, method: str) -> RemoteCall:
        return RemoteCall([self._handle], method)
