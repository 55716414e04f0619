"""One person's presence in one zone, and what it is made of."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from pipeline.core import TrackId, TrackPart

MAX_PIECES = 64
"""Of a longer stay the oldest pieces are taken as one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one part of a track contributes.

    Attributes:
        part: Of which track.
        since: Unix seconds: its first foot point in the zone.
        until: Unix seconds: its last one.
    """

    part: TrackPart
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Stay:
    """One person's presence in one zone without a longer absence.

    Attributes:
        pieces: At least one, by ``since``.
        is_told: An alert was raised.
    """

    pieces: tuple[Piece, ...]
    is_told: bool

    @property
    def since(self) -> float:
        """Unix seconds: when it began."""
        return self.pieces[0].since

    @property
    def until(self) -> float:
        """Unix seconds: when the person was last seen there."""
        return max(piece.until for piece in self.pieces)

    @property
    def dwell_s(self) -> float:
        """Seconds from the first to the last foot point."""
        return self.until - self.since

    @property
    def tracks(self) -> tuple[TrackId, ...]:
        """The tracks that show it, in the order of time."""
        return tuple(dict.fromkeys(piece.part.track_id for piece in self.pieces))

    def split(self, parts: Set[TrackPart], *, max_absence_s: float) -> tuple["Stay | None", "Stay | None"]:
        """Return what is left, and what these parts were; None where that is nothing."""
        rest = [piece for piece in self.pieces if piece.part not in parts]
        moved = [piece for piece in self.pieces if piece.part in parts]
        return (
            last_stay(rest, max_absence_s=max_absence_s, is_told=self.is_told),
            # Where something is left, the alert stays with it.
            last_stay(moved, max_absence_s=max_absence_s, is_told=self.is_told and not rest),
        )


def last_stay(pieces: Iterable[Piece], *, max_absence_s: float, is_told: bool) -> Stay | None:
    """Return the latest stay that these pieces make: the part after the last absence; None without pieces."""
    run: list[Piece] = []
    until = float("-inf")
    for piece in sorted(pieces, key=lambda piece: (piece.since, piece.until, piece.part)):
        if piece.since - until > max_absence_s:
            run = []
        run.append(piece)
        until = max(until, piece.until)
    while len(run) > MAX_PIECES:
        run[:2] = [replace(run[0], until=max(run[0].until, run[1].until))]
    return Stay(tuple(run), is_told) if run else None
