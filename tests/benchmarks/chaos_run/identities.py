"""Who kept their number, in the seconds in which two runs saw the same people in the same camera.

Only these seconds are compared, so that a time in which one run was blind changes nothing by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from chaos_run.scene import FPS
from chaos_run.sightings import NOBODY, Seen


@dataclass(frozen=True, order=True)
class Cell:
    """A person in a second of a camera, counted from the start of the run."""

    camera_id: str
    second: int
    person: int


Numbers = Mapping[Cell, int]
"""Which number a person had in most frames of a second."""


def numbers_of(seen: Iterable[Seen]) -> dict[Cell, int]:
    """Return which number a run gave to each person, second by second."""
    counts: dict[Cell, Counter[int]] = defaultdict(Counter)
    for one in seen:
        if one.person != NOBODY:
            for frame, _ in one.shown:
                counts[Cell(one.camera_id, frame // FPS, one.person)][one.identity] += 1
    return {cell: max(of_cell, key=lambda number: (of_cell[number], -number)) for cell, of_cell in counts.items()}


def shared(one: Numbers, other: Numbers, watched: Mapping[str, set[int]]) -> tuple[Numbers, Numbers]:
    """Return the numbers of two runs in the cells that both have, of the seconds that were watched."""
    cells = [cell for cell in one if cell in other and cell.second in watched[cell.camera_id]]
    return {cell: one[cell] for cell in cells}, {cell: other[cell] for cell in cells}


def share_kept(numbers: Numbers) -> float:
    """Return the share of cells whose number is that of their person.

    Numbers and people are assigned one to one, for all cells together, so that the share is as large as possible: a
    person with two numbers, and two people with one, both lower it.
    """
    if not numbers:
        return 0.0
    counts = Counter((cell.person, number) for cell, number in numbers.items())
    people, identities = (sorted({pair[place] for pair in counts}) for place in (0, 1))
    table = np.array([[counts[person, number] for number in identities] for person in people])
    return int(table[linear_sum_assignment(-table)].sum()) / len(numbers)


def kept_over(numbers: Numbers, before: range, after: range) -> tuple[int, int]:
    """Return how many people have the same number after a gap as before it, and how many were seen on both sides.

    Args:
        numbers: Of a run.
        before: Seconds before the gap.
        after: Seconds after it.
    """
    earlier, later = (_usual(numbers, seconds) for seconds in (before, after))
    both = earlier.keys() & later.keys()
    return sum(earlier[person] == later[person] for person in both), len(both)


def _usual(numbers: Numbers, seconds: range) -> dict[int, int]:
    """Return the number that each person had most often in some seconds."""
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for cell, number in numbers.items():
        if cell.second in seconds:
            counts[cell.person][number] += 1
    return {person: max(of_one, key=lambda number: (of_one[number], -number)) for person, of_one in counts.items()}
