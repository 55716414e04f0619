"""People after all corrections, folded from the events."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.core import TrackPart
from pipeline.core.moves import names_after
from pipeline.core.person_numbers import PersonNumbers
from pipeline.ledger.events import Event
from pipeline.ledger.final_tracks import NOBODY, FinalTracks


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


class People:
    """Folds events, in order, into identities. Memory is about 150 bytes a sighting.

    Attributes:
        tracks: The person of each part of a track.
        last_event: Number of the last event folded in; 0 before the first.
        numbers: The numbers that people have had, and the next one.
        last_at: Unix seconds of the newest event.
    """

    def __init__(self) -> None:
        self.tracks = FinalTracks()
        self.last_event = 0
        self.numbers = PersonNumbers()
        self.last_at = 0.0
        self._names: dict[int, str] = {}
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
        return person_id in self._names or self.num_parts(person_id) > 0

    def num_parts(self, person_id: int) -> int:
        """Return how many parts of tracks show a person now."""
        return int(np.count_nonzero(self.tracks.finals().person_ids == person_id))

    def persons(self) -> list[Person]:
        """Return each person who was seen, by number."""
        person_ids = self.tracks.finals().person_ids
        by_person = np.argsort(person_ids, kind="stable")
        first_at, last_at = np.array(self._first_at), np.array(self._last_at)
        cameras = np.array(self._camera_of)
        names = list(self._cameras)
        starts = np.flatnonzero(np.diff(person_ids[by_person], prepend=NOBODY - 1))
        found = []
        for slots in np.split(by_person, starts[1:]) if len(by_person) else []:
            person_id = int(person_ids[slots[0]])
            if person_id != NOBODY:
                found.append(
                    Person(
                        person_id,
                        self._names.get(person_id, ""),
                        len(slots),
                        float(first_at[slots].min()),
                        float(last_at[slots].max()),
                        tuple(sorted(names[camera] for camera in np.unique(cameras[slots]))),
                    )
                )
        return found

    def parts_of(self, person_id: int) -> list[TrackPart]:
        """Return which parts of tracks show a person now."""
        return self.tracks.parts_of(person_id)

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
        first = event.body["first"]
        assert isinstance(first, list)
        self._event_of.append(event.number)
        self._camera_of.append(self._cameras.setdefault(event.part.track_id.camera_id, len(self._cameras)))
        self._first_at.append(float(first[1]))
        self._last_at.append(event.at)

    def _correct(self, event: Event) -> None:
        correction = event.correction()
        self.numbers.reserve(*correction.person_ids)
        self.tracks.correct(correction)
        self._names = names_after(self._names, correction)
