"""What a camera handed over and nobody judged yet: handed over again to a match actor that came back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf

from pipeline.core import Embedding
from pipeline.runtime.acknowledgement import Acknowledgement

Deliver = Callable[[str, Sequence[Embedding], float, float, str | None], Awaitable[Acknowledgement]]
"""camera, embeddings, watermark, due time, life → receipt; as ``MatchActor.deliver``."""

ASK_EVERY_S = 0.1
"""Seconds between two questions whether the last embeddings are judged."""


class Deliveries:
    """Hands over what one camera sees, one call after another, so that nothing is lost with the one who takes it.

    Args:
        deliver: Takes embeddings away.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._hand_over = deliver
        self._epoch: str | None = None
        self._watermark = -inf
        self._pending: list[Embedding] = []

    @property
    def pending(self) -> tuple[Embedding, ...]:
        """What was handed over and not judged yet."""
        return tuple(self._pending)

    async def __call__(self, camera_id: str, embeddings: Sequence[Embedding], watermark: float, due_at: float) -> float:
        """Hand over; return the event time, Unix seconds, until which everything is published and safe."""
        self._pending += embeddings
        self._watermark = max(self._watermark, watermark)
        receipt = await self._hand_over(camera_id, embeddings, watermark, due_at, self._epoch)
        while not receipt.is_accepted:
            self._epoch = receipt.epoch
            receipt = await self._hand_over(camera_id, self.pending, self._watermark, due_at, self._epoch)
        self._epoch = receipt.epoch
        self._pending = [embedding for embedding in self._pending if embedding.completed_at >= receipt.judged_until]
        return receipt.safe_until

    async def end(self, camera_id: str) -> None:
        """Say that nothing more will come, and return when everything is judged."""
        await self(camera_id, [], inf, time.time())
        while self._pending:
            await asyncio.sleep(ASK_EVERY_S)
            await self(camera_id, [], inf, time.time())
