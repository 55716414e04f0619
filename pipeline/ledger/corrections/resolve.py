"""From a correction command to its correction, or to the reason why it is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Listing,
    TrackPart,
)
from pipeline.core.errors import DataError
from pipeline.core.records.moves import alert_after, moves_of
from pipeline.ledger.events import Event
from pipeline.ledger.people import People

KINDS = {
    CommandKind.MERGE: CorrectionKind.MERGED,
    CommandKind.SPLIT: CorrectionKind.SPLIT,
    CommandKind.REJECT: CorrectionKind.SPLIT,
    CommandKind.CONFIRM: CorrectionKind.CONFIRMED,
    CommandKind.NAME: CorrectionKind.NAMED,
    CommandKind.ENROL: CorrectionKind.NAMED,
    CommandKind.UNLIST: CorrectionKind.NAMED,
    CommandKind.ERASE: CorrectionKind.ERASED,
    CommandKind.UNDO: CorrectionKind.UNDONE,
}


FORCE = "merge them with --force (force: true) if they are one person all the same"
"""What an operator can do who knows better."""

NUM_NAMED = 5
"""Newest corrections that a message names. More make it longer."""


def resolve(
    command: CorrectionCommand, people: People, *, at: float, next_person_id: int, number: int = 0
) -> Correction:
    """Return the correction that a command amounts to.

    Args:
        command: The command.
        people: The present identities.
        at: Unix seconds of event time.
        next_person_id: The number for a new person.
        number: Number of the command.

    Raises:
        DataError: If the command cannot be applied; says why.
    """
    if command.kind is CommandKind.UNDO:
        return _undone(command, people, at, number)
    for person_id in command.person_ids:
        if not people.is_known(person_id):
            raise DataError(
                f"person {person_id}: expected one who was seen and not erased; passerby ledger people lists them"
            )
    if KINDS[command.kind] is CorrectionKind.NAMED:
        return _listed(command, people, at, number, next_person_id)
    parts = tuple(sorted(set(command.parts)))
    for part in parts:
        _check_part(part, command.person_ids[0], people)
    if command.kind is CommandKind.MERGE and not command.force:
        _check_apart(command.person_ids[0], command.person_ids[1], people)
    person_ids: Sequence[int] = command.person_ids
    if command.kind in (CommandKind.SPLIT, CommandKind.REJECT):
        if command.kind is CommandKind.SPLIT and len(parts) == people.num_parts(command.person_ids[0]):
            raise DataError(f"parts: expected some of person {command.person_ids[0]}, got all; nothing would be left")
        person_ids = (command.person_ids[0], next_person_id)
    if command.kind is CommandKind.ERASE:
        # Sinks need the parts to erase their copies; the ledger itself keeps none of them.
        person_ids = people.tracks.aliases_of(command.person_ids[0])
        parts = tuple(sorted((*people.parts_of(command.person_ids[0]), *people.enrolled_of(command.person_ids[0]))))
    return Correction(
        KINDS[command.kind],
        tuple(person_ids),
        by=command.by,
        at=at,
        parts=parts,
        reason=command.reason,
        command=number,
    )


def _listed(command: CorrectionCommand, people: People, at: float, number: int, next_person_id: int) -> Correction:
    """Return the correction that puts a person on the watch-list, or takes them off it."""
    person_id = command.person_ids[0] if command.person_ids else next_person_id
    enrolled = people.enrolled_of(person_id)
    if command.kind is CommandKind.NAME and not command.name and enrolled:
        raise DataError(
            f"person {person_id}: was enrolled by pictures, which would stay without a name; take the person off the "
            f"watch-list with passerby ledger unlist, which forgets them"
        )
    if command.kind is CommandKind.UNLIST and person_id not in people.names:
        raise DataError(f"person {person_id}: expected one who is on the watch-list, got another one")
    before = people.listings.get(person_id, Listing())
    after = (command.listing or before) if command.name else Listing()
    return Correction(
        CorrectionKind.NAMED,
        (person_id,),
        by=command.by,
        at=at,
        parts={CommandKind.ENROL: command.parts, CommandKind.UNLIST: enrolled}.get(command.kind, ()),
        reason=command.reason,
        name=command.name,
        command=number,
        listings=((person_id, after),) if after != before else (),
    )


def describe(correction: Correction) -> str:
    """Return what was done, with the numbers of the people."""
    if correction.kind is CorrectionKind.UNDONE:
        return f"undone: correction {correction.undoes}"
    return f"{correction.kind}: {', '.join(map(str, correction.person_ids))}"


def amended(alerts: Sequence[Alert], correction: Correction) -> list[Alert]:
    """Return the alerts that a correction changes, in their new form, where the rules that raised them do not run.

    Args:
        alerts: The newest record of each alert.
        correction: The correction.
    """
    changed = []
    for move in moves_of(correction):
        tracks = {part.track_id for part in move.parts or ()}
        changed += [
            replace(alert_after(alert, move), revision=alert.revision + 1)
            for alert in alerts
            if alert.state is not AlertState.RETRACTED
            and alert.person_id == move.source
            and (move.parts is None or (alert.evidence and tracks.issuperset(alert.evidence)))
        ]
    return changed


def _undone(command: CorrectionCommand, people: People, at: float, number: int) -> Correction:
    """Return the correction that makes a command as if it had never been given."""
    undoes = command.undoes
    done = people.done.get(undoes)
    if done is None:
        numbers = [number for number, other in people.done.items() if other.can_be_undone]
        known = ", ".join(map(str, sorted(numbers, reverse=True)[:NUM_NAMED])) or "there is none"
        raise DataError(
            f"correction {undoes}: expected the number under which an operator asked for one that is done and not "
            f"undone: {known}; see passerby ledger audit"
        )
    if done.correction.kind is CorrectionKind.ERASED:
        raise DataError(f"correction {undoes}: an erasure cannot be undone")
    if not done.can_be_undone:
        raise DataError(f"correction {undoes}: enrolled pictures come and go for good; enrol the person again")
    concerned = set(done.correction.person_ids)
    for later, other in people.done.items():
        if later > undoes and concerned.intersection(other.correction.person_ids):
            if other.correction.kind is CorrectionKind.ERASED:
                raise DataError(f"correction {undoes}: a person in it was erased since; nothing is left to undo")
            if not other.can_be_undone:
                raise DataError(f"correction {undoes}: correction {later} about the same people cannot be undone")
            raise DataError(f"correction {undoes}: undo correction {later} first, which came later for the same people")
    person_ids = done.correction.person_ids
    parts: tuple[TrackPart, ...] = ()
    before = people.tracks.before(undoes)
    if done.correction.kind in (CorrectionKind.MERGED, CorrectionKind.SPLIT) and before is not None:
        is_merge = done.correction.kind is CorrectionKind.MERGED
        kept, other_id = person_ids
        moved = people.tracks.parts_moved_by(undoes)
        now = people.person_of(moved[0]) if moved else (kept if is_merge else other_id)
        if not is_merge and now == other_id:
            moved = people.parts_of(other_id)  # the person exists by that split alone
        person_ids = (now, other_id, *before.aliases) if is_merge else (now, people.tracks.current_id(kept))
        parts = (*sorted(moved), *done.enrolled)
    return Correction(
        CorrectionKind.UNDONE,
        tuple(person_ids),
        by=command.by,
        at=at,
        parts=parts,
        reason=command.reason,
        command=number,
        undoes=undoes,
        names=done.names,
        listings=done.listings,
    )


def _check_apart(one: int, two: int, people: People) -> None:
    """Refuse to merge two people who were seen at the same time, and say where and when."""
    together = people.seen_together(one, two)
    if together:
        raise DataError(f"persons {one} and {two} {together_text(together)}; {FORCE}")


def together_text(together: Sequence[tuple[str, str, float, float]]) -> str:
    """Return in words where and when two people were seen at the same time.

    Example:
        >>> together_text([("east", "west", 3.0, 4.5)])
        'were seen at the same time: in east, west from 3.0 to 4.5'
    """
    first, second, began, ended = together[0]
    where = first if first == second else f"{first}, {second}"
    if together[1:]:
        more = len(together) - 1
        return f"were seen at the same time: in {where} from {began:.1f} to {ended:.1f}, and {more} times more"
    return f"were seen at the same time: in {where} from {began:.1f} to {ended:.1f}"


def _check_part(part: TrackPart, person_id: int, people: People) -> None:
    found = people.person_of(part)
    if found != person_id:
        raise DataError(
            f"part {part}: expected to show person {person_id}, got "
            f"{f'person {found}' if found > 0 else 'nobody'}; it may have been corrected since"
        )


def alerts_before(alerts: Iterable[Event], event: int) -> list[Alert]:
    """Return the alerts that a correction changed and nothing has changed since, or whose change was undone.

    They are in their form of before, as a newer state: amended, or raised once more if the correction retracted them.

    Args:
        alerts: All events of alerts, in order.
        event: Number of the correction's event. The alerts that followed from it are the events right after it.
    """
    before: dict[str, Alert] = {}
    after: dict[str, Alert] = {}
    newest: dict[str, Alert] = {}
    following = event + 1
    for found in alerts:
        if found.is_erased:
            continue
        alert = newest[found.alert().key] = found.alert()
        if found.number < event:
            before[alert.key] = alert
        elif found.number == following:
            following += 1
            after[alert.key] = alert
    return [
        _newer(before[key], newest[key])
        for key, alert in after.items()
        if key in before and replace(newest[key], revision=alert.revision) == alert
    ]


def _newer(before: Alert, newest: Alert) -> Alert:
    """Return an alert in its form of before as the state that follows the newest."""
    is_told = newest.state is not AlertState.RETRACTED and before.state is AlertState.RAISED
    return replace(before, state=AlertState.AMENDED if is_told else before.state, revision=newest.revision + 1)
