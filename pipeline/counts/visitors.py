"""Unique visitors, with the interval that the doubts of the matcher imply.

Each decision of the matcher has a probability of being wrong. A person taken for new may be one who was counted
already: then there were fewer. A track given to a known person may show somebody else: then there were more. The
decisions are taken as independent, so the number of wrong ones follows a Poisson binomial distribution.

Whether a person is one more is decided once, when the person is first seen, which may be long before the interval that
is counted. A person who was split off another one was never taken for new: nobody can say how likely that is.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core import TrackId, TrackPart
from pipeline.counts.facts import Fact, FactKind
from pipeline.ledger import NOBODY

COVERAGE = 0.95
"""Share of intervals that are to hold the true number. A larger one makes them wider."""

UNDECIDED = 0.5
"""Probability that a person whom nobody took for new was counted already: even odds. A larger one makes the interval of
a site with many splits wider."""


@dataclass(frozen=True, slots=True)
class Visitors:
    """How many different people there were.

    Attributes:
        people: Different numbers of people.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    people: int
    low: int
    high: int


def newness_of(newcomers: Iterable[Fact], person_of: Callable[[TrackPart], int]) -> dict[int, float]:
    """Return by person the probability that they were counted already when they were first taken for new.

    Args:
        newcomers: The facts about cameras in which somebody was taken for new, ``is_new``, of all time.
        person_of: The person of a part now.
    """
    doubts: dict[int, float] = {}
    for fact in sorted(newcomers, key=lambda each: (each.since, each.part)):
        doubts.setdefault(person_of(fact.part), fact.doubt)
    return doubts


def visitors_of(facts: Iterable[Fact], person_of: Callable[[TrackPart], int], newness: Mapping[int, float]) -> Visitors:
    """Return how many different people the facts about cameras show, with a 95 % interval for match errors.

    People whom no camera shows, or whom the detector misses everywhere, are outside of it.

    Args:
        facts: Of the interval of time that is counted.
        person_of: The person of a part now.
        newness: See ``newness_of``; people who are not in it were split off others.
    """
    first: dict[TrackId, Fact] = {}
    for fact in facts:
        if fact.kind is FactKind.CAMERA:
            known = first.get(fact.part.track_id)
            if known is None or fact.part.part < known.part.part:
                first[fact.part.track_id] = fact
    tracks: dict[int, list[Fact]] = {}
    for fact in sorted(first.values(), key=lambda each: (each.since, each.part)):
        if (person_id := person_of(fact.part)) != NOBODY:
            tracks.setdefault(person_id, []).append(fact)
    fewer = [newness.get(person_id, UNDECIDED) for person_id in tracks]
    more = [fact.doubt for of_one in tracks.values() for fact in of_one[1:]]
    people = len(tracks)
    return Visitors(people, max(min(people, 1), people - quantile(fewer, COVERAGE)), people + quantile(more, COVERAGE))


def quantile(probabilities: Sequence[float], level: float) -> int:
    """Return the least number of successes that is not exceeded with probability ``level`` (Poisson binomial).

    Above a thousand trials a normal distribution stands for it.

    Example:
        >>> quantile([0.5, 0.5], 0.95), quantile([], 0.95), quantile([0.01], 0.95)
        (2, 0, 0)
    """
    chances = np.array(probabilities, np.float64)
    if len(chances) > 1000:
        mean, variance = float(chances.sum()), float((chances * (1 - chances)).sum())
        return max(0, min(len(chances), math.ceil(mean + 1.645 * math.sqrt(variance))))
    exactly = np.array([1.0])
    for chance in chances:
        exactly = np.convolve(exactly, [1 - chance, chance])
    return int(np.searchsorted(np.cumsum(exactly), level - 1e-12))
