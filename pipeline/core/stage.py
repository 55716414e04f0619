"""What the six stages have in common."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Stage(Protocol[In, Out]):
    """Policy without a process: turns items into items, in memory, and knows no Ray, Kafka or clock."""

    def process(self, batch: Sequence[In]) -> Sequence[Out]:
        """Return what these items lead to; the order within a camera is kept."""
        ...

    def flush(self) -> Sequence[Out]:
        """Return what is still held; the stream has ended."""
        ...
