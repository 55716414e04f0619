"""Finds pictures of a stream that never came: its stamps leap by whole intervals, and go on as before."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median_low

REORDER = 16
"""Packets that are sorted by their time once one came late: the most that a codec reorders. More decide later."""

NUM_STEPS = 5
"""Intervals before and behind a leap that show what is usual. More find less at the ends of a stream."""

MIN_EVEN_SHARE = 0.6
"""Share of those, on each side, that are the usual one. Larger misses heavy loss, smaller doubts uneven streams."""

MIN_EVEN = 3
"""Usual intervals around a leap at least. Fewer judge streams that are too short to know."""

TOLERANCE = 0.25
"""Usual intervals that a step may be off. Larger takes pauses for loss, smaller misses loss of jittery cameras."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Pictures that never came.

    Attributes:
        stamps: When they would have been shown, ascending, in units of the stream; at least one.
    """

    stamps: tuple[int, ...]


class MissingPictures:
    """Looks at the stamps of the packets of one stream, in the order in which they come.

    A leap counts if it is a whole number of usual intervals, and most intervals on both sides are usual. So a stream
    whose pictures come unevenly, or that changes its rate, has none. Packets without a stamp, and those whose stamp is
    far off, fill holes. A clock that goes back and stays there began again: what was before is forgotten.

    Args:
        max_step: The longest leap, in units of the stream; a longer one is a pause.
        needs_damage: A leap counts only where damage was seen near it.

    Attributes:
        num_missing: Pictures in all holes so far.
    """

    def __init__(self, max_step: float, *, needs_damage: bool = False) -> None:
        self._max_step = max_step
        self._needs_damage = needs_damage
        self._sorting: list[int] = []
        self._newest: int | None = None
        self._late: list[int] = []
        self._before: deque[int] = deque(maxlen=NUM_STEPS)
        self._steps: deque[tuple[int, int]] = deque()
        self._reorder = 0
        self._num_unplaced = self._since_unplaced = 0
        self._near_damage = 0
        self.num_missing = 0

    @property
    def ahead(self) -> int:
        """Packets after which a leap is decided."""
        return self._reorder + NUM_STEPS + 1

    def push(self, stamp: int | None, *, is_damaged: bool = False) -> list[Hole]:
        """Take the presentation time of a packet, and return the holes that are decided now.

        Args:
            stamp: In units of the stream; None if it has none.
            is_damaged: The stream was seen to be damaged here.
        """
        self._near_damage = 2 * (REORDER + NUM_STEPS) if is_damaged else max(0, self._near_damage - 1)
        self._since_unplaced += 1
        if self._since_unplaced > self.ahead:
            self._num_unplaced = 0
        if stamp is None:
            self._note_unplaced()
            return []
        return self._taken(stamp)

    def flush(self) -> list[Hole]:
        """Return the holes that are still to be decided; the stream has ended."""
        while self._sorting:
            self._place(heapq.heappop(self._sorting))
        return list(self._decided(0))

    def _taken(self, stamp: int) -> list[Hole]:
        if self._newest is not None and stamp < self._newest:
            self._late.append(stamp)
            if self._newest - stamp > self._max_step or len(self._late) > REORDER:
                return self._begun_again()
            self._note_unplaced()
            self._reorder = REORDER
            return []
        self._late.clear()
        heapq.heappush(self._sorting, stamp)
        if len(self._sorting) > self._reorder:
            self._place(heapq.heappop(self._sorting))
        return list(self._decided(NUM_STEPS))

    def _note_unplaced(self) -> None:
        self._num_unplaced += self._newest is not None
        self._since_unplaced = 0

    def _begun_again(self) -> list[Hole]:
        """Decide what was before the clock went back, forget it, and take again what has come since."""
        late, self._late = self._late, []
        while self._sorting:
            self._place(heapq.heappop(self._sorting))
        # What ends a leap over the first of them is one wrong stamp.
        self._steps = deque(each for each in self._steps if not each[0] < late[0] < sum(each))
        found = list(self._decided(0))
        self._before.clear()
        self._newest, self._reorder, self._num_unplaced = None, 0, 0
        for stamp in late:
            found += self._taken(stamp)
        return found

    def _place(self, stamp: int) -> None:
        if self._newest is not None and stamp > self._newest:
            self._steps.append((self._newest, stamp - self._newest))
        self._newest = stamp

    def _decided(self, num_behind: int) -> Iterator[Hole]:
        while len(self._steps) > num_behind:
            begin, step = self._steps.popleft()
            count = self._count(step, [step for _, step in list(self._steps)[:NUM_STEPS]])
            self._before.append(step)
            filled = min(count, self._num_unplaced)
            self._num_unplaced -= filled
            if (missing := count - filled) and (self._near_damage or not self._needs_damage):
                self.num_missing += missing
                yield Hole(tuple(begin + step * (place + 1) // (count + 1) for place in range(missing)))

    def _count(self, step: int, behind: list[int]) -> int:
        """Return how many pictures are missing in a step."""
        if step > self._max_step or not (self._before or behind):
            return 0
        usual = median_low([*self._before, *behind])
        even = [_num_even(steps, usual) for steps in (self._before, behind)]
        enough = [MIN_EVEN_SHARE * len(steps) for steps in (self._before, behind)]
        count = round(step / usual)
        if sum(even) < MIN_EVEN or even[0] < enough[0] or even[1] < enough[1]:
            return 0
        return count - 1 if count > 1 and abs(step - count * usual) <= TOLERANCE * usual + 1 else 0


def _num_even(steps: Iterable[int], usual: int) -> int:
    return sum(abs(step - usual) <= TOLERANCE * usual + 1 for step in steps)
