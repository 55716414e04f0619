"""What a correction does to identities: the one place that knows the kinds of corrections.

Whoever keeps something by person (tracks, names, alerts, state of alert rules) applies a correction by its moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.core.records.alert import Alert, AlertState
from pipeline.core.records.identity import Correction, CorrectionKind
from pipeline.core.records.track import TrackId, TrackPart


@dataclass(frozen=True, slots=True)
class Move:
    """Something goes from one person to another.

    Attributes:
        source: The person it is taken from.
        target: The person it is given to; None if it is forgotten.
        parts: The parts of tracks that move; None if everything known of the source moves.
    """

    source: int
    target: int | None
    parts: frozenset[TrackPart] | None = None

    def takes(self, part: TrackPart, person_id: int) -> bool:
        """Return whether a part that shows this person moves."""
        return person_id == self.source if self.parts is None else part in self.parts


def moves_of(correction: Correction) -> tuple[Move, ...]:
    """Return the moves that a correction consists of, to be applied in order; none if it moves nothing.

    Example:
        >>> moves_of(Correction(CorrectionKind.MERGED, (1, 2), "ann", 0.0))
        (Move(source=2, target=1, parts=None),)
    """
    if correction.kind is CorrectionKind.MERGED:
        kept, *absorbed = correction.person_ids
        return tuple(Move(person_id, kept) for person_id in absorbed)
    if correction.kind is CorrectionKind.SPLIT:
        source, target = correction.person_ids
        return (Move(source, target, frozenset(correction.parts)),)
    if correction.kind is CorrectionKind.UNDONE and correction.parts and len(correction.person_ids) > 1:
        source, target, *_ = correction.person_ids
        return (Move(source, target, frozenset(correction.parts)),)
    if correction.kind is CorrectionKind.ERASED:
        return tuple(Move(person_id, None) for person_id in correction.person_ids)
    return ()


def names_after(names: Mapping[int, str], correction: Correction) -> dict[int, str]:
    """Return the names of people after a correction; of two people who are merged, the kept one's name stays.

    An undone merge gives each its own name back.

    Example:
        >>> names_after({2: "lost child"}, Correction(CorrectionKind.MERGED, (1, 2), "ann", 0.0))
        {1: 'lost child'}
    """
    after = dict(names)
    if correction.kind is CorrectionKind.NAMED:
        (person_id,) = correction.person_ids
        after.pop(person_id, None)
        if correction.name:
            after[person_id] = correction.name
    for person_id, name in correction.names:
        after.pop(person_id, None)
        if name:
            after[person_id] = name
    for move in moves_of(correction):
        if move.parts is None and move.source in after:
            name = after.pop(move.source)
            if move.target is not None:
                after.setdefault(move.target, name)
    return after


def alert_after(alert: Alert, move: Move, left: tuple[TrackId, ...] = ()) -> Alert:
    """Return an alert about the source of a move as it reads after the move.

    Args:
        alert: The alert; the move takes some of what it is based on.
        move: The move.
        left: The tracks of its evidence that still show the source; empty if all of them moved.
    """
    if move.target is None:
        return replace(alert, state=AlertState.RETRACTED)
    if left:
        return replace(alert, evidence=left, state=AlertState.AMENDED)
    return replace(alert, person_id=move.target, state=AlertState.AMENDED)
