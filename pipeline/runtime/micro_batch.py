"""Batching in asyncio: calls that arrive while one batch is processed form the next."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class MicroBatch(Generic[Item, Result]):
    """Gathers single calls into batches, and processes one batch at a time in a thread of its own.

    Args:
        work: From items to results, same length and order.
        max_items: Items in a batch at most.
        max_wait_s: Seconds that a batch waits at most until it is full; 0 takes those that are there, without latency.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], *, max_items: int, max_wait_s: float):
        self._work = work
        self._max_items = max_items
        self._max_wait_s = max_wait_s
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batch")
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def call(self, item: Item) -> Result:
        """Return the result of one item; raises what the work on its batch raised."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._waiting) >= self._max_items:
            self._full.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    def close(self) -> None:
        """End the thread; there are no more calls."""
        self._thread.shutdown(wait=False)
        del self._work  # it refers back to this object: a network would stay until the next collection of garbage

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if len(self._waiting) < self._max_items and self._max_wait_s > 0:
                self._full.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self._max_wait_s)
            batch, self._waiting = self._waiting[: self._max_items], self._waiting[self._max_items :]
            batch = [(item, future) for item, future in batch if not future.cancelled()]
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(self._thread, self._work, [item for item, _ in batch])
                answers = list(zip(batch, results, strict=True))
            except (
                Exception
            ) as error:  # whatever the work raises, each caller gets it; otherwise they would wait forever
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in answers:
                if not future.done():
                    future.set_result(result)
