"""One stateless stage for all cameras: detection, pose or embedding."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.core import Stage
from pipeline.runtime.micro_batch import MicroBatch


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
        """Return the result of the stage for one item."""
        return await self._batch.call(item)

    async def busy(self) -> tuple[float, int, int]:
        """Return the seconds of work so far, the number of items, and how many wait now."""
        return self._busy_s, self._num_items, len(self._batch)

    def _work(self, items: Sequence[Any]) -> Sequence[Any]:
        began = time.perf_counter()
        results = self._stage.process(items)
        self._busy_s += time.perf_counter() - began
        self._num_items += len(items)
        return results
