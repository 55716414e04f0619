"""Calls to a stage in other processes: what waits goes together, so that a frame costs no message of its own."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from pipeline.runtime.actor_ref import ActorRef

OPEN_CALLS = 2
"""Calls that are open at each actor: one is worked on while the next is on its way. More make batches smaller."""


class StageCalls:
    """Calls a stage whose actors are in other processes.

    Args:
        actors: Of ``BatchActor``; equal ones.
        max_items: In a call at most.
    """

    def __init__(self, actors: Sequence[ActorRef], *, max_items: int) -> None:
        self._idle = deque([*actors] * OPEN_CALLS)
        self._max_items = max_items
        self._waiting: deque[tuple[Any, asyncio.Future[Any]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, item: Any) -> Any:
        """Return the result of the stage for one item; raise what is wrong with it, or that all actors are lost."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._idle:
            task = asyncio.create_task(self._work(self._idle.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self, actor: ActorRef) -> None:
        """Let an actor work as long as anything waits."""
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(self._max_items, len(self._waiting)))]
            batch = [(item, future) for item, future in taken if not future.done()]
            if not batch:
                continue
            try:
                results = await actor.call("process_all", [item for item, _ in batch])
            except Exception as error:  # whatever it is, each caller gets it; otherwise they would wait for ever
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        self._idle.append(actor)
