"""What a correction does to identities: the one place that knows the kinds of corrections.

Whoever keeps something by person (tracks, names, alerts, state of alert rules) applies a correction by its moves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pipeline.core.records.alert import Alert, AlertState
from pipeline.core.records.identity import Correction, CorrectionKind, Listing
from pipeline.core.records.track import TrackId, TrackPart

Value = TypeVar("Value")


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
    is_named = correction.kind is CorrectionKind.NAMED
    given = [(correction.person_ids[0], correction.name)] if is_named else correction.names
    return _after(names, correction, given, "")


def listings_after(listings: Mapping[int, Listing], correction: Correction) -> dict[int, Listing]:
    """Return how people are on the watch-list after a correction, as ``names_after``; those without one are absent.

    Example:
        >>> names = Correction(CorrectionKind.NAMED, (2,), "ann", 0.0, name="Bo", listings=((2, Listing("info")),))
        >>> listings_after({}, names)
        {2: Listing(severity='info', expires_at=None)}
    """
    return _after(listings, correction, correction.listings, Listing())


def parts_after(owners: Mapping[TrackPart, int], correction: Correction) -> dict[TrackPart, int]:
    """Return whom enrolled pictures show after a correction, by the part of a track that stands for them."""
    after = dict(owners)
    if correction.kind is CorrectionKind.NAMED:
        for part in correction.parts:
            after.pop(part, None)
            if correction.name:
                after[part] = correction.person_ids[0]
    for move in moves_of(correction):
        for part in [part for part, person_id in after.items() if move.takes(part, person_id)]:
            del after[part]
            if move.target is not None:
                after[part] = move.target
    return after


def _after(
    values: Mapping[int, Value], correction: Correction, given: Sequence[tuple[int, Value]], none: Value
) -> dict[int, Value]:
    """Return what people have after a correction gave it to some, or took it from them: these are given ``none``."""
    after = dict(values)
    for person_id, value in given:
        after.pop(person_id, None)
        if value != none:
            after[person_id] = value
    for move in moves_of(correction):
        if move.parts is None and move.source in after:
            moved = after.pop(move.source)
            if move.target is not None:
                after.setdefault(move.target, moved)
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
