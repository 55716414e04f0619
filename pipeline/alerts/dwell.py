"""Dwell: the presence of one person in one zone, and the intervals that make it up."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from pipeline.core import TrackId, TrackPart

MAX_INTERVALS = 64
"""Intervals kept per dwell. Chosen to bound memory. The oldest of a longer dwell are joined into one, which a split
can then move only as a whole; a larger value keeps them apart for longer."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What one part of a track adds to a dwell.

    Attributes:
        part: The part of a track.
        since: Unix seconds: first foot point in the zone.
        until: Unix seconds: last foot point in the zone.
    """

    part: TrackPart
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Dwell:
    """The presence of one person in one zone, without a longer absence.

    Attributes:
        intervals: At least one, sorted by ``since``.
        is_alerted: Whether an alert was raised.
    """

    intervals: tuple[Interval, ...]
    is_alerted: bool

    @property
    def since(self) -> float:
        """Unix seconds: when the dwell began."""
        return self.intervals[0].since

    @property
    def until(self) -> float:
        """Unix seconds: when the person was last seen there."""
        return max(interval.until for interval in self.intervals)

    @property
    def dwell_s(self) -> float:
        """Seconds from the first to the last foot point."""
        return self.until - self.since

    @property
    def tracks(self) -> tuple[TrackId, ...]:
        """The tracks that show it, in order of time."""
        return tuple(dict.fromkeys(interval.part.track_id for interval in self.intervals))

    @property
    def parts(self) -> frozenset[TrackPart]:
        """The parts of tracks that show it."""
        return frozenset(interval.part for interval in self.intervals)

    def split(self, parts: Set[TrackPart], *, max_absence_s: float) -> tuple["Dwell | None", "Dwell | None"]:
        """Return the dwell without these parts, and the dwell of these parts; None where nothing is left."""
        rest = [interval for interval in self.intervals if interval.part not in parts]
        moved = [interval for interval in self.intervals if interval.part in parts]
        return (
            last_dwell(rest, max_absence_s=max_absence_s, is_alerted=self.is_alerted),
            # The alert stays with the remaining parts, if there are any.
            last_dwell(moved, max_absence_s=max_absence_s, is_alerted=self.is_alerted and not rest),
        )


def last_dwell(intervals: Iterable[Interval], *, max_absence_s: float, is_alerted: bool) -> Dwell | None:
    """Return the dwell after the last absence that these intervals show; None without intervals."""
    run: list[Interval] = []
    until = float("-inf")
    for interval in sorted(intervals, key=lambda interval: (interval.since, interval.until, interval.part)):
        if interval.since - until > max_absence_s:
            run = []
        run.append(interval)
        until = max(until, interval.until)
    while len(run) > MAX_INTERVALS:
        run[:2] = [replace(run[0], until=max(run[0].until, run[1].until))]
    return Dwell(tuple(run), is_alerted) if run else None
