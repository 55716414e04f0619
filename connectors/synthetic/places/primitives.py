"""Primitives of a place: boxes, cylinders and ellipsoids, their materials, and the obstacles they form.

World frame: metres, x east, y north, z up, the ground at z = 0. Colours: sRGB, 0 to 255.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

Color = tuple[int, int, int]
Point2 = tuple[float, float]
Point3 = tuple[float, float, float]
Pixels = NDArray[np.float32]
Numbers = NDArray[np.floating]

KINDS = (
    *("plain", "tiles", "brick", "planks", "asphalt", "lawn", "carpet", "panel", "ceiling"),
    *("glass", "door", "poster", "sign", "goods", "leaf", "lamp"),
)


@dataclass(frozen=True, slots=True)
class Material:
    """The material of a surface.

    Attributes:
        kind: One of `KINDS`. ``ceiling`` and ``lamp`` let the light from above through, because it comes from them.
        color: Main colour.
        second: Colour of mortar, joints, frames or letters, depending on the kind.
        size_m: Period of the pattern, metres: a tile, a plank, a window, a shelf board.
        seed: Seed of the pattern.
    """

    kind: str
    color: Color
    second: Color = (90, 90, 90)
    size_m: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"material: expected one of {', '.join(KINDS)}, got {self.kind!r}; name another")
        if not self.size_m > 0:
            raise ConfigError(f"material {self.kind}: expected size_m above 0, got {self.size_m}; enlarge it")


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box, from its lowest to its highest corner, metres."""

    low: Point3
    high: Point3
    material: Material

    def __post_init__(self) -> None:
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ConfigError(f"box: expected low below high on every axis, got {self.low}, {self.high}; swap them")

    @property
    def bounds(self) -> tuple[Point3, Point3]:
        """Lowest and highest corner."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class Cylinder:
    """A vertical cylinder, closed at its top, metres."""

    center_xy: Point2
    radius: float
    z_range: Point2
    material: Material

    def __post_init__(self) -> None:
        if not self.radius > 0 or self.z_range[0] >= self.z_range[1]:
            raise ConfigError(
                f"cylinder: expected a radius above 0 and rising z_range, got {self.radius}, {self.z_range}; mend it"
            )

    @property
    def bounds(self) -> tuple[Point3, Point3]:
        """Lowest and highest corner of the box around it."""
        (x, y), r, (low, high) = self.center_xy, self.radius, self.z_range
        return (x - r, y - r, low), (x + r, y + r, high)


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An axis-aligned ellipsoid, metres."""

    center: Point3
    radii: Point3
    material: Material

    def __post_init__(self) -> None:
        if any(not radius > 0 for radius in self.radii):
            raise ConfigError(f"ellipsoid: expected radii above 0, got {self.radii}; enlarge them")

    @property
    def bounds(self) -> tuple[Point3, Point3]:
        """Lowest and highest corner of the box around it."""
        (x, y, z), (a, b, c) = self.center, self.radii
        return (x - a, y - b, z - c), (x + a, y + b, z + c)


Primitive = Box | Cylinder | Ellipsoid


def shown_on(wall: str, at: float, along: Point2, z: Point2, material: Material, thickness_m: float = 0.06) -> Box:
    """Return a flat box on a wall: a poster, a window, a door.

    Args:
        wall: Direction it faces: ``north``, ``south``, ``east`` or ``west``.
        at: Coordinate of the wall's surface, metres (y for north and south, x otherwise).
        along: From, to along the wall, metres.
        z: From, to above the ground, metres.
        material: Of the box.
        thickness_m: Distance that it stands out from the wall.
    """
    out = thickness_m if wall in ("north", "east") else -thickness_m
    low, high = min(at, at + out), max(at, at + out)
    if wall in ("north", "south"):
        return Box((along[0], low, z[0]), (along[1], high, z[1]), material)
    return Box((low, along[0], z[0]), (high, along[1], z[1]), material)


def wall(
    facing: str, at: float, along: Point2, height_m: float, material: Material, gaps: Sequence[float] = ()
) -> list[Primitive]:
    """Return a wall, 2 m thick, with doorways that hide the people in them.

    Args:
        facing: Direction its surface faces: ``north``, ``south``, ``east`` or ``west``.
        at: Coordinate of the surface, metres (y for north and south, x otherwise).
        along: From, to along the wall, metres.
        height_m: Of the wall; above 2.3.
        material: Of the wall.
        gaps: Centres of the doorways along the wall, each 1.3 m wide and 2.2 m high.
    """
    deep, half = 2.0 if facing in ("south", "west") else -2.0, 0.65
    edges = [along[0], *(edge for gap in sorted(gaps) for edge in (gap - half, gap + half)), along[1]]
    dark = Material("plain", (54, 50, 46))
    parts = [(edges[i], edges[i + 1], 0.0, height_m, at, at + deep, material) for i in range(0, len(edges), 2)]
    for gap in gaps:
        parts.append((gap - half, gap + half, 2.2, height_m, at, at + deep, material))
        parts.append((gap - half, gap + half, 0.0, 2.2, at + deep * 0.95, at + deep, dark))
    boxes: list[Primitive] = []
    for first, last, low, high, near, far, surface_of in parts:
        y0, y1 = min(near, far), max(near, far)
        if facing in ("north", "south"):
            boxes.append(Box((first, y0, low), (last, y1, high), surface_of))
        else:
            boxes.append(Box((y0, first, low), (y1, last, high), surface_of))
    return boxes


def patch(x: Point2, y: Point2, material: Material, *, height_m: float = 0.012) -> Box:
    """Return a flat piece of other ground: a road, a marking, a mat."""
    return Box((x[0], y[0], 0.0), (x[1], y[1], height_m), material)


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


def linear_rgb(color: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return an sRGB colour (0 to 255) as linear reflectance, shape ``(3,)``, float32, 0 to 1."""
    return ((np.asarray(color, np.float32) / 255) ** np.float32(2.2)).astype(np.float32)


def noise(u: Numbers, v: Numbers, seed: int) -> Pixels:
    """Return smooth value noise in [0, 1] with period 256 and features of size 1."""
    rng = np.random.default_rng(seed % 64)
    grid = rng.random((256, 256), np.float32)
    i, j = np.floor(u), np.floor(v)
    a, b = u - i, v - j
    a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
    i0, j0 = i.astype(np.int32) & 255, j.astype(np.int32) & 255
    i1, j1 = (i0 + 1) & 255, (j0 + 1) & 255
    low = grid[j0, i0] * (1 - a) + grid[j0, i1] * a
    return np.asarray(low * (1 - b) + (grid[j1, i0] * (1 - a) + grid[j1, i1] * a) * b, np.float32)


def clouds(u: Numbers, v: Numbers, seed: int) -> Pixels:
    """Return noise of three octaves in [0, 1]."""
    big, mid = noise(u, v, seed), noise(u * 2.1 + 7, v * 2.1 + 3, seed + 1)
    return np.asarray((big + 0.5 * mid + 0.25 * noise(u * 4.3 + 1, v * 4.3 + 9, seed + 2)) / 1.75, np.float32)


def _cell(u: Numbers, v: Numbers, seed: int) -> Pixels:
    """Return one number in [0, 1] per integer cell."""
    grid = np.random.default_rng(seed % 64 + 64).random((64, 64), np.float32)
    return np.asarray(grid[np.floor(v).astype(np.int64) & 63, np.floor(u).astype(np.int64) & 63])


def surface(m: Material, u: Pixels, v: Pixels, uu: Pixels, vv: Pixels, size: Pixels) -> tuple[Pixels, Pixels | float]:
    """Return reflectance and emission of points of one material.

    Args:
        m: The material.
        u: Metres along the surface, shape ``(N,)``.
        v: Metres up (or across) the surface.
        uu: Position across the primitive, 0 to 1.
        vv: Position up the primitive, 0 to 1.
        size: Metres that one pixel covers; finer detail fades.
    """
    color, second = linear_rgb(m.color), linear_rgb(m.second)
    s, seed = np.float32(m.size_m), m.seed * 7
    plain = np.broadcast_to(color, (len(u), 3))

    def mixed(
        other: Pixels | NDArray[np.float64], where: NDArray[np.bool_] | Pixels, width_m: float, base: Pixels
    ) -> Pixels:
        weight = where * np.clip(width_m / np.maximum(size, 1e-6), 0, 1)
        return np.asarray(base + (other - base) * weight[:, None], np.float32)

    if m.kind in ("tiles", "carpet", "panel", "ceiling"):
        width = {"tiles": 0.012, "carpet": 0.004, "panel": 0.02, "ceiling": 0.03}[m.kind]
        tone = 1 + {"tiles": 0.3, "carpet": 0.18, "panel": 0.06, "ceiling": 0.05}[m.kind] * (
            _cell(u / s, v / s, seed) - 0.5
        )
        joint = (np.mod(u, s) < width) | (np.mod(v, s) < width)
        base = mixed(second, joint, width, plain * tone[:, None])
        if m.kind == "ceiling":
            lamp = (np.mod(np.floor(u / s), 4) == 1) & (np.mod(np.floor(v / s), 3) == 1) & ~joint
            # The second term is the light that the floor reflects.
            return base, lamp[:, None] * np.float32(1.6) + 0.3 * base
        return base, 0.0
    if m.kind == "brick":
        row = np.floor(v / 0.085)
        along = u / 0.24 + 0.5 * np.mod(row, 2)
        head, bed = 0.05, 0.13  # shares that are mortar
        joint = (np.mod(along, 1) < head) | (np.mod(v / 0.085, 1) < bed)
        tone = 1 + 0.6 * (_cell(along, row, seed) - 0.5) * np.clip(0.2 / np.maximum(size, 1e-6), 0, 1)
        # Courses finer than about a pixel would alias with the rows of the image: their mean is used instead.
        fine = np.clip((0.021 - size) / 0.011, 0, 1)
        mortar = fine * joint + (1 - fine) * (1 - (1 - head) * (1 - bed))
        return mixed(second, mortar, np.inf, plain * tone[:, None]), 0.0
    if m.kind == "planks":
        tone = 1 + 0.4 * (_cell(u / s, np.zeros_like(u), seed) - 0.5) + 0.25 * (noise(u * 8, v * 50, seed) - 0.5)
        return mixed(color * 0.4, np.mod(u, s) < 0.1 * s, 0.1 * float(s), plain * tone[:, None]), 0.0
    if m.kind in ("asphalt", "lawn"):
        grain = noise(u * 60, v * 60, seed) - 0.5
        patch = clouds(u * 0.35, v * 0.35, seed + 3) - 0.5
        strength = (0.5, 0.5) if m.kind == "asphalt" else (0.9, 0.7)
        return np.asarray(plain * (1 + strength[0] * grain + strength[1] * patch)[:, None], np.float32), 0.0
    if m.kind == "leaf":
        return np.asarray(plain * (0.35 + 1.4 * clouds(u * 9, v * 9, seed))[:, None], np.float32), 0.0
    if m.kind == "glass":
        frame = (np.mod(u, s) < 0.07) | (np.mod(v, 1.3) < 0.07)
        mirror = 0.03 + 0.30 * clouds(u * 1.1 + v * 0.3, v * 0.8, seed) ** 2
        return mixed(second, frame, 0.07, plain * 0.6 + mirror[:, None] * (0.85, 0.95, 1.08)), 0.0
    if m.kind == "poster":
        # Four tints: the paper, the ink, and two from the seed.
        tints = np.random.default_rng(m.seed).random((2, 3)) ** 2 * 0.8
        shapes = clouds(uu * 3 + 3.1 * m.seed, vv * 4 + 1.7 * m.seed, seed)
        base = np.where((shapes > 0.47)[:, None], color, tints[0])
        base = np.where((clouds(uu * 5, vv * 5 + m.seed, seed + 5) > 0.58)[:, None], tints[1], base)
        base = base * (0.75 + 0.5 * clouds(uu * 9, vv * 9, seed + 9))[:, None]
        text = (np.mod(vv * 14, 1) < 0.45) & (vv < 0.33) & (_cell(uu * 26, vv * 14, seed) > 0.4)
        base = np.where(text[:, None], second, base)
        edge = (uu < 0.03) | (uu > 0.97) | (vv < 0.03) | (vv > 0.97)
        return np.where(edge[:, None], np.float32(0.75), base).astype(np.float32), 0.0
    if m.kind == "sign":
        letter = (vv > 0.28) & (vv < 0.74) & (noise(uu * 16, vv * 4, seed) > 0.5) & (uu > 0.06) & (uu < 0.94)
        return mixed(second, letter, 0.1, plain), 0.0
    if m.kind == "door":
        frame = (uu < 0.06) | (uu > 0.94) | (vv > 0.965)
        pane = (uu > 0.25) & (uu < 0.75) & (vv > 0.5) & (vv < 0.88)
        base = np.where(pane[:, None], np.float32(0.10), plain)
        base = np.where(((uu > 0.84) & (uu < 0.9) & (np.abs(vv - 0.48) < 0.02))[:, None], np.float32(0.6), base)
        return np.where(frame[:, None], second, base).astype(np.float32), 0.0
    if m.kind == "goods":
        packets = _goods(u, v, s, color, second, seed)
        return np.where((vv > 0.995)[:, None], second, packets).astype(np.float32), 0.0
    if m.kind == "lamp":
        return plain, plain * np.float32(2.5)
    return plain, 0.0


def _goods(u: Pixels, v: Pixels, board_m: np.float32, color: Pixels, second: Pixels, seed: int) -> Pixels:
    """Return shelf boards full of packets: runs of one product, some gaps, price labels on the edge of the board."""
    board = np.floor(v / board_m)
    run = np.floor(u / 0.55 + 3.7 * board)
    width = 0.08 + 0.12 * _cell(run, board, seed)
    one = np.mod(u / width, 1)
    hue = np.stack([_cell(run + 11 * k, board + 17 * k, seed + k) for k in (1, 2, 3)], 1) ** 1.5
    hue = hue.mean(1, keepdims=True) * 0.35 + hue * 0.65
    label = _cell(run + 5, board + 3, seed + 4)[:, None]
    up = np.mod(v / board_m, 1)
    band = ((up > 0.3) & (up < 0.3 + 0.3 * label[:, 0]))[:, None]
    base = np.where(band, 1 - 0.8 * hue, 0.05 + 0.75 * hue)
    top = 0.5 + 0.42 * _cell(run + 23, board, seed + 5)
    gap = (one < 0.07) | (up > top) | (_cell(u / width, board, seed + 6) > 0.93)
    base = np.where(gap[:, None], second * 0.4, base)
    tag = (up < 0.1) & (np.mod(u, 0.27) < 0.09)
    base = np.where((up < 0.1)[:, None], color, base)
    return np.where(tag[:, None], np.float32(0.8), base).astype(np.float32)
