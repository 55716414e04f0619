"""Who is where: the presences of people in the places of a rule, by person and place, through all corrections."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.dwell import Dwell, Interval, dwells_of
from pipeline.core import Correction, Sighting, TrackPart
from pipeline.core.records.moves import Move, moves_of
from pipeline.core.serialisation import deserialise, serialise

MAX_INTERVALS = 64
"""Intervals kept per person and place. Chosen to bound memory. The oldest are joined into one where no absence
separates them, else forgotten; a larger value lets corrections reach further back."""

Place = str
Subject = tuple[Place, int]
"""A place and a person."""


@dataclass(frozen=True, slots=True)
class Presence:
    """The presence of one person in one place.

    Attributes:
        place: Zone or camera.
        person_id: The person.
        dwell: From when to when, and what shows it.
        is_over: Whether it was reported as over: only a correction or a late part of a track can change it.
    """

    place: Place
    person_id: int
    dwell: Dwell
    is_over: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """Intervals of one person in one place, sorted, and until when their dwells were reported as over."""

    intervals: tuple[Interval, ...]
    reported_until: float


class Presences:
    """The presences of people in places, as sightings, time and corrections change them.

    Args:
        max_absence_s: Seconds of absence that do not end a dwell.
        forget_after_s: Seconds after which a person who is not seen in a place any more is forgotten.
    """

    def __init__(self, *, max_absence_s: float, forget_after_s: float) -> None:
        self._max_absence_s = max_absence_s
        self._forget_after_s = forget_after_s
        self._entries: dict[Subject, _Entry] = {}
        self._lasting: dict[Subject, None] = {}
        self._forgotten_until = -inf

    def see(self, place: Place, sighting: Sighting, times: NDArray[np.float64]) -> list[Presence]:
        """Add the moments at which a sighting shows its person in a place, and return the presences they belong to.

        Args:
            place: The place.
            sighting: A part of a track.
            times: Shape ``(N,)``, Unix seconds, ascending.
        """
        if not len(times):
            return []
        part = TrackPart(sighting.track_id, sighting.part)
        cuts = np.flatnonzero(np.diff(times) > self._max_absence_s) + 1
        added = [Interval(float(run[0]), float(run[-1]), part) for run in np.split(times, cuts)]
        subject = place, sighting.person_id
        before = self._entries.get(subject)
        self._keep(subject, [*(before.intervals if before else ()), *added], before.reported_until if before else -inf)
        first = added[0].since
        return [Presence(*subject, dwell, False) for dwell in self._dwells(subject) if dwell.until >= first]

    def over(self, now: float) -> Iterator[Presence]:
        """Yield the presences that are over and were not yielded before, and forget old ones; see ``RuleClock``."""
        for subject in list(self._lasting):
            dwells, reported_until = self._dwells(subject), self._entries[subject].reported_until
            over = [dwell for dwell in dwells if dwell.until < now - self._max_absence_s]
            for dwell in over:
                if dwell.until > reported_until:
                    yield Presence(*subject, dwell, True)
            if over:
                self._entries[subject] = replace(self._entries[subject], reported_until=over[-1].until)
            if len(over) == len(dwells):
                del self._lasting[subject]
        # In the order of their newest moment, apart from late ones.
        while self._entries:
            first = next(iter(self._entries))
            if first in self._lasting or self._entries[first].intervals[-1].until >= now - self._forget_after_s:
                break
            self._forgotten_until = max(self._forgotten_until, self._entries[first].intervals[-1].until)
            del self._entries[first]

    def corrected(self, correction: Correction) -> list[Presence]:
        """Give presences to the people they show now, and return all known ones of the people it concerns."""
        for move in moves_of(correction):
            for subject in [subject for subject in self._entries if subject[1] == move.source]:
                self._move(subject, move)
        return [
            Presence(*subject, dwell, dwell.until <= entry.reported_until)
            for subject, entry in self._entries.items()
            if subject[1] in correction.person_ids
            for dwell in self._dwells(subject)
        ]

    def at(self, place: Place, person_id: int) -> list[Dwell]:
        """Return the known dwells of a person in a place, in order of time."""
        return self._dwells((place, person_id))

    def knows(self, at: float) -> bool:
        """Return whether nothing was forgotten that happened at this time, Unix seconds, or later."""
        return at > self._forgotten_until

    def lasting(self, place: Place) -> list[tuple[int, Dwell]]:
        """Return the people who are in a place, each with the latest dwell there."""
        return [
            (person_id, self._dwells((where, person_id))[-1]) for where, person_id in self._lasting if where == place
        ]

    def dwells_in(self, place: Place) -> list[Dwell]:
        """Return all known dwells in a place, in order of time."""
        found = [dwell for subject in self._entries if subject[0] == place for dwell in self._dwells(subject)]
        return sorted(found, key=lambda dwell: (dwell.since, dwell.until, dwell.tracks))

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise((list(self._entries.items()), list(self._lasting), self._forgotten_until))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        entries, lasting, self._forgotten_until = deserialise(
            state, tuple[list[tuple[Subject, _Entry]], list[Subject], float]
        )
        self._entries, self._lasting = dict(entries), dict.fromkeys(lasting)

    def _move(self, subject: Subject, move: Move) -> None:
        place, person_id = subject
        entry = self._entries[subject]
        moved = [interval for interval in entry.intervals if move.takes(interval.part, person_id)]
        if not moved:
            return
        rest = [interval for interval in entry.intervals if interval not in moved]
        self._keep(subject, rest, -inf)
        if move.target is not None:
            other = self._entries.get((place, move.target))
            self._keep((place, move.target), [*moved, *(other.intervals if other else ())], -inf)

    def _keep(self, subject: Subject, intervals: Sequence[Interval], reported_until: float) -> None:
        self._entries.pop(subject, None)
        if not intervals:
            self._lasting.pop(subject, None)
            return
        kept = sorted(intervals)
        while len(kept) > MAX_INTERVALS:
            oldest, second = kept[:2]
            is_one = second.since - oldest.until <= self._max_absence_s
            kept[:2] = [replace(oldest, until=max(oldest.until, second.until))] if is_one else [second]
            self._forgotten_until = self._forgotten_until if is_one else max(self._forgotten_until, oldest.until)
        self._entries[subject] = _Entry(tuple(kept), reported_until)
        self._lasting[subject] = None

    def _dwells(self, subject: Subject) -> list[Dwell]:
        entry = self._entries.get(subject)
        return [] if entry is None else dwells_of(entry.intervals, max_absence_s=self._max_absence_s)
