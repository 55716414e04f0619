"""Geometry in the plane: polygons, lines and homographies."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.core import TrackPath
from pipeline.core.boxes import foot_points

Points = NDArray[np.float64]
"""Shape ``(N, 2)``, float64."""

STEADY_S = 1.0
"""Seconds before and after a foot point that say where it should be. A box that grows over somebody who passes in front
moves the foot point for about that long (rendered worlds). A larger value also removes short steps into a place."""

MAX_DEVIATION = 3.0
"""Distance from the median of those seconds, in median distances, above which a foot point is an outlier. Of a person
who walks evenly no point is further than 2. A larger value leaves outliers in."""


def ground_points(path: TrackPath) -> Points:
    """Return where a person stands, shape ``(N, 2)``, pixels: foot points, at most in the last row and column.

    A box that is cut by the lower edge of the picture has its foot point on that edge, and a zone drawn down to the
    edge includes it.
    """
    height, width = path.frame_hw
    return np.clip(foot_points(path.boxes_xyxy).astype(np.float64), 0, [width - 1, height - 1])


def without_outliers(points: Points, times: NDArray[np.float64]) -> Points:
    """Return foot points, shape ``(N, 2)``, with outliers replaced by the median of the points around them.

    A Hampel filter (F. R. Hampel, The influence curve and its role in robust estimation, 1974) over the distance from
    the median. A walk at an even pace stays as it is, also at its ends.

    Args:
        points: Shape ``(N, 2)``, any unit; points that are not finite stay.
        times: Shape ``(N,)``, Unix seconds, ascending.

    Example:
        >>> times = np.arange(7) * 0.1
        >>> walk = np.column_stack([np.arange(7.0), [0, 0, 0, 9, 0, 0, 0]])
        >>> float(without_outliers(walk, times)[:, 1].max())
        0.0
    """
    is_near = np.abs(times[:, None] - times) <= STEADY_S + 1e-6
    centres = np.column_stack([_medians(values, is_near) for values in points.T])
    distances = np.hypot(*(points[None, :] - centres[:, None]).transpose(2, 0, 1))
    is_outlier = np.diagonal(distances) > MAX_DEVIATION * _medians(distances, is_near)
    return np.where(is_outlier[:, None], centres, points)


def _medians(values: Points, is_near: NDArray[np.bool_]) -> Points:
    """Return the median of each row of those values that are near, shape ``(N,)``; infinite if most are not finite."""
    ordered = np.sort(np.where(is_near & np.isfinite(values), values, np.inf), axis=1)
    counts = np.count_nonzero(is_near, axis=1)
    rows = np.arange(len(counts))
    found: Points = (ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2
    return found


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


def area(polygon: Points) -> float:
    """Return the signed area (shoelace formula)."""
    x, y = polygon.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def crossed_edges(polygon: Points) -> str | None:
    """Return two edges of a polygon that cross each other, in words; None if there are none."""
    edges = list(zip(polygon, np.roll(polygon, -1, axis=0), strict=True))
    for i, j in combinations(range(len(edges)), 2):
        if j - i in (1, len(edges) - 1):
            continue
        (a, b), (c, d) = edges[i], edges[j]
        turns = [_turn(a, b, c) * _turn(a, b, d), _turn(c, d, a) * _turn(c, d, b)]
        if max(turns) < 0:
            return f"{a.tolist()}-{b.tolist()} and {c.tolist()}-{d.tolist()}"
    return None


def _turn(a: Points, b: Points, c: Points) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def mapped(homography: NDArray[np.floating], points: NDArray[np.floating]) -> Points:
    """Return points after a homography, shape ``(N, 2)``; not finite on its horizon."""
    found = np.column_stack([points, np.ones(len(points))]) @ homography.T
    result: Points = found[:, :2] / np.where(found[:, 2:] == 0, np.nan, found[:, 2:])
    return result


def is_on_ground(homography: Points, points: NDArray[np.floating], frame_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels lie on the side of the horizon where the lower edge of the picture is, shape ``(N,)``.

    Args:
        homography: Shape ``(3, 3)``, pixels to metres.
        points: Shape ``(N, 2)``, pixels.
        frame_hw: Height and width of the picture, pixels.
    """
    below = np.array([frame_hw[1] / 2, frame_hw[0], 1.0]) @ homography[2]
    on_side: NDArray[np.bool_] = (np.column_stack([points, np.ones(len(points))]) @ homography[2]) * below > 0
    return on_side
