"""People after all corrections, folded from the events."""

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Correction, CorrectionKind, Listing, TrackPart
from pipeline.core.person_numbers import PersonNumbers
from pipeline.core.records.moves import listings_after, names_after, parts_after
from pipeline.ledger.events import Event
from pipeline.ledger.final_tracks import NOBODY, FinalTracks

MIN_TOGETHER_S = 0.3
"""Seconds for which two people must be seen at once before a merge asks; as ``constraints.MIN_SEPARATED_S``.

Larger: a merge of two people who only met asks less often.
"""


@dataclass(frozen=True, slots=True)
class Person:
    """One person, all corrections applied.

    Attributes:
        person_id: The number.
        name: The name an operator gave; empty if there is none.
        num_sightings: Parts of tracks that show them.
        first_seen_at: Unix seconds.
        last_seen_at: Unix seconds.
        camera_ids: Where they were seen, sorted.
    """

    person_id: int
    name: str
    num_sightings: int
    first_seen_at: float
    last_seen_at: float
    camera_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A correction that an operator's command led to.

    Attributes:
        correction: The correction.
        event: Number of its event.
        names: What people were called before whose name it changed, as (person, name); an empty name is none.
        listings: How people were listed before whose listing it changed, as (person, listing).
        enrolled: The enrolled pictures that a merge moved.
    """

    correction: Correction
    event: int
    names: tuple[tuple[int, str], ...]
    listings: tuple[tuple[int, Listing], ...] = ()
    enrolled: tuple[TrackPart, ...] = ()

    @property
    def can_be_undone(self) -> bool:
        """Whether it can be undone: neither erased people nor enrolled pictures come back."""
        made = self.correction
        return made.kind is not CorrectionKind.ERASED and not (made.kind is CorrectionKind.NAMED and made.parts)


class People:
    """Folds events, in order, into identities. Memory is about 150 bytes a sighting.

    Attributes:
        tracks: The person of each part of a track.
        last_event: Number of the last event folded in; 0 before the first.
        numbers: The numbers that people have had, and the next one.
        last_at: Unix seconds of the newest event.
        done: Corrections by the number of their command, oldest first; without those that were undone.
        names: What people are called who are on the watch-list, by number.
        listings: How they are on it; without those who are on it for good, as urgent as the rule.
        enrolled: Whom enrolled pictures show, by the part of a track that stands for them.
    """

    def __init__(self) -> None:
        self.tracks = FinalTracks()
        self.last_event = 0
        self.numbers = PersonNumbers()
        self.last_at = 0.0
        self.done: dict[int, Done] = {}
        self.names: dict[int, str] = {}
        self.listings: dict[int, Listing] = {}
        self.enrolled: dict[TrackPart, int] = {}
        self._cameras: dict[str, int] = {}
        # By slot of ``FinalTracks``.
        self._event_of = array("q")
        self._camera_of = array("i")
        self._first_at = array("d")
        self._last_at = array("d")

    def fold(self, events: Iterable[Event]) -> None:
        """Fold in the next events; alerts change nothing."""
        for event in events:
            self.last_event, self.last_at = event.number, max(self.last_at, event.at)
            if event.is_erased:
                continue
            if event.kind == "sighting":
                self._see(event)
            elif event.kind == "correction":
                self._correct(event)

    def person_of(self, part: TrackPart) -> int:
        """Return the person of a part; ``NOBODY`` if it was erased or never seen."""
        return self.tracks.person_of(part)

    def is_known(self, person_id: int) -> bool:
        """Return whether a person of this number was seen or named, and is neither erased nor absorbed."""
        return person_id in self.names or self.num_parts(person_id) > 0

    def num_parts(self, person_id: int) -> int:
        """Return how many parts of tracks show a person now."""
        return int(np.count_nonzero(self.tracks.finals().person_ids == person_id))

    def persons(self, cameras: Collection[str] | None = None) -> list[Person]:
        """Return each person who was seen, by number.

        Args:
            cameras: Count only what these saw; None for all.
        """
        person_ids = self.tracks.finals().person_ids
        if cameras is not None:
            person_ids = np.where(self._is_of(cameras), person_ids, NOBODY)
        by_person = np.argsort(person_ids, kind="stable")
        by_person = by_person[np.searchsorted(person_ids[by_person], NOBODY, side="right") :]
        if not len(by_person):
            return []
        starts = np.flatnonzero(np.diff(person_ids[by_person], prepend=NOBODY))
        first_at = np.minimum.reduceat(np.array(self._first_at)[by_person], starts).tolist()
        last_at = np.maximum.reduceat(np.array(self._last_at)[by_person], starts).tolist()
        counts = np.diff(starts, append=len(by_person)).tolist()
        cameras = np.array(self._camera_of)[by_person]
        seen_in: list[list[str]] = [[] for _ in counts]
        for name, camera in sorted(self._cameras.items()):
            for index in np.flatnonzero(np.logical_or.reduceat(cameras == camera, starts)).tolist():
                seen_in[index].append(name)
        numbers = person_ids[by_person[starts]].tolist()
        return [
            Person(number, self.names.get(number, ""), count, first, last, tuple(names))
            for number, count, first, last, names in zip(numbers, counts, first_at, last_at, seen_in, strict=True)
        ]

    def parts_of(self, person_id: int) -> list[TrackPart]:
        """Return which parts of tracks show a person now."""
        return self.tracks.parts_of(person_id)

    def enrolled_of(self, person_id: int) -> tuple[TrackPart, ...]:
        """Return the parts of tracks that stand for the enrolled pictures of a person."""
        return tuple(part for part, owner in self.enrolled.items() if owner == person_id)

    def newest_parts_of(self, person_ids: Collection[int], num: int) -> dict[int, list[TrackPart]]:
        """Return the newest parts of tracks that show each of some people now, at most ``num`` each, newest first."""
        of_slot = self.tracks.finals().person_ids
        slots = np.flatnonzero(np.isin(of_slot, list(person_ids)))
        slots = slots[np.argsort(of_slot[slots], kind="stable")]
        numbers, starts, counts = np.unique(of_slot[slots], return_index=True, return_counts=True)
        return {
            person_id: self.tracks.parts_at(slots[start : start + count][::-1][:num].tolist())
            for person_id, start, count in zip(numbers.tolist(), starts.tolist(), counts.tolist(), strict=True)
        }

    def seen(
        self, cameras: Collection[str] | None = None, since: float | None = None, until: float | None = None
    ) -> set[int]:
        """Return who was seen by one of some cameras at some time.

        Args:
            cameras: Names; None for all.
            since: Unix seconds; None for the beginning.
            until: Unix seconds; None for now.
        """
        person_ids = self.tracks.finals().person_ids
        is_there = person_ids != NOBODY
        if cameras is not None:
            is_there &= self._is_of(cameras)
        if since is not None:
            is_there &= np.array(self._last_at) >= since
        if until is not None:
            is_there &= np.array(self._first_at) <= until
        return set(np.unique(person_ids[is_there]).tolist())

    def _is_of(self, cameras: Collection[str]) -> NDArray[np.bool_]:
        """Return for each part of a track whether one of some cameras saw it."""
        wanted = [number for name, number in self._cameras.items() if name in cameras]
        return np.isin(np.array(self._camera_of), wanted)

    def transits(self, *, longest_s: float, num_newest: int) -> dict[tuple[str, str], NDArray[np.float64]]:
        """Return how long people took from one camera to another, seconds, by (from, to).

        Args:
            longest_s: Longest gap that counts, seconds.
            num_newest: Newest parts of tracks that are looked at.
        """
        newest = slice(max(0, len(self._first_at) - num_newest), None)
        person_ids = self.tracks.finals().person_ids[newest]
        first_at, last_at = np.array(self._first_at)[newest], np.array(self._last_at)[newest]
        cameras = np.array(self._camera_of)[newest]
        order = np.lexsort((first_at, person_ids))
        before, after = order[:-1], order[1:]
        gap_s = first_at[after] - last_at[before]
        is_one = (person_ids[before] == person_ids[after]) & (person_ids[before] != NOBODY)
        is_transit = is_one & (cameras[before] != cameras[after]) & (gap_s >= 0) & (gap_s <= longest_s)
        names = list(self._cameras)
        pairs = cameras[before] * len(names) + cameras[after]
        return {
            (names[pair // len(names)], names[pair % len(names)]): gap_s[is_transit & (pairs == pair)]
            for pair in np.unique(pairs[is_transit]).tolist()
        }

    def seen_together(self, one: int, two: int) -> list[tuple[str, str, float, float]]:
        """Return when two people were seen at the same time, which makes it likely that they are two.

        Times in two cameras count only if no single person was ever seen in both at once: these show different places.

        Returns:
            Camera of the first, camera of the second, and Unix seconds from when until when.
        """
        person_ids = self.tracks.finals().person_ids
        cameras, first_at, last_at = np.array(self._camera_of), np.array(self._first_at), np.array(self._last_at)
        mine, theirs = np.flatnonzero(person_ids == one), np.flatnonzero(person_ids == two)
        began = np.maximum(first_at[mine][:, None], first_at[theirs])
        ended = np.minimum(last_at[mine][:, None], last_at[theirs])
        names = list(self._cameras)
        found = []
        for row, column in np.argwhere(ended - began >= MIN_TOGETHER_S).tolist():
            pair = int(cameras[mine[row]]), int(cameras[theirs[column]])
            if pair[0] == pair[1] or not self._is_shared(*pair):
                found.append((names[pair[0]], names[pair[1]], float(began[row, column]), float(ended[row, column])))
        return found

    def _is_shared(self, one: int, two: int) -> bool:
        """Return whether a single person was ever seen in two cameras at once: then both show the same place."""
        person_ids = self.tracks.finals().person_ids
        cameras, first_at, last_at = np.array(self._camera_of), np.array(self._first_at), np.array(self._last_at)
        in_one, in_two = np.flatnonzero(cameras == one), np.flatnonzero(cameras == two)
        for person_id in np.intersect1d(person_ids[in_one], person_ids[in_two]):
            if person_id == NOBODY:
                continue
            a, b = in_one[person_ids[in_one] == person_id], in_two[person_ids[in_two] == person_id]
            began = np.maximum(first_at[a][:, None], first_at[b])
            ended = np.minimum(last_at[a][:, None], last_at[b])
            if np.any(ended - began >= MIN_TOGETHER_S):
                return True
        return False

    def events_of(self, person_id: int) -> list[int]:
        """Return the numbers of the sightings that now show a person, in order."""
        if person_id == NOBODY:
            return []
        slots = np.flatnonzero(self.tracks.finals().person_ids == person_id)
        return sorted(self._event_of[slot] for slot in slots.tolist())

    def _see(self, event: Event) -> None:
        assert event.part is not None
        assert event.person_id is not None
        self.numbers.reserve(event.person_id)
        slot, is_first = self.tracks.see(event.part, event.person_id)
        if not is_first:
            self._event_of[slot] = event.number
            return
        self._event_of.append(event.number)
        self._camera_of.append(self._cameras.setdefault(event.part.track_id.camera_id, len(self._cameras)))
        self._first_at.append(event.first_at)
        self._last_at.append(event.at)

    def _correct(self, event: Event) -> None:
        correction = event.correction()
        self.numbers.reserve(*correction.person_ids)
        if correction.kind is CorrectionKind.UNDONE:
            self.done.pop(correction.undoes, None)
        elif correction.command:
            after, listed = names_after(self.names, correction), listings_after(self.listings, correction)
            people, none = correction.person_ids, Listing()
            names = [(each, self.names.get(each, ""), after.get(each, "")) for each in people]
            listings = [(each, self.listings.get(each, none), listed.get(each, none)) for each in people]
            self.done[correction.command] = Done(
                correction,
                event.number,
                tuple((person_id, old) for person_id, old, new in names if old != new),
                tuple((person_id, old) for person_id, old, new in listings if old != new),
                tuple(part for part, person_id in self.enrolled.items() if person_id in people[1:]),
            )
        self.tracks.correct(correction)
        self.names = names_after(self.names, correction)
        self.listings = listings_after(self.listings, correction)
        self.enrolled = parts_after(self.enrolled, correction)
