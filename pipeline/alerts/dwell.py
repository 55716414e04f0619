"""One person's presence in one zone, and what it is made of."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from pipeline.core import TrackId, TrackPart

MAX_PIECES = 64
"""Of a longer stay the oldest pieces are taken as one."""


@dataclass(frozen=True, slots=True)
class Interval:
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
class Dwell:
    """One person's presence in one zone without a longer absence.

    Attributes:
        intervals: At least one, by ``since``.
        is_alerted: An alert was raised.
    """

    intervals: tuple[Interval, ...]
    is_alerted: bool

    @property
    def since(self) -> float:
        """Unix seconds: when it began."""
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
        """The tracks that show it, in the order of time."""
        return tuple(dict.fromkeys(interval.part.track_id for interval in self.intervals))

    def split(self, parts: Set[TrackPart], *, max_absence_s: float) -> tuple["Dwell | None", "Dwell | None"]:
        """Return what is left, and what these parts were; None where that is nothing."""
        rest = [interval for interval in self.intervals if interval.part not in parts]
        moved = [interval for interval in self.intervals if interval.part in parts]
        return (
            last_dwell(rest, max_absence_s=max_absence_s, is_alerted=self.is_alerted),
            # Where something is left, the alert stays with it.
            last_dwell(moved, max_absence_s=max_absence_s, is_alerted=self.is_alerted and not rest),
        )


def last_dwell(intervals: Iterable[Interval], *, max_absence_s: float, is_alerted: bool) -> Dwell | None:
    """Return the latest stay that these pieces make: the part after the last absence; None without pieces."""
    run: list[Interval] = []
    until = float("-inf")
    for interval in sorted(intervals, key=lambda interval: (interval.since, interval.until, interval.part)):
        if interval.since - until > max_absence_s:
            run = []
        run.append(interval)
        until = max(until, interval.until)
    while len(run) > MAX_PIECES:
        run[:2] = [replace(run[0], until=max(run[0].until, run[1].until))]
    return Dwell(tuple(run), is_alerted) if run else None
