"""What one camera delivers to the match actor, and keeps until its acknowledgement: delivered again if it is lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf

from pipeline.runtime.event_time import Item

ASK_EVERY_S = 0.1
"""Seconds between two questions whether the last embeddings are processed. A larger one makes a run end later."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a camera gets for a delivery.

    Attributes:
        epoch: Of the match actor; a new one each time it came back from its ledger.
        is_accepted: False: the delivery was meant for an earlier epoch, and nothing of it was accepted.
        processed_until: Unix seconds of event time until which everything is matched and in the ledger.
        safe_until: Unix seconds of event time until which everything is also published, and safe in every sink.
    """

    epoch: str
    is_accepted: bool
    processed_until: float
    safe_until: float


Deliver = Callable[[str, Sequence[Item], float, float, str | None], Awaitable[Acknowledgement]]
"""camera, items, watermark, due time, epoch → acknowledgement; as ``MatchActor.deliver``."""


class Deliveries:
    """Delivers what one camera has, one call after another, so that nothing is lost with the match actor.

    Args:
        deliver: Takes them to the match actor.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._epoch: str | None = None
        self._watermark = -inf
        self._pending: list[Item] = []
        self._turn = asyncio.Lock()

    @property
    def pending(self) -> tuple[Item, ...]:
        """What was delivered and is not processed yet."""
        return tuple(self._pending)

    async def __call__(self, camera_id: str, items: Sequence[Item], watermark: float, due_at: float) -> float:
        """Deliver, and return the event time, Unix seconds, until which everything is published and safe."""
        async with self._turn:
            self._pending += items
            self._watermark = max(self._watermark, watermark)
            reply = await self._deliver(camera_id, items, watermark, due_at, self._epoch)
            while not reply.is_accepted:
                self._epoch = reply.epoch
                reply = await self._deliver(camera_id, self.pending, self._watermark, due_at, self._epoch)
            self._epoch = reply.epoch
            self._pending = [item for item in self._pending if item.completed_at >= reply.processed_until]
            return reply.safe_until

    async def end(self, camera_id: str) -> None:
        """Say that the camera has ended, and return when all it delivered is processed."""
        await self(camera_id, [], inf, time.time())
        while self._pending:
            await asyncio.sleep(ASK_EVERY_S)
            await self(camera_id, [], inf, time.time())
