"""Dwell: the presence of one person in one place without a longer absence, and the intervals that make it up."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core import TrackId, TrackPart


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """What one part of a track adds to a dwell.

    Attributes:
        since: Unix seconds: first moment in the place.
        until: Unix seconds: last moment in the place.
        part: The part of a track.
    """

    since: float
    until: float
    part: TrackPart


@dataclass(frozen=True, slots=True)
class Dwell:
    """The presence of one person in one place, without a longer absence.

    Attributes:
        intervals: At least one, sorted by ``since``.
    """

    intervals: tuple[Interval, ...]

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
        """Seconds from the first to the last moment."""
        return self.until - self.since

    @property
    def tracks(self) -> tuple[TrackId, ...]:
        """The tracks that show it, in order of time."""
        return tuple(dict.fromkeys(interval.part.track_id for interval in self.intervals))


def dwells_of(intervals: Iterable[Interval], *, max_absence_s: float) -> list[Dwell]:
    """Return the dwells that intervals make up, in order of time; an absence of ``max_absence_s`` ends none.

    Example:
        >>> part = TrackPart(TrackId("east", 0, 1), 0)
        >>> intervals = [Interval(0.0, 4.0, part), Interval(5.0, 6.0, part), Interval(9.0, 9.5, part)]
        >>> [(dwell.since, dwell.until) for dwell in dwells_of(intervals, max_absence_s=2.0)]
        [(0.0, 6.0), (9.0, 9.5)]
    """
    runs: list[list[Interval]] = []
    until = float("-inf")
    for interval in sorted(intervals):
        if interval.since - until > max_absence_s:
            runs.append([])
        runs[-1].append(interval)
        until = max(until, interval.until)
    return [Dwell(tuple(run)) for run in runs]
