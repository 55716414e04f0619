"""From a Ray actor's handle to plain async calls, so that whoever calls does not know Ray."""

from collections.abc import Sequence
from typing import Any

from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from pipeline.core.errors import ProcessLostError, ReidError


class RemoteCall:
    """One method of an actor as an async function; can be sent to other actors.

    With several actors, calls go to them in turn. Our own errors come back as they were raised.

    Args:
        process: What the actor is called in messages.
        handles: The actors.
        method: Name of the method.

    Raises:
        ProcessLostError: From a call, if the actor is dead for good.
    """

    def __init__(self, process: str, handles: Sequence[ActorHandle], method: str) -> None:
        self._process = process
        self._handles = list(handles)
        self._method = method
        self._turn = 0

    async def __call__(self, *arguments: Any) -> Any:
        """Return what the method returns; raises what it raises."""
        handle = self._handles[self._turn % len(self._handles)]
        self._turn += 1
        try:
            return await getattr(handle, self._method).remote(*arguments)
        except RayTaskError as error:
            if isinstance(error.cause, ReidError):
                raise error.cause from None
            raise
        except RayActorError as error:
            raise ProcessLostError(self._process) from error


class Remote:
    """All methods of an actor as async functions."""

    def __init__(self, process: str, handle: ActorHandle) -> None:
        self._process = process
        self._handle = handle

    def __getattr__(self, method: str) -> RemoteCall:
        return RemoteCall(self._process, [self._handle], method)
