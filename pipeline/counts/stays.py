"""Stays: who was in a place from when to when, as the facts of all cameras and tracks together say."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipeline.core import TrackPart
from pipeline.counts.facts import MAX_GAP_S, Fact, FactKind
from pipeline.ledger import NOBODY

Span = tuple[float, float]
"""From when to when, Unix seconds."""


@dataclass(frozen=True, slots=True, order=True)
class Stay:
    """One person in one place.

    Attributes:
        since: Unix seconds.
        until: Unix seconds.
        place: Name of the camera or zone.
        person_id: The person.
        came: Whether the person came at ``since``; False: was there when the zone's schedule began.
        left: Whether the person left at ``until``; False: was there when it ended.
    """

    since: float
    until: float
    place: str
    person_id: int
    came: bool = True
    left: bool = True

    @property
    def dwell_s(self) -> float:
        """Seconds from the first to the last moment."""
        return self.until - self.since


def stays_of(facts: Iterable[Fact], kind: FactKind, person_of: Callable[[TrackPart], int]) -> list[Stay]:
    """Return the stays in cameras or zones, in order of time; an absence of up to ``MAX_GAP_S`` ends none.

    Several tracks of a person at once, from one camera or several, are one stay. A stay is cut where the schedule of a
    zone begins or ends.
    """
    spans: defaultdict[tuple[str, int], list[Span]] = defaultdict(list)
    closed: defaultdict[tuple[str, int], list[Span]] = defaultdict(list)
    for fact in facts:
        if fact.kind in (kind, FactKind.CLOSED) and (person_id := person_of(fact.part)) != NOBODY:
            (spans if fact.kind is kind else closed)[fact.place, person_id].append((fact.since, fact.until))
    found = []
    for subject, of_one in spans.items():
        around = closed[subject] if kind is FactKind.ZONE else []
        for since, until in _joined(of_one):
            came = not any(since - MAX_GAP_S <= end < since for _, end in around)
            left = not any(until < start <= until + MAX_GAP_S for start, _ in around)
            found.append(Stay(since, until, *subject, came, left))
    return sorted(found)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans without those absences that end no stay, in order of time."""
    (since, until), *others = sorted(spans)
    for start, end in others:
        if start - until > MAX_GAP_S:
            yield since, until
            since, until = start, end
        until = max(until, end)
    yield since, until
