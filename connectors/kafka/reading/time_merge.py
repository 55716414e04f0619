"""Puts the messages of several partitions into order of time."""

from collections import deque
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

MAX_WAITING_BYTES = 64 * 2**20
"""Bytes of frames that wait, of all partitions together. More take more memory; a partition needs room for a frame."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    at: float
    offset: int
    arrived: float
    num_bytes: int
    item: Item


class TimeMerge(Generic[Item]):
    """Messages of one camera that wait for earlier ones in other partitions.

    Each partition is in order. The earliest of their first messages is next, once no earlier one can come: every other
    partition has a message waiting, or is read to its end, and, if the camera is in several partitions, ``window_s``
    have passed since the message arrived.

    Args:
        window_s: Seconds that a message waits for an earlier one. A longer time orders more, and delays more.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._queues: dict[int, deque[_Waiting[Item]]] = {}

    def put(self, partition: int, at: float, item: Item, *, offset: int, arrived: float, num_bytes: int) -> None:
        """Add a message.

        Args:
            partition: Its partition.
            at: Its time, Unix seconds.
            item: The message.
            offset: Its offset.
            arrived: When it arrived, seconds of a clock that ``ready`` is told as well.
            num_bytes: Its size.
        """
        self._queues.setdefault(partition, deque()).append(_Waiting(at, offset, arrived, num_bytes, item))

    def ready(self, now: float, unread: Set[int]) -> Iterator[Item]:
        """Yield, in order of time, and forget, the messages that no earlier one can follow.

        Args:
            now: Seconds of the clock of ``arrived``.
            unread: Partitions that hold messages which were not read yet.
        """
        while True:
            waiting = {number: queue[0] for number, queue in self._queues.items() if queue}
            if not waiting or not unread <= waiting.keys():
                return
            first = min(waiting, key=lambda number: (waiting[number].at, number))
            is_certain = len(waiting) == len(self._queues)
            if not is_certain and now - waiting[first].arrived < self._window_s:
                return
            yield self._queues[first].popleft().item

    def rest(self) -> Iterator[Item]:
        """Yield and forget all that wait, in order of time: nothing more will come."""
        while waiting := [number for number, queue in self._queues.items() if queue]:
            yield self._queues[min(waiting, key=lambda number: (self._queues[number][0].at, number))].popleft().item

    def due_in_s(self, now: float) -> float:
        """Return the seconds after which a message will have waited long enough; infinity if none waits."""
        return min(
            (queue[0].arrived + self._window_s - now for queue in self._queues.values() if queue), default=float("inf")
        )

    def offsets(self) -> Mapping[int, int]:
        """Return the offset of the first message that waits, by partition."""
        return {number: queue[0].offset for number, queue in self._queues.items() if queue}

    def full(self) -> Set[int]:
        """Return the partitions of which so much waits that no more should be read for now."""
        return {
            number
            for number, queue in self._queues.items()
            if sum(waiting.num_bytes for waiting in queue) > MAX_WAITING_BYTES // len(self._queues)
        }

    def __len__(self) -> int:
        """Return the number of messages that wait."""
        return sum(map(len, self._queues.values()))
