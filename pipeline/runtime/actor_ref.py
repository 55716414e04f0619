"""Calls to actors: by name, the same in this process and on Ray, so that no caller knows Ray."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from pipeline.core.errors import ProcessLostError, ReidError


class ActorHost:
    """Holds one actor in the process where it works, and calls its methods by name.

    Args:
        make: Builds the actor. It is called with the first call, inside the event loop: on Ray, an error of a
            constructor would be lost.
        in_thread: Build it in a thread, so that the event loop goes on while a network is loaded.
    """

    def __init__(self, make: Callable[[], Any], *, in_thread: bool = False) -> None:
        self._make, self._in_thread = make, in_thread
        self._building = asyncio.Lock()
        self._actor: Any = None
        self._name = secrets.token_hex(8)

    async def alive(self) -> str:
        """Return a name of this process that no other has, without building the actor."""
        return self._name

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the actor returns."""
        if self._actor is None:
            async with self._building:
                if self._actor is None:
                    self._actor = await asyncio.to_thread(self._make) if self._in_thread else self._make()
        return await getattr(self._actor, method)(*arguments)

    def close(self) -> None:
        """Let the actor end what it started, if it was built."""
        if self._actor is not None:
            self._actor.close()


class ActorRef:
    """One actor, or several equal ones that are called in turn. Can be sent to other processes if they run on Ray.

    Args:
        name: What the actor is called in messages.
        hosts: Each an ``ActorHost``, or Ray's handle of one.
    """

    def __init__(self, name: str, hosts: Sequence[Any]) -> None:
        self.name = name
        self._hosts = list(hosts)
        self._turn = 0

    @property
    def hosts(self) -> Sequence[Any]:
        """What holds the actors, as given."""
        return tuple(self._hosts)

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the next actor in turn returns.

        Raises:
            ProcessLostError: If its process is dead for good.
            Exception: Whatever the method raises; an error of ours arrives as it was raised.
        """
        host = self._hosts[self._turn % len(self._hosts)]
        self._turn += 1
        if isinstance(host, ActorHost):
            return await host.call(method, *arguments)
        from ray.exceptions import RayActorError, RayTaskError

        try:
            return await host.call.remote(method, *arguments)
        except RayTaskError as error:
            if isinstance(error.cause, ReidError):
                raise error.cause from None
            raise
        except RayActorError as error:
            raise ProcessLostError(self.name) from error

    def method(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return one method as an async function."""
        return partial(self.call, name)

    def each(self) -> list["ActorRef"]:
        """Return a reference to each of the actors alone."""
        return [ActorRef(self.name, [host]) for host in self._hosts]
