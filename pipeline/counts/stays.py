"""Stays: who was in a place from when to when, as the facts of all cameras and tracks together say."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.core import TrackPart
from pipeline.counts.facts import MAX_GAP_S, Fact, FactKind
from pipeline.ledger import NOBODY


@dataclass(frozen=True, slots=True, order=True)
class Stay:
    """One person in one place.

    Attributes:
        since: Unix seconds.
        until: Unix seconds.
        place: Name of the camera or zone.
        person_id: The person.
    """

    since: float
    until: float
    place: str
    person_id: int

    @property
    def dwell_s(self) -> float:
        """Seconds from the first to the last moment."""
        return self.until - self.since


def stays_of(facts: Iterable[Fact], kind: FactKind, person_of: Callable[[TrackPart], int]) -> list[Stay]:
    """Return the stays in cameras or zones, in order of time; an absence of up to ``MAX_GAP_S`` ends none.

    Several tracks of a person at once, from one camera or several, are one stay.
    """
    spans: defaultdict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for fact in facts:
        if fact.kind is kind and (person_id := person_of(fact.part)) != NOBODY:
            spans[fact.place, person_id].append((fact.since, fact.until))
    found = []
    for (place, person_id), of_one in spans.items():
        ordered = sorted(of_one)
        since, until = ordered[0]
        for start, end in ordered[1:]:
            if start - until > MAX_GAP_S:
                found.append(Stay(since, until, place, person_id))
                since, until = start, end
            until = max(until, end)
        found.append(Stay(since, until, place, person_id))
    return sorted(found)
