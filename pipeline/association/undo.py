"""How a correction command is undone in the identity store."""

from collections.abc import Iterable

from pipeline.association.identity_store import IdentityStore
from pipeline.association.people_before import SegmentBefore
from pipeline.association.person import Person
from pipeline.association.track_segment import ENROLLED_WEIGHT, TrackSegment
from pipeline.core import Correction, TrackPart


def undo(correction: Correction, store: IdentityStore) -> None:
    """Make the command that a correction undoes as if it had never been given.

    The ledger says which parts go back to whom. Segments that went on since keep what they learned. People who are
    forgotten here, but not in the ledger, are no error.
    """
    before = store.before.pop(correction.undoes, None)
    _give_back(correction, store)
    if before is None:
        return
    of_part = {part: segment for segment in before.segments for part in segment.parts}
    people = _people_with(of_part, store)
    for person in people:
        _join(person, of_part, store)
        for segment in person.segments:
            was = next((of_part[part] for part in segment.parts if part in of_part), None)
            if was is not None:
                _restore(segment, was)
    enrolled = set(before.enrolled)
    store.enrolled = (store.enrolled - set(before.person_ids)) | {one for one in enrolled if one in store.people}
    for one, other in before.pending.items():
        if one in store.people and other in store.people:
            store.pending[one] = other
    for person in people:
        store.put(person)


def _give_back(correction: Correction, store: IdentityStore) -> None:
    """Move the parts of a correction to their person of before."""
    if not correction.parts or len(correction.person_ids) < 2:
        return
    target_id = correction.person_ids[1]
    parts = frozenset(correction.parts)
    for source in [person for person in store.people.values() if person.person_id != target_id]:
        moved = store.cut(source, parts)
        if moved:
            target = store.people.get(target_id) or store.add_person(target_id)
            store.move(source, target, moved)


def _people_with(parts: Iterable[TrackPart], store: IdentityStore) -> list[Person]:
    wanted = set(parts)
    return [
        person
        for person in store.people.values()
        if any(not wanted.isdisjoint(segment.parts) for segment in person.segments)
    ]


def _join(person: Person, of_part: dict[TrackPart, SegmentBefore], store: IdentityStore) -> None:
    """Join the pieces of each segment that the command cut."""
    whole: dict[int, TrackSegment] = {}
    kept = []
    for segment in sorted(person.segments, key=lambda segment: segment.first.at):
        of = {id(of_part[part]) for part in segment.parts if part in of_part}
        key = of.pop() if len(of) == 1 else None
        if key is None or key not in whole:
            kept.append(segment)
            if key is not None:
                whole[key] = segment
            continue
        whole[key].absorb(segment)
        for track_id, (opened, person_id) in store.open.items():
            if opened is segment:
                store.open[track_id] = (whole[key], person_id)
    if len(kept) < len(person.segments):
        person.segments = kept


def _restore(segment: TrackSegment, was: SegmentBefore) -> None:
    segment.must_links, segment.cannot_links = was.must_links, was.cannot_links
    segment.num_frames = segment.num_frames % ENROLLED_WEIGHT + ENROLLED_WEIGHT * was.is_enrolled
