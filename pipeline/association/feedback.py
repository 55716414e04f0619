"""Applies corrections that a human made, so that no later re-clustering undoes them.

Track segments that were merged share a *must-link*: they are in one group in every re-clustering. Segments that were
split have the two sides of a *cannot-link*, +k and -k: no group ever holds both. The newest correction wins.
Each merge, split and confirmation is also a label for the calibration. An undo takes links and labels back.
"""

from collections.abc import Sequence
from itertools import chain

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.identity_store import IdentityStore
from pipeline.association.person import Person
from pipeline.association.track_segment import ENROLLED_WEIGHT, TrackSegment
from pipeline.association.undo import undo
from pipeline.core import CommandKind, Correction, CorrectionCommand, Embedding


def apply_command(
    command: CorrectionCommand, correction: Correction, store: IdentityStore, calibration: Calibration
) -> None:
    """Apply a correction to the people that the matcher still knows; the ledger applies it to all events."""
    if command.kind is CommandKind.UNDO:
        calibration.drop_feedback(correction.undoes)
        undo(correction, store)
        return
    if command.kind is CommandKind.UNLIST and correction.parts:
        _unlist(correction, store)
        return
    if command.kind is not CommandKind.ERASE and correction.command:
        store.remember(correction.command, correction.person_ids)
    for person_id in correction.person_ids:
        store.pending.pop(person_id, None)  # decided now: nothing is pending
    if command.kind is CommandKind.MERGE:
        _merge(correction, store, calibration)
    elif command.kind in (CommandKind.SPLIT, CommandKind.REJECT):
        store.reserve(correction.person_ids[1])
        _split(correction, store, calibration, is_one_person=command.kind is CommandKind.SPLIT)
    elif command.kind is CommandKind.ERASE:
        for person_id in correction.person_ids:
            store.erase(person_id)
    elif command.embedding is not None:
        enrol(correction.person_ids[0], command.embedding, store)
    elif command.person_ids[0] in store.people:
        person = store.people[command.person_ids[0]]
        if command.kind is CommandKind.CONFIRM:
            _confirm(person, correction, store, calibration)
            for other_id in command.person_ids[1:]:
                _add_cannot_link(correction, person, store.people.get(other_id), store, calibration)
        else:
            _name(person, correction.name, store)


def _merge(correction: Correction, store: IdentityStore, calibration: Calibration) -> None:
    kept_id, absorbed_id = correction.person_ids
    absorbed = store.people.get(absorbed_id)
    if absorbed is None:
        return
    kept = store.people.get(kept_id) or store.add_person(kept_id)
    if kept.segments:
        calibration.add_feedback(correction.command, kept.distance_to(absorbed), is_same=True)
    if absorbed_id in store.enrolled:
        store.enrolled.add(kept_id)
    store.move(absorbed, kept, absorbed.segments)
    _add_must_link(kept.segments, store)
    sides = frozenset(chain.from_iterable(segment.cannot_links for segment in kept.segments))
    both_sides = {side for side in sides if -side in sides}
    for segment in kept.segments:
        segment.cannot_links -= both_sides


def _split(correction: Correction, store: IdentityStore, calibration: Calibration, *, is_one_person: bool) -> None:
    source_id, target_id = correction.person_ids
    source = store.people.get(source_id)
    moved = [] if source is None else store.cut(source, frozenset(correction.parts))
    if source is None or not moved:
        return
    target = store.add_person(target_id)
    store.move(source, target, moved)
    rest = source.segments
    links_of_rest = frozenset(chain.from_iterable(segment.must_links for segment in rest))
    for segment in moved:
        segment.must_links -= links_of_rest
    if rest:
        _add_cannot_link(correction, source, target, store, calibration, moved)
    if is_one_person:
        _add_must_link(moved, store)


def _confirm(person: Person, correction: Correction, store: IdentityStore, calibration: Calibration) -> None:
    named = frozenset(correction.parts)
    confirmed = [segment for segment in person.segments if not named or named.intersection(segment.parts)]
    others = [segment for segment in person.segments if not any(segment is one for one in confirmed)]
    if confirmed and others:
        some, rest = (Person(person.person_id, part, person.projection) for part in (confirmed, others))
        distance = some.distance_to(rest)
        calibration.add_feedback(correction.command, distance, is_same=True)
        confirmed.append(max(others, key=lambda segment: segment.weight))
    _add_must_link(confirmed, store)


def _add_cannot_link(
    correction: Correction,
    one: Person,
    two: Person | None,
    store: IdentityStore,
    calibration: Calibration,
    of_two: Sequence[TrackSegment] | None = None,
) -> None:
    """Keep two people apart for good; of the second, only the segments ``of_two`` if these are given."""
    if two is None:
        return
    calibration.add_feedback(correction.command, one.distance_to(two), is_same=False)
    link = store.new_link()
    for segment in one.segments:
        segment.cannot_links |= {-link}
    for segment in two.segments if of_two is None else of_two:
        segment.cannot_links |= {link}


def _name(person: Person, name: str, store: IdentityStore) -> None:
    """Keep a person with a name, and their number, through every re-clustering; without a name, release them."""
    is_kept = person.person_id in store.enrolled
    if name and not is_kept:
        store.enrolled.add(person.person_id)
        max(person.segments, key=lambda segment: segment.num_frames).num_frames += ENROLLED_WEIGHT
    elif not name and is_kept:
        for segment in person.segments:
            segment.num_frames %= ENROLLED_WEIGHT
        store.release(person)


def enrol(person_id: int, embedding: Embedding, store: IdentityStore) -> None:
    """Add what pictures of a person come to; the person may be known already. See ``Matcher.enrol``."""
    store.accept([embedding])
    segment = TrackSegment.begin(embedding)
    segment.num_frames = ENROLLED_WEIGHT
    known = store.people.get(person_id)
    segments = [segment, *(known.segments if known else ())]
    store.enrol(Person(person_id, segments))
    if known:
        _add_must_link(segments, store)


def _unlist(correction: Correction, store: IdentityStore) -> None:
    """Forget the enrolled pictures of a person, and release them; who was not seen besides is forgotten."""
    person = store.people.get(correction.person_ids[0])
    if person is None:
        return
    pictures = store.cut(person, frozenset(correction.parts))
    person.segments = [segment for segment in person.segments if not any(segment is each for each in pictures)]
    if person.segments:
        _name(person, "", store)
        store.put(person)
    else:
        store.drop(person.person_id)


def _add_must_link(segments: Sequence[TrackSegment], store: IdentityStore) -> None:
    link = store.new_link()
    for segment in segments:
        segment.must_links |= {link}
