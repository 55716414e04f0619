"""What one part of a track says that can be counted. A fact names the part, not the person.

Who the part shows may be corrected later; the counts follow without a fact being changed. A fact of an erased person
is deleted with its part.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.line_walks import line_walk
from pipeline.alerts.plane_geometry import Points
from pipeline.alerts.zones import Line, Zone
from pipeline.core import Outcome, Sighting, TrackPart

MAX_GAP_S = 3.0
"""Seconds outside of a place within one part of a track that end a stay. As ``zone_dwell.max_absence_s``."""


class FactKind(StrEnum):
    """What a fact is about."""

    CAMERA = "camera"
    ZONE = "zone"
    CLOSED = "closed"
    """In a zone just before its schedule begins or just after it ends: nobody came or left then."""
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    Attributes:
        kind: CAMERA: the part was in a camera. ZONE: in a zone. CLOSED: in a zone that did not count. LINE: it crossed
            a line.
        place: Name of the camera, zone or line.
        since: Unix seconds, event time.
        until: Unix seconds; of a crossing the same.
        part: The part of a track.
        direction: Of a crossing: 1 from left to right, -1 from right to left; otherwise 0.
        is_new: Whether the part was taken for a person seen for the first time.
        doubt: Probability that the person was decided wrong, in [0, 1].
    """

    kind: FactKind
    place: str
    since: float
    until: float
    part: TrackPart
    direction: int = 0
    is_new: bool = False
    doubt: float = 0.0


class FactFinder:
    """Finds the facts in sightings.

    Args:
        zones: Of the site.
        lines: Of the site.
        last_point: Returns the last point of an earlier part of the same track that was clear of a line, by name of
            the line and part; None if there is none.
    """

    def __init__(
        self, zones: Sequence[Zone], lines: Sequence[Line], last_point: Callable[[str, TrackPart], Points | None]
    ) -> None:
        self._zones, self._lines, self._last_point = tuple(zones), tuple(lines), last_point

    def of(self, sighting: Sighting) -> tuple[list[Fact], dict[str, Points]]:
        """Return the facts of a sighting, and its last clear point by line, for later parts."""
        camera_id = sighting.track_id.camera_id
        part = TrackPart(sighting.track_id, sighting.part)
        is_new = sighting.outcome is not Outcome.MATCHED
        times = sighting.path.captured_at
        found = [
            Fact(
                *(FactKind.CAMERA, camera_id, float(times[0]), float(times[-1]), part),
                is_new=is_new,
                doubt=min(1.0, max(0.0, 1 - sighting.probability)),
            )
        ]
        for zone in self._zones:
            within = zone.times_within(camera_id, sighting.path)
            for kind, inside in _by_schedule(zone, within):
                cuts = np.flatnonzero(np.diff(inside) > MAX_GAP_S) + 1
                found += [
                    Fact(kind, zone.name, float(run[0]), float(run[-1]), part)
                    for run in np.split(inside, cuts)
                    if len(run)
                ]
        last: dict[str, Points] = {}
        for line in self._lines:
            if camera_id not in line.frame.camera_ids:
                continue
            walk = line_walk(line, sighting)
            if len(walk.points):
                before = self._last_point(line.name, part)
                found += [
                    Fact(FactKind.LINE, line.name, at, at, part, direction=direction)
                    for at, direction in walk.crossings(line, before)
                ]
                last[line.name] = walk.points[-1:]
        return found, last


def _by_schedule(zone: Zone, times: NDArray[np.float64]) -> Iterator[tuple[FactKind, NDArray[np.float64]]]:
    """Yield the moments in a zone while it counts, and those near where it begins or ends to count."""
    if zone.schedule is None:
        yield FactKind.ZONE, times
        return
    counts = zone.schedule.holds(times)
    is_near = zone.schedule.holds(times - MAX_GAP_S) | zone.schedule.holds(times + MAX_GAP_S)
    yield FactKind.ZONE, times[counts]
    yield FactKind.CLOSED, times[~counts & is_near]
