"""Counts of an interval of time, as rows for files, tables and metrics."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Generic, TypeVar

import numpy as np

from pipeline.core import TrackPart
from pipeline.counts.facts import Fact, FactKind
from pipeline.counts.stays import Stay, stays_of
from pipeline.counts.visitors import visitors_of
from pipeline.ledger import NOBODY

Row = dict[str, object]
"""One count. All rows have ``schema``, ``event``, ``kind``, ``since`` and ``until`` in Unix seconds."""

SCHEMA = 1

PLACES = {"zone": (FactKind.ZONE, "zone_flow"), "camera": (FactKind.CAMERA, "flow")}
"""By kind of row about a place: the kind of its facts, and the kind of row about the ways between such places."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Way:
    """A person went from one place to another.

    Attributes:
        at: Unix seconds of the arrival.
        start: The place before.
        end: The place.
        took_s: Seconds between the two, at least 0.
    """

    at: float
    start: str
    end: str
    took_s: float


def rows_of(
    facts: Sequence[Fact], person_of: Callable[[TrackPart], int], newness: Mapping[int, float], *, every_s: float
) -> list[Row]:
    """Return the counts of each interval of ``every_s`` seconds that has facts, in order of time.

    Args:
        facts: In any order.
        person_of: The person of a part now; ``NOBODY`` if it was erased.
        newness: See ``visitors.newness_of``.
        every_s: Length of an interval, seconds; intervals begin at its multiples.
    """
    people, crossings = Intervals[Fact](every_s), Intervals[Fact](every_s)
    for fact in facts:
        if person_of(fact.part) != NOBODY:
            people.add(fact.since, fact.until, fact)
            if fact.kind is FactKind.LINE:
                crossings.add(fact.since, fact.since, fact)
    stays = {kind: Intervals[Stay](every_s) for kind in PLACES}
    ways = {kind: Intervals[Way](every_s) for kind in PLACES}
    for kind, (fact_kind, _) in PLACES.items():
        found = stays_of(facts, fact_kind, person_of)
        for stay in found:
            stays[kind].add(stay.since, stay.until, stay)
        for way in _ways(found):
            ways[kind].add(way.at, way.at, way)
    # Nobody can be seen before the recordings begin, or after their end.
    began = min((fact.since for fact in facts), default=0.0)
    ended = max((fact.until for fact in facts), default=0.0)
    rows: list[Row] = []
    for number in people.numbers():
        since, until = number * every_s, (number + 1) * every_s
        watched_s = min(until, ended) - max(since, began)
        about = {"schema": SCHEMA, "event": "count", "since": since, "until": until}
        directions = Counter((fact.place, fact.direction) for fact in crossings.of(number))
        for place in sorted({place for place, _ in directions}):
            passed = {"left_to_right": directions[place, 1], "right_to_left": directions[place, -1]}
            rows.append({**about, "kind": "line", "place": place, **passed})
        for kind, (_, flow) in PLACES.items():
            for place, here in _grouped(stays[kind].of(number), lambda stay: stay.place):
                rows.append({**about, "kind": kind, "place": place, **_occupancy(here, since, until, watched_s)})
            for (start, end), among in _grouped(ways[kind].of(number), lambda way: (way.start, way.end)):
                took = {"num": len(among), "p50_s": _share([way.took_s for way in among], 0.5)}
                rows.append({**about, "kind": flow, "place": start, "to": end, **took})
        visitors = visitors_of(people.of(number), person_of, newness)
        bounds = {"people": visitors.people, "low": visitors.low, "high": visitors.high}
        rows.append({**about, "kind": "visitors", "place": "", **bounds})
    return rows


class Intervals(Generic[Item]):
    """Puts things into all intervals that they reach into.

    Args:
        every_s: Length of an interval, seconds.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._found: dict[int, list[Item]] = {}

    def add(self, since: float, until: float, item: Item) -> None:
        """Put a thing from ``since`` to ``until``, Unix seconds."""
        for number in range(floor(since / self._every_s), floor(until / self._every_s) + 1):
            self._found.setdefault(number, []).append(item)

    def numbers(self) -> list[int]:
        """Return the intervals that hold something, in order of time."""
        return sorted(self._found)

    def of(self, number: int) -> Sequence[Item]:
        """Return the things of an interval, in the order in which they were put."""
        return self._found.get(number, ())


def _occupancy(here: Sequence[Stay], since: float, until: float, watched_s: float) -> Row:
    """Return occupancy and dwell of one place. For a zone over a queue they are its length and the waiting time."""
    steps = [(max(stay.since, since), 1) for stay in here] + [(min(stay.until, until), -1) for stay in here]
    most = level = 0
    for _, step in sorted(steps, key=lambda each: (each[0], -each[1])):
        level += step
        most = max(most, level)
    present_s = sum(min(stay.until, until) - max(stay.since, since) for stay in here)
    ended = [stay.dwell_s for stay in here if stay.left and stay.until < until]
    return {
        "entered": sum(stay.came and stay.since >= since for stay in here),
        "left": len(ended),
        "people": len({stay.person_id for stay in here}),
        "most": most,
        "mean": round(present_s / watched_s, 3) if watched_s > 0 else 0.0,
        "dwell_p50_s": _share(ended, 0.5),
        "dwell_p95_s": _share(ended, 0.95),
    }


def _ways(stays: Sequence[Stay]) -> Iterator[Way]:
    """Yield how people went from place to place. Places that overlap follow each other by their first moments.

    Nobody went from or to a place whose schedule ended or began while the person was there.
    """
    latest: dict[int, Stay] = {}
    for stay in stays:
        before = latest.get(stay.person_id)
        if before is not None and before.place != stay.place and before.left and stay.came:
            yield Way(stay.since, before.place, stay.place, max(0.0, stay.since - before.until))
        latest[stay.person_id] = stay


def _grouped(items: Sequence[Item], key: Callable[[Item], Any]) -> Iterator[tuple[Any, list[Item]]]:
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    yield from sorted(groups.items())


def _share(values: Sequence[float], share: float) -> float | None:
    """Return a quantile; None if there are no values."""
    return round(float(np.quantile(np.array(values), share)), 3) if values else None
