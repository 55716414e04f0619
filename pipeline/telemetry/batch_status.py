"""The status of a batch actor."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """What a batch actor has done since it was started.

    Attributes:
        busy_s: Seconds of work.
        items: Frames or tracklets that it has processed.
        waiting: Of those that it was asked for, how many wait.
        calls: How often its network was called with so many frames, crops or clips at once; empty if the plug-in does
            not count.
        num_silent: Actors whose process does not answer; of theirs, the other values are those of the last answer.
    """

    busy_s: float = 0.0
    items: int = 0
    waiting: int = 0
    calls: Mapping[int, int] = field(default_factory=dict)
    num_silent: int = 0

    def __add__(self, other: "BatchStatus") -> "BatchStatus":
        """Return the status of two actors together."""
        sizes = sorted({*self.calls, *other.calls})
        return BatchStatus(
            self.busy_s + other.busy_s,
            self.items + other.items,
            self.waiting + other.waiting,
            {size: self.calls.get(size, 0) + other.calls.get(size, 0) for size in sizes},
            self.num_silent + other.num_silent,
        )

    @property
    def mean_call(self) -> float | None:
        """Frames, crops or clips in a call of the network, on average; None before the first."""
        number = sum(self.calls.values())
        return sum(size * count for size, count in self.calls.items()) / number if number else None
