"""Obstacles: the footprints of primitives, their distance to people, and pushing people out of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.places.primitives import Box, Primitive

_BODY_Z_M = (0.05, 1.9)
"""Heights of a body, metres: a primitive between them is an obstacle."""


class Obstacles:
    """The footprints of what people cannot walk through.

    Args:
        primitives: Those overhead or flat on the ground are left out.

    Attributes:
        boxes_xyxy: Shape ``(M, 4)``, metres.
        circles: Shape ``(K, 3)``: x, y, radius, metres.
    """

    _CELL_M = 0.5
    _REACH_M = 0.6

    def __init__(self, primitives: Sequence[Primitive]) -> None:
        standing = [
            primitive
            for primitive in primitives
            if primitive.bounds[1][2] > _BODY_Z_M[0] and primitive.bounds[0][2] < _BODY_Z_M[1]
        ]
        bounds = np.array(
            [(*low[:2], *high[:2]) for low, high in (primitive.bounds for primitive in standing)]
        ).reshape(-1, 4)
        is_box = np.array([isinstance(primitive, Box) for primitive in standing], bool)
        self.boxes_xyxy = bounds[is_box]
        round_ = bounds[~is_box]
        self.circles = np.column_stack([(round_[:, :2] + round_[:, 2:]) / 2, np.ptp(round_[:, [0, 2]], axis=1) / 2])
        # A grid of the cells near an obstacle skips the exact test for most people.
        self._origin = bounds[:, :2].min(0, initial=0) - 1
        cells = (
            (bounds - np.tile(self._origin, 2)) + (-self._REACH_M, -self._REACH_M, self._REACH_M, self._REACH_M)
        ) / self._CELL_M
        self._near = np.zeros(np.ceil(cells[:, 2:].max(0, initial=1)).astype(int) + 1, bool)
        for x0, y0, x1, y1 in np.maximum(cells, 0).astype(int).tolist():
            self._near[x0 : x1 + 1, y0 : y1 + 1] = True

    def clearance_m(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance of points, shape ``(N, 2)``, to the nearest obstacle, shape ``(N,)``; below 0 inside."""
        x, y = points[:, :1], points[:, 1:]
        low_x, low_y, high_x, high_y = self.boxes_xyxy.T
        dx, dy = np.maximum(low_x - x, x - high_x), np.maximum(low_y - y, y - high_y)
        boxes = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0)
        circles = np.hypot(x - self.circles[:, 0], y - self.circles[:, 1]) - self.circles[:, 2]
        nothing = np.full((len(points), 1), np.inf)
        nearest: NDArray[np.float64] = np.hstack([boxes, circles, nothing]).min(1)
        return nearest

    def pushed_out(self, points: NDArray[np.float64], distance_m: float) -> NDArray[np.float64]:
        """Return points, shape ``(N, 2)``, each at least ``distance_m`` (0.6 at most) from every obstacle.

        A point too near to a box leaves it by the nearest side.
        """
        points = points.copy()
        cells = np.floor((points - self._origin) / self._CELL_M).astype(int)
        inside = ((cells >= 0) & (cells < self._near.shape)).all(1)
        near = np.zeros(len(points), bool)
        near[inside] = self._near[tuple(cells[inside].T)]
        candidates = np.flatnonzero(near)
        for i in candidates[self.clearance_m(points[candidates]) < distance_m].tolist():
            points[i] = self._pushed(points[i], distance_m)
        return points

    def _pushed(self, point: NDArray[np.float64], distance_m: float) -> tuple[float, float]:
        x, y = point.tolist()
        # A push may bring the point too near to the next obstacle: two rounds are enough between neighbours.
        for _ in range(2):
            low, high = self.boxes_xyxy[:, :2] - distance_m, self.boxes_xyxy[:, 2:] + distance_m
            for k in np.flatnonzero(((low < (x, y)) & (high > (x, y))).all(1)).tolist():
                sides = (x - low[k, 0], high[k, 0] - x, y - low[k, 1], high[k, 1] - y)
                side = int(np.argmin(sides))
                if sides[side] > 0:
                    x = float((low[k, 0], high[k, 0], x, x)[side])
                    y = float((y, y, low[k, 1], high[k, 1])[side])
            for center_x, center_y, radius in self.circles[
                np.hypot(self.circles[:, 0] - x, self.circles[:, 1] - y) < self.circles[:, 2] + distance_m
            ].tolist():
                gap = math.hypot(x - center_x, y - center_y)
                if gap < 1e-6:  # the exact centre has no nearest side
                    x, y = center_x + radius + distance_m, center_y
                    continue
                scale = (radius + distance_m) / gap
                x, y = center_x + (x - center_x) * scale, center_y + (y - center_y) * scale
        return x, y
