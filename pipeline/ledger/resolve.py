"""From a correction command to its correction, or to the reason why it is refused."""

from collections.abc import Sequence

from pipeline.core import Alert, AlertState, CommandKind, Correction, CorrectionCommand, CorrectionKind, TrackPart
from pipeline.core.errors import DataError
from pipeline.core.moves import alert_after, moves_of
from pipeline.ledger.people import People

KINDS = {
    CommandKind.MERGE: CorrectionKind.MERGED,
    CommandKind.SPLIT: CorrectionKind.SPLIT,
    CommandKind.REJECT: CorrectionKind.SPLIT,
    CommandKind.CONFIRM: CorrectionKind.CONFIRMED,
    CommandKind.NAME: CorrectionKind.NAMED,
    CommandKind.ERASE: CorrectionKind.ERASED,
}


def resolve(command: CorrectionCommand, people: People, *, at: float, next_person_id: int) -> Correction:
    """Return the correction that a command amounts to.

    Args:
        command: The command.
        people: The present identities.
        at: Unix seconds of event time.
        next_person_id: The number for a new person.

    Raises:
        DataError: If the command cannot be applied; says why.
    """
    for person_id in command.person_ids:
        if not people.is_known(person_id):
            raise DataError(
                f"person {person_id}: expected one who was seen and not erased; passerby ledger people lists them"
            )
    parts = tuple(sorted(set(command.parts)))
    for part in parts:
        _check_part(part, command.person_ids[0], people)
    person_ids: Sequence[int] = command.person_ids
    if command.kind in (CommandKind.SPLIT, CommandKind.REJECT):
        if command.kind is CommandKind.SPLIT and len(parts) == people.num_parts(command.person_ids[0]):
            raise DataError(f"parts: expected some of person {command.person_ids[0]}, got all; nothing would be left")
        person_ids = (command.person_ids[0], next_person_id)
    if command.kind is CommandKind.ERASE:
        # Sinks need the parts to erase their copies; the ledger itself keeps none of them.
        person_ids = people.tracks.aliases_of(command.person_ids[0])
        parts = tuple(sorted(people.parts_of(command.person_ids[0])))
    return Correction(
        KINDS[command.kind],
        tuple(person_ids),
        by=command.by,
        at=at,
        parts=parts,
        reason=command.reason,
        name=command.name,
    )


def describe(correction: Correction) -> str:
    """Return what was done, with the numbers of the people."""
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
            alert_after(alert, move)
            for alert in alerts
            if alert.state is not AlertState.RETRACTED
            and alert.person_id == move.source
            and (move.parts is None or (alert.evidence and tracks.issuperset(alert.evidence)))
        ]
    return changed


def _check_part(part: TrackPart, person_id: int, people: People) -> None:
    found = people.person_of(part)
    if found != person_id:
        raise DataError(
            f"part {part}: expected to show person {person_id}, got "
            f"{f'person {found}' if found > 0 else 'nobody'}; it may have been corrected since"
        )
