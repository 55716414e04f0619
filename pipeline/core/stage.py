"""Interfaces of the six stages, and of those that have state."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class Stage(Protocol[In, Out]):
    """Turns items into items, in memory. A stage knows no process, no Ray, no Kafka and no clock."""

    def process(self, batch: Sequence[In]) -> Sequence[Out]:
        """Return the results of these items, in order within each camera."""
        ...

    def flush(self) -> Sequence[Out]:
        """Return the results still held back; the stream has ended."""
        ...


@runtime_checkable
class Stateful(Protocol):
    """Has state that can be restored: after ``restore`` it goes on exactly as the original would, bit for bit."""

    def snapshot(self) -> bytes:
        """Return the whole state."""
        ...

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance with the same configuration.

        Raises:
            WireFormatError: If these bytes are not such a state.
        """
        ...
