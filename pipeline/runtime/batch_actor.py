"""One stateless stage for all cameras: detection, pose or embedding."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.core import Stage, calls_of
from pipeline.core.errors import DataError
from pipeline.runtime.micro_batch import MicroBatch
from pipeline.telemetry.batch_status import BatchStatus


class BatchActor:
    """Feeds a stage in batches of items from all cameras.

    Args:
        make_stage: Builds the stage; called here, so that no network is sent between processes.
        max_items: Items in a batch at most.
        max_wait_s: Seconds that a batch waits for more items.
    """

    def __init__(self, make_stage: Callable[[], Stage[Any, Any]], *, max_items: int, max_wait_s: float) -> None:
        self._stage = make_stage()
        self._batch: MicroBatch[Any, Any] = MicroBatch(self._work, max_items=max_items, max_wait_s=max_wait_s)
        self._busy_s = 0.0
        self._num_items = 0

    async def ready(self) -> None:
        """Return; the stage is built."""

    async def process(self, item: Any) -> Any:
        """Return the result of the stage for one item; raise what is wrong with it."""
        result = await self._batch.call(item)
        if isinstance(result, DataError):
            raise result
        return result

    async def process_all(self, items: Sequence[Any]) -> list[Any]:
        """Return the result of each item; where something is wrong with one, the error stands in its place."""
        return await asyncio.gather(*(self._batch.call(item) for item in items))

    async def busy(self) -> BatchStatus:
        """Return what was done so far."""
        calls = dict(sorted(calls_of(self._stage).copy().items()))
        return BatchStatus(self._busy_s, self._num_items, len(self._batch), calls)

    def close(self) -> None:
        """End the thread, and let go of the stage."""
        self._batch.close()

    def _work(self, items: Sequence[Any]) -> Sequence[Any]:
        began = time.perf_counter()
        try:
            results = self._stage.process(items)
        except DataError as error:
            # One item of one camera must not harm the others of its batch.
            return [error] if len(items) == 1 else [self._work([item])[0] for item in items]
        self._busy_s += time.perf_counter() - began
        self._num_items += len(items)
        return results
