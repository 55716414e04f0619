"""A map that forgets entries by event time."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from pipeline.core.serialisation import deserialise, serialise

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ExpiringMap(Generic[Key, Value]):
    """A map whose entries are forgotten ``forget_after_s`` of event time after they were set.

    The newest time that was ever set counts as now. So forgetting depends on the events alone, not on a clock.

    Args:
        forget_after_s: Seconds, at least 0.

    Example:
        >>> recent = ExpiringMap(forget_after_s=10)
        >>> recent.set("a", 1, at=0)
        >>> recent.set("b", 2, at=11)
        >>> recent.get("a"), recent.get("b")
        (None, 2)
    """

    def __init__(self, *, forget_after_s: float) -> None:
        self._forget_after_s = forget_after_s
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._now = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """Return the value, or None if it was never set or is forgotten."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def set(self, key: Key, value: Value, *, at: float) -> None:
        """Keep a value until ``forget_after_s`` after ``at``, Unix seconds; forget what is too old."""
        self._now = max(self._now, at)
        # In the order of insertion: that of time, apart from late entries.
        self._entries.pop(key, None)
        self._entries[key] = (at, value)
        oldest = self._now - self._forget_after_s
        while self._entries:
            first = next(iter(self._entries))
            if self._entries[first][0] >= oldest:
                break
            del self._entries[first]

    def pop(self, key: Key) -> Value | None:
        """Forget a key now, and return its value."""
        entry = self._entries.pop(key, None)
        return None if entry is None else entry[1]

    def move(self, source: Key, target: Key | None) -> None:
        """Give the entry of one key to another, unless that has a newer entry; None forgets it."""
        entry = self._entries.pop(source, None)
        if entry is None or target is None:
            return
        at, value = entry
        if target not in self._entries or self._entries[target][0] < at:
            self.set(target, value, at=at)

    def items(self) -> Iterator[tuple[Key, Value]]:
        """Return all pairs; the map may be changed meanwhile."""
        return iter([(key, value) for key, (_, value) in self._entries.items()])

    def snapshot(self) -> bytes:
        """Return the state."""
        entries = [(key, at, value) for key, (at, value) in self._entries.items()]
        return serialise((self._now, serialise(entries)))

    def restore(self, state: bytes, kind: type[list[tuple[Key, float, Value]]]) -> None:
        """Take over the state of another map.

        Args:
            state: Its ``snapshot``.
            kind: Type of its entries: (key, time, value).

        Raises:
            WireFormatError: If the entries are of another type.
        """
        self._now, entries = deserialise(state, tuple[float, bytes])
        self._entries = {key: (at, value) for key, at, value in deserialise(entries, kind)}
