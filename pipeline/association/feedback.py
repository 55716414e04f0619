"""What operators decide, written into the roster so that no later insight undoes it.

Segments that an operator put together share a *bond*: they are one group in every look back. Segments that an operator
put apart have the two sides of a *ban*, +k and -k: no group ever holds both. The newest word of an operator holds.
What was told apart or put together is a label for the calibration, too.
"""

from collections.abc import Sequence
from itertools import chain

from pipeline.association.calibration.likelihood_ratio import Calibration
from pipeline.association.identity_store import Roster
from pipeline.association.person import Person
from pipeline.association.track_segment import ENROLLED_WEIGHT, Segment
from pipeline.core import Correction, Order, OrderKind, TrackPart


def carry_out(order: Order, correction: Correction, roster: Roster, calibration: Calibration) -> None:
    """Do what an operator ordered, as far as the people are still known here; the ledger knows the rest."""
    for person_id in correction.person_ids:
        roster.doubts.pop(person_id, None)  # somebody looked, and the correction tells everybody
    if order.kind is OrderKind.MERGE:
        _merge(correction.person_ids, roster, calibration)
    elif order.kind in (OrderKind.SPLIT, OrderKind.REJECT):
        roster.reserve(correction.person_ids[1])
        _split(correction, roster, calibration, is_one_person=order.kind is OrderKind.SPLIT)
    elif order.person_ids[0] in roster.people:
        person = roster.people[order.person_ids[0]]
        if order.kind is OrderKind.CONFIRM:
            _confirm(person, correction.parts, roster, calibration)
            for other_id in order.person_ids[1:]:
                _tell_apart(person, roster.people.get(other_id), roster, calibration)
        elif order.kind is OrderKind.NAME:
            _name(person, correction.name, roster)
        else:
            roster.drop(person.person_id)


def _merge(person_ids: Sequence[int], roster: Roster, calibration: Calibration) -> None:
    kept_id, absorbed_id = person_ids
    absorbed = roster.people.get(absorbed_id)
    if absorbed is None:
        return
    kept = roster.people.get(kept_id) or roster.adopt(kept_id)
    if kept.segments:
        calibration.learn_same(kept.distance_to(absorbed))
    if absorbed_id in roster.enrolled:
        roster.enrolled.add(kept_id)
    roster.move(absorbed, kept, absorbed.segments)
    _bind(kept.segments, roster)
    sides = frozenset(chain.from_iterable(segment.bans for segment in kept.segments))
    lifted = {side for side in sides if -side in sides}
    for segment in kept.segments:
        segment.bans -= lifted


def _split(correction: Correction, roster: Roster, calibration: Calibration, *, is_one_person: bool) -> None:
    source_id, target_id = correction.person_ids
    source = roster.people.get(source_id)
    moved = [] if source is None else roster.cut(source, frozenset(correction.parts))
    if source is None or not moved:
        return
    target = roster.adopt(target_id)
    roster.move(source, target, moved)
    rest = source.segments
    bonds_of_rest = frozenset(chain.from_iterable(segment.bonds for segment in rest))
    for segment in moved:
        segment.bonds -= bonds_of_rest
    if rest:
        _tell_apart(source, target, roster, calibration, moved)
    if is_one_person:
        _bind(moved, roster)


def _confirm(person: Person, parts: Sequence[TrackPart], roster: Roster, calibration: Calibration) -> None:
    named = frozenset(parts)
    confirmed = [segment for segment in person.segments if not named or named.intersection(segment.parts)]
    others = [segment for segment in person.segments if not any(segment is one for one in confirmed)]
    if confirmed and others:
        calibration.learn_same(Person(person.person_id, confirmed).distance_to(Person(person.person_id, others)))
        confirmed.append(max(others, key=lambda segment: segment.weight))
    _bind(confirmed, roster)


def _tell_apart(
    one: Person, two: Person | None, roster: Roster, calibration: Calibration, of_two: Sequence[Segment] | None = None
) -> None:
    """Keep two people apart for good; of the second one, perhaps only some segments."""
    if two is None:
        return
    calibration.learn_different(one.distance_to(two))
    ban = roster.new_tie()
    for segment in one.segments:
        segment.bans |= {-ban}
    for segment in two.segments if of_two is None else of_two:
        segment.bans |= {ban}


def _name(person: Person, name: str, roster: Roster) -> None:
    """Keep whoever has a name, and her number, through everything that is found later."""
    is_kept = person.person_id in roster.enrolled
    heaviest = max(person.segments, key=lambda segment: segment.num_frames)
    if name and not is_kept:
        roster.enrolled.add(person.person_id)
        heaviest.num_frames += ENROLLED_WEIGHT
    elif not name and is_kept:
        heaviest.num_frames %= ENROLLED_WEIGHT
        roster.release(person)


def _bind(segments: Sequence[Segment], roster: Roster) -> None:
    bond = roster.new_tie()
    for segment in segments:
        segment.bonds |= {bond}
