"""Gathering: a time in which too many people were in one place, or too close together there."""

from dataclasses import dataclass

from pipeline.core import TrackId

MAX_EVIDENCE = 10
"""Tracks that an alert about a gathering names, at most; more make it longer."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """A time in which too many people were in one place, or too close together there.

    Attributes:
        since: Unix seconds.
        until: Unix seconds.
        tracks: At least one and at most ``MAX_EVIDENCE`` that show it.
    """

    since: float
    until: float
    tracks: tuple[TrackId, ...]

    def shown_by(self, track: TrackId | None) -> tuple[TrackId, ...]:
        """Return the tracks that show it, this one first; None: in order of time."""
        return self.tracks if track is None else tuple(dict.fromkeys((track, *self.tracks)))[:MAX_EVIDENCE]
