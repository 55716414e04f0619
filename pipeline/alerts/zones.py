"""Zones and lines on the ground, in pixels of a camera's frame, and tests of foot points against them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.core import TrackPath
from pipeline.core.arrays import check_array, freeze
from pipeline.core.boxes import foot_points

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """An area in the picture of one camera.

    Attributes:
        name: As in the site's configuration.
        camera_id: The camera.
        polygon: Shape ``(K, 2)``, float64, corners in pixels, in order, not closed; K at least 3.
    """

    name: str
    camera_id: str
    polygon: Points

    def __post_init__(self) -> None:
        check_array("polygon", self.polygon, (None, 2), np.float64)
        freeze(self.polygon)


class Crossing(StrEnum):
    """The direction in which a line is crossed: on the screen, looking from its first to its second end."""

    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"
    BOTH = "both"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line in the picture of one camera that must not be crossed in one direction, or in both.

    Attributes:
        name: As in the site's configuration.
        camera_id: The camera.
        ends: Shape ``(2, 2)``, float64, pixels: from, to.
        forbidden: The forbidden direction.
    """

    name: str
    camera_id: str
    ends: Points
    forbidden: Crossing

    def __post_init__(self) -> None:
        check_array("ends", self.ends, (2, 2), np.float64)
        freeze(self.ends)


def parse_zones(zones: Mapping[str, object], builder: AlertBuilder) -> tuple[Zone, ...]:
    """Return the zones of ``{name: {camera: …, polygon: [[x, y], …]}}``.

    Raises:
        ConfigError: If a block has other keys, or a polygon fewer than three corners; it names the key.
    """
    parsed = []
    for name, given in zones.items():
        block = builder.check_block(f"zones.{name}", given, {"camera", "polygon"})
        polygon = _points(block["polygon"])
        if polygon is None or len(polygon) < 3:
            raise builder.wrong(f"zones.{name}.polygon", "at least three corners [x, y] in pixels", block["polygon"])
        parsed.append(Zone(name, str(block["camera"]), polygon))
    return tuple(parsed)


def parse_lines(lines: Mapping[str, object], builder: AlertBuilder) -> tuple[Line, ...]:
    """Return the lines of ``{name: {camera: …, from: [x, y], to: [x, y], forbidden: left_to_right}}``.

    Raises:
        ConfigError: If a block has other keys, an end is not a point, both ends are equal, or a direction is unknown.
    """
    parsed = []
    for name, given in lines.items():
        block = builder.check_block(f"lines.{name}", given, {"camera", "from", "to", "forbidden"})
        ends = _points([block["from"], block["to"]])
        if ends is None or np.array_equal(ends[0], ends[1]):
            raise builder.wrong(
                f"lines.{name}.from and .to", "two different points [x, y]", [block["from"], block["to"]]
            )
        if block["forbidden"] not in list(Crossing):
            choices = ", ".join(Crossing)
            raise builder.wrong(f"lines.{name}.forbidden", f"one of {choices}", block["forbidden"])
        parsed.append(Line(name, str(block["camera"]), ends, Crossing(str(block["forbidden"]))))
    return tuple(parsed)


def ground_points(path: TrackPath) -> Points:
    """Return where a person stands, shape ``(N, 2)``, pixels: foot points, at most in the last row and column.

    A box that is cut by the lower edge of the picture has its foot point on that edge, and a zone drawn down to the
    edge includes it.
    """
    height, width = path.frame_hw
    return np.clip(foot_points(path.boxes_xyxy).astype(np.float64), 0, [width - 1, height - 1])


def is_inside(points: NDArray[np.floating], polygon: Points) -> NDArray[np.bool_]:
    """Return which points lie in a polygon (even-odd rule), shape ``(N,)``.

    Args:
        points: Shape ``(N, 2)``, pixels.
        polygon: Shape ``(K, 2)``, corners in order, not closed. Its upper and left edges belong to it, its lower
            and right edges do not, so that neighbouring zones share no point.

    Example:
        >>> square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
        >>> is_inside(np.array([[5.0, 5.0], [15.0, 5.0]]), square)
        array([ True, False])
    """
    x, y = points[:, 0, None], points[:, 1, None]
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    spans = (y0 <= y) != (y1 <= y)
    # A horizontal edge spans nothing; its height is replaced only to keep the division defined.
    meets_at = x0 + (y - y0) * (x1 - x0) / np.where(y1 == y0, 1.0, y1 - y0)
    inside: NDArray[np.bool_] = (np.count_nonzero(spans & (meets_at <= x), axis=1) % 2).astype(bool)
    return inside


def depths(points: NDArray[np.floating], ends: Points) -> NDArray[np.float64]:
    """Return the signed distances of points from an infinite line, pixels, shape ``(N,)``; left is negative.

    Left is on the screen, looking from the first end to the second.

    Args:
        points: Shape ``(N, 2)``, pixels.
        ends: Shape ``(2, 2)``, two different points.

    Example:
        >>> up_the_picture = np.array([[0, 10], [0, 0]], float)
        >>> depths(np.array([[-3.0, 5.0], [4.0, 5.0]]), up_the_picture)
        array([-3.,  4.])
    """
    along = ends[1] - ends[0]
    offsets = points - ends[0]
    distances: NDArray[np.float64] = along[0] * offsets[:, 1] - along[1] * offsets[:, 0]
    distances /= np.hypot(*along)
    return distances


def crossings(points: NDArray[np.floating], ends: Points) -> NDArray[np.int64]:
    """Return where a path crosses a line between its two ends, shape ``(N - 1,)``.

    Args:
        points: Shape ``(N, 2)``, pixels, in order of time; no point on the line itself.
        ends: Shape ``(2, 2)``, two different points.

    Returns:
        1 if the step from point ``i`` to ``i + 1`` goes from left to right, -1 from right to left, else 0.

    Example:
        >>> up_the_picture = np.array([[0, 10], [0, 0]], float)
        >>> crossings(np.array([[-3.0, 5.0], [4.0, 5.0], [4.0, 50.0], [-4.0, 50.0]]), up_the_picture)
        array([1, 0, 0])
    """
    starts, steps = points[:-1], np.diff(points, axis=0)
    turns = [steps[:, 0] * (y - starts[:, 1]) - steps[:, 1] * (x - starts[:, 0]) for x, y in ends]
    is_between_ends = turns[0] * turns[1] <= 0
    is_right = depths(points, ends) > 0
    directions: NDArray[np.int64] = np.diff(is_right.astype(np.int64)) * is_between_ends
    return directions


def _points(given: object) -> Points | None:
    """Return points, shape ``(N, 2)``, or None if ``given`` is something else."""
    try:
        points = np.array(given, np.float64)
    except (TypeError, ValueError):
        return None
    return points if points.ndim == 2 and points.shape[1] == 2 and np.isfinite(points).all() else None
