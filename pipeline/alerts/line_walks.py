"""Where a person's path meets a line: for alerts about crossings, and for counts of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.alerts.plane_geometry import Points, crossings, depths
from pipeline.alerts.zones import Line, Unit
from pipeline.core import Sighting

MIN_DEPTH_PX, MIN_DEPTH_M = 4.0, 0.1
"""Distance from a line, pixels or metres, up to which a foot point is on it. Boxes jitter; a larger value hides short
crossings, a smaller one counts a person who walks along the line."""


@dataclass(frozen=True, slots=True, eq=False)
class LineWalk:
    """The foot points of one part of a track that are clear of a line.

    Attributes:
        points: Shape ``(N, 2)``, float64, in the unit of the line.
        times: Shape ``(N,)``, float64, Unix seconds.
    """

    points: Points
    times: Points

    def crossings(self, line: Line, before: Points | None) -> Iterator[tuple[float, int]]:
        """Yield time and direction of each crossing: 1 from left to right on the screen, -1 from right to left.

        Args:
            line: The line.
            before: Shape ``(1, 2)``: the last clear point of the part before; None if there was none.
        """
        earlier = np.empty((0, 2)) if before is None else before
        if len(earlier) + len(self.points) < 2:
            return
        directions = crossings(np.concatenate([earlier, self.points]), line.ends)
        arrived_at = self.times[1 - len(earlier) :]
        for at, direction in zip(arrived_at.tolist(), directions.tolist(), strict=True):
            if direction and (line.schedule is None or line.schedule.holds_at(at)):
                yield at, direction


def line_walk(
    line: Line, sighting: Sighting, *, min_depth_px: float = MIN_DEPTH_PX, min_depth_m: float = MIN_DEPTH_M
) -> LineWalk:
    """Return where a sighting shows its person clear of a line; points nearer than the least depth are on it."""
    points = line.frame.foot_points(sighting.track_id.camera_id, sighting.path)
    min_depth = min_depth_m if line.frame.unit is Unit.METRES else min_depth_px
    is_clear = np.abs(depths(points, line.ends)) > min_depth
    return LineWalk(points[is_clear], sighting.path.captured_at[is_clear])
