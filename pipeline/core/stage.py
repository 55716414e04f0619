"""What the six stages have in common, and what those that remember have."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

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


@runtime_checkable
class Stateful(Protocol):
    """What remembers and can be brought back: after ``restore`` it does what the other would have done, bit for bit."""

    def snapshot(self) -> bytes:
        """Return everything it remembers."""
        ...

    def restore(self, state: bytes) -> None:
        """Remember what another one, made of the same configuration, remembered.

        Raises:
            WireFormatError: If these bytes are nothing that it remembers.
        """
        ...
