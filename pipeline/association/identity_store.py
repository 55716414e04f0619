"""The people who are known, their track segments, and the gallery kept in step with them."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from math import inf

from pipeline.association.adaptation.projection import IDENTITY, Projection
from pipeline.association.last_seen import LastSeen
from pipeline.association.people_before import PeopleBefore, people_before
from pipeline.association.person import Person
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Embedding, Gallery, TrackId, TrackPart
from pipeline.core.distance import check_same_space
from pipeline.core.errors import ShapeError
from pipeline.core.person_numbers import PersonNumbers
from pipeline.core.plugin_contract import blaming
from pipeline.core.serialisation import deserialise, serialise

SILENT_S = 60.0
"""Seconds of its camera's time after which a track without a new part has ended. Its last part may never have come: it
was too poor to be embedded. Longer: more segments are kept apart from those that are settled.
"""
MAX_UNDOS = 1000
"""Correction commands that can be undone exactly, the newest. A larger number makes snapshots larger."""


@dataclass(frozen=True, slots=True)
class _State:
    """An identity store as plain values: each segment once, named by its index; dictionaries as ordered lists."""

    segments: list[TrackSegment]
    people: list[tuple[int, list[int]]]
    open: list[tuple[TrackId, int, int]]
    enrolled: list[int]
    next_person_id: int
    next_link: int
    space: str | None
    pending: dict[int, int]
    before: dict[int, PeopleBefore] = field(default_factory=dict)
    length: int | None = None
    touched: dict[int, float | None] | None = None


class IdentityStore:
    """The known people. The gallery always holds what the track segments of a person come to.

    Args:
        gallery: Finds people by appearance.
        max_prototypes: Vectors that the gallery keeps of each person.

    Attributes:
        people: By number.
        open: By track that may go on: its current segment, and the number of the person.
        enrolled: Numbers of people who are never forgotten.
        pending: Pending matches: by provisional number, the earlier person it may turn out to be.
        before: By number of a correction command, what it changed; of the newest ``MAX_UNDOS``.
        projection: How embeddings are read.
        touched: People whose segments changed since they were re-clustered last, in the order in which they changed
            first. By number, the event time of that, Unix seconds; None until re-clustering has noted it.
    """

    def __init__(self, gallery: Gallery, *, max_prototypes: int) -> None:
        self.people: dict[int, Person] = {}
        self.open: dict[TrackId, tuple[TrackSegment, int]] = {}
        self.enrolled: set[int] = set()
        self.pending: dict[int, int] = {}
        self.before: dict[int, PeopleBefore] = {}
        self.projection = IDENTITY
        self.touched: dict[int, float | None] = {}
        self._last_seen = LastSeen()
        self._gallery = gallery
        self._max_prototypes = max_prototypes
        self._numbers = PersonNumbers()
        self._next_link = 1
        self._space: str | None = None
        self._length: int | None = None

    @property
    def next_person_id(self) -> int:
        """The number that the next new person gets."""
        return self._numbers.upcoming

    def accept(self, batch: Sequence[Embedding]) -> None:
        """Take the space and the length of vectors from the first embeddings; what is refused changes nothing.

        Raises:
            EmbeddingSpaceError: If an embedding is of another space than those before it.
            ShapeError: If its vector has another length.
        """
        space, length = self._space, self._length
        for embedding in batch:
            space = embedding.space if space is None else space
            length = len(embedding.vector) if length is None else length
            name = f"track {embedding.track_id}, part {embedding.part}"
            check_same_space(space, embedding.space, name)
            if len(embedding.vector) != length:
                raise ShapeError(
                    f"{name}: expected a vector of {length} numbers, as those before it, got {len(embedding.vector)}"
                )
        self._space, self._length = space, length

    def new_person(self) -> Person:
        """Return a person without segments under the next number."""
        return self.add_person(self._numbers.upcoming)

    def add_person(self, person_id: int) -> Person:
        """Return a person without segments under a number that is free."""
        self.reserve(person_id)
        person = self.people[person_id] = Person(person_id, projection=self.projection)
        return person

    def reserve(self, person_id: int) -> None:
        """Never give this number, or a lower one, to a new person."""
        self._numbers.reserve(person_id)

    def new_link(self) -> int:
        """Return a number that no must-link and no cannot-link has."""
        self._next_link += 1
        return self._next_link - 1

    def enrol(self, person: Person) -> None:
        """Add a person who is never forgotten, under the number they have."""
        person.projection = self.projection
        self.people[person.person_id] = person
        self.enrolled.add(person.person_id)
        self.reserve(person.person_id)
        self.put(person)

    def release(self, person: Person) -> None:
        """Let an enrolled person be forgotten like any other."""
        self.enrolled.discard(person.person_id)
        self._last_seen.forget(person.person_id)
        self.put(person)

    def begin(self, person: Person, track_id: TrackId, segment: TrackSegment) -> None:
        """Add a segment to a person; its track may go on."""
        person.segments.append(segment)
        self.open[track_id] = (segment, person.person_id)
        self.put(person)

    def put(self, person: Person) -> None:
        """Update the gallery after the segments of a person changed; re-clustering looks at the person again."""
        self._show(person)
        self.touched.setdefault(person.person_id, None)

    def _show(self, person: Person) -> None:
        """Update the gallery."""
        assert self._space is not None
        person.changed()
        latest = person.appearance.latest
        self._last_seen.see(person.person_id, latest.last.at, latest.camera_id)
        with blaming("gallery", self._gallery):
            self._gallery.put(person.identity(self._space, self._max_prototypes))

    def read_by(self, projection: Projection) -> None:
        """Read all embeddings by another projection, in the gallery too."""
        self.projection = projection
        for person in self.people.values():
            person.projection = projection
            self._show(person)

    def drop(self, person_id: int) -> None:
        """Remove a person."""
        for segment in self.people.pop(person_id).segments:
            for track_id in {part.track_id for part in segment.parts}:
                if track_id in self.open and self.open[track_id][1] == person_id:
                    del self.open[track_id]
        self._last_seen.forget(person_id)
        self.enrolled.discard(person_id)
        self.pending.pop(person_id, None)
        self.touched.pop(person_id, None)
        self._gallery.drop(person_id)

    def move(self, source: Person, target: Person, moved: Iterable[TrackSegment]) -> None:
        """Move segments of one person to another; a person left without segments is dropped."""
        gone = {id(segment): segment for segment in moved}
        source.segments = [segment for segment in source.segments if id(segment) not in gone]
        target.segments += gone.values()
        for track_id, (segment, _) in self.open.items():
            if id(segment) in gone:
                self.open[track_id] = (segment, target.person_id)
        self.put(target)
        if source.segments:
            self.put(source)
        else:
            self.drop(source.person_id)

    def cut(self, person: Person, parts: Set[TrackPart]) -> list[TrackSegment]:
        """Cut the segments of a person so that none holds both these parts and others; return those of these parts."""
        found = []
        for segment in list(person.segments):
            away = parts & set(segment.parts)
            if len(away) == len(segment.parts):
                found.append(segment)
            elif away:
                rest, moved = segment.of_parts(set(segment.parts) - parts), segment.of_parts(away)
                at = next(index for index, one in enumerate(person.segments) if one is segment)
                person.segments[at : at + 1] = [rest, moved]
                for track_id, (opened, person_id) in self.open.items():
                    if opened is segment:
                        self.open[track_id] = (moved if segment.parts[-1] in away else rest, person_id)
                found.append(moved)
        return found

    def remember(self, command: int, person_ids: Sequence[int]) -> None:
        """Keep what a correction command about these people may change, so that it can be undone."""
        people = [self.people[person_id] for person_id in person_ids if person_id in self.people]
        self.before[command] = people_before(people, person_ids, self.enrolled, self.pending)
        while len(self.before) > MAX_UNDOS:
            del self.before[next(iter(self.before))]

    def erase(self, person_id: int) -> None:
        """Remove a person, and all that is kept of them."""
        self.before = {n: kept for n, kept in self.before.items() if person_id not in kept.person_ids}
        if person_id in self.people:
            self.drop(person_id)

    def end(self, track_id: TrackId) -> None:
        """Record that a track does not go on."""
        self.open.pop(track_id, None)

    def recently_in(self, camera_id: str, at: float, within_s: float) -> set[int]:
        """Return the people last seen in a camera, at most ``within_s`` before or after a moment."""
        return self._last_seen.recently_in(camera_id, at, within_s)

    def unsettled(self) -> list[Person]:
        """Return the people seen since re-clustering last settled them, by number."""
        return [self.people[person_id] for person_id in sorted(self._last_seen.unsettled)]

    def going_on(self) -> dict[int, list[TrackSegment]]:
        """End the tracks that went silent while their camera went on; return the segments of the others, by person.

        The clock of each camera counts by itself: it may be far from those of the others.
        """
        newest: dict[str, float] = {}
        for track_id, (segment, _) in self.open.items():
            newest[track_id.camera_id] = max(newest.get(track_id.camera_id, -inf), segment.last.at)
        found: dict[int, list[TrackSegment]] = {}
        for track_id, (segment, person_id) in list(self.open.items()):
            if segment.last.at < newest[track_id.camera_id] - SILENT_S:
                del self.open[track_id]
            else:
                found.setdefault(person_id, []).append(segment)
        return found

    def settle(self, person: Person, before: float, going_on: Sequence[TrackSegment]) -> None:
        """Join the segments of a person that ended before a time, Unix seconds; not those whose track may go on."""
        if person.settle(before, going_on):
            self._show(person)  # the gallery follows the segments
        if person.appearance.latest.last.at < before:
            self._last_seen.unsettled.discard(person.person_id)

    def forget(self, now: float, *, forget_after_s: float, max_identities: int) -> None:
        """Drop the people who were not seen for too long, and the longest unseen above ``max_identities``."""
        while (oldest := self._last_seen.oldest(self.enrolled)) is not None:
            person_id, at = oldest
            if now - at <= forget_after_s and len(self.people) - len(self.enrolled) <= max_identities:
                return
            self.drop(person_id)

    def snapshot(self) -> bytes:
        """Return the whole state."""
        segments: dict[int, TrackSegment] = {}
        for person in self.people.values():
            segments.update((id(segment), segment) for segment in person.segments)
        segments.update((id(segment), segment) for segment, _ in self.open.values())
        index = {key: number for number, key in enumerate(segments)}
        return serialise(
            _State(
                list(segments.values()),
                [(p.person_id, [index[id(segment)] for segment in p.segments]) for p in self.people.values()],
                [(track_id, index[id(segment)], who) for track_id, (segment, who) in self.open.items()],
                sorted(self.enrolled),
                self._numbers.upcoming,
                self._next_link,
                self._space,
                self.pending,
                self.before,
                self._length,
                self.touched,
            )
        )

    def restore(self, state: bytes) -> None:
        """Take over the state of another store, in the gallery too. Raises ``WireFormatError`` as ``Stateful``."""
        loaded = deserialise(state, _State)
        for person_id in self.people:
            self._gallery.drop(person_id)
        self.open = {track_id: (loaded.segments[i], who) for track_id, i, who in loaded.open}
        self.enrolled = set(loaded.enrolled)
        self._numbers, self._next_link = PersonNumbers(loaded.next_person_id), loaded.next_link
        self._space, self._length, self._last_seen = loaded.space, loaded.length, LastSeen()
        if self._length is None and loaded.segments:  # a snapshot of an earlier version
            self._length = len(loaded.segments[0].vector_sum)
        self.pending, self.before = loaded.pending, loaded.before
        self.people = {
            who: Person(who, _of(loaded.segments, indices), self.projection) for who, indices in loaded.people
        }
        for person in self.people.values():
            self.put(person)
        if loaded.touched is not None:  # else a snapshot of an earlier version
            self.touched = loaded.touched


def _of(segments: Sequence[TrackSegment], indices: Sequence[int]) -> list[TrackSegment]:
    return [segments[index] for index in indices]
