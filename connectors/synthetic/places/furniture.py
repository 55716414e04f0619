"""Furniture of places: benches, trees, cars, bins, each on the ground at ``(x, y)``, metres."""

import math
from collections.abc import Callable
from functools import partial

from connectors.synthetic.places.materials import Color, Material
from connectors.synthetic.places.primitives import Box, Cylinder, Ellipsoid, Point2, Point3, Primitive
from connectors.synthetic.places.variation import Variation


def indoor_floors(vary: Variation, tiles: Material) -> tuple[Material, ...]:
    """Return floors to pick from: ``tiles``, boards and carpet."""
    boards = Material("planks", vary.color((146, 112, 78), 35), size_m=0.16)
    carpet = Material("carpet", vary.color((84, 88, 100), 35), (70, 72, 82), 0.5)
    return tiles, boards, carpet


def indoor_things(vary: Variation) -> list[Callable[[float, float], list[Primitive]]]:
    """Return functions that make indoor objects at ``(x, y)``."""
    paint, seed = vary.color((120, 100, 80), 70), vary.seed(1)
    return [
        partial(litter_bin, color=paint),
        partial(planter, size_m=(0.45, 0.45), seed=seed),
        partial(board, seed=seed),
        partial(board, seed=seed + 1, along="y"),
        partial(crates, color=paint, seed=seed),
        partial(crates, color=paint, seed=seed + 1),
    ]


def board(x: float, y: float, *, seed: int, along: str = "x") -> list[Primitive]:
    """Return a poster on a stand."""
    paper = Material("poster", (200, 190, 170), (30, 30, 60), seed=seed)
    return [placed((-0.4, -0.04, 0.05), (0.4, 0.04, 1.25), paper, x, y, along)]


def crates(x: float, y: float, *, color: Color, seed: int = 0) -> list[Primitive]:
    """Return a stack of boxes."""
    wood = Material("planks", color, size_m=0.12, seed=seed)
    heights = (0.35, 0.7, 1.05, 1.4)
    return [
        Box((x - 0.3, y - 0.22, 0.0), (x + 0.3, y + 0.22, heights[seed % 4]), wood),
        Box((x + 0.31, y - 0.2, 0.0), (x + 0.75, y + 0.2, 0.35), wood),
    ]


def bench(
    x: float, y: float, *, length_m: float = 1.8, along: str = "x", wood: Color = (128, 92, 58)
) -> list[Primitive]:
    """Return a bench with a back, its middle at ``(x, y)``."""
    planks, iron = Material("planks", wood, size_m=0.12), Material("plain", (48, 50, 54))
    h = length_m / 2
    parts = [((-h, -0.22, 0.40), (h, 0.22, 0.46), planks), ((-h, 0.20, 0.55), (h, 0.25, 0.88), planks)]
    parts += [((e - 0.06, -0.2, 0.0), (e + 0.06, 0.22, 0.40), iron) for e in (0.2 - h, h - 0.2)]
    return [placed(low, high, material, x, y, along) for low, high, material in parts]


def tree(x: float, y: float, *, height_m: float = 4.6, leaves: Color = (66, 104, 44), seed: int = 0) -> list[Primitive]:
    """Return a tree: a trunk and three overlapping clouds of leaves."""
    leaf, bark = Material("leaf", leaves, seed=seed), Material("planks", (84, 66, 50), size_m=0.09)
    turn, r = seed * 2.4, height_m * 0.27
    clouds: list[Primitive] = [Cylinder((x, y), 0.14, (0.0, height_m * 0.6), bark)]
    for i, (out, up, size) in enumerate(((0.0, 0.74, 1.0), (0.55, 0.66, 0.7), (0.5, 0.6, 0.62))):
        angle = turn + 2.6 * i
        center = (x + r * out * math.cos(angle), y + r * out * math.sin(angle), height_m * up)
        clouds.append(Ellipsoid(center, (r * size, r * size, r * size * 0.85), leaf))
    return clouds


def car(x: float, y: float, *, color: Color, along: str = "x") -> list[Primitive]:
    """Return a parked car, 4.2 m long."""
    paint, glass = Material("plain", color), Material("glass", (40, 46, 52), color, size_m=1.25)
    tyre = Material("plain", (28, 28, 30))
    body: list[Primitive] = [
        placed((-2.1, -0.85, 0.26), (2.1, 0.85, 0.92), paint, x, y, along),
        placed((-1.2, -0.76, 0.92), (1.35, 0.76, 1.38), glass, x, y, along),
        placed((-1.1, -0.74, 1.38), (1.25, 0.74, 1.46), paint, x, y, along),
    ]
    for dx in (-1.3, 1.3):
        for dy in (-0.82, 0.82):
            cx, cy = (x + dx, y + dy) if along == "x" else (x + dy, y + dx)
            radii = (0.32, 0.10, 0.32) if along == "x" else (0.10, 0.32, 0.32)
            body.append(Ellipsoid((cx, cy, 0.32), radii, tyre))
    return body


def planter(
    x: float, y: float, *, size_m: Point2 = (1.1, 1.1), stone: Color = (150, 146, 138), seed: int = 0
) -> list[Primitive]:
    """Return a stone box with bushes."""
    dx, dy = size_m[0] / 2, size_m[1] / 2
    leaf = Material("leaf", (58 + 13 * (seed % 4), 98 + 7 * (seed % 3), 40), seed=seed)
    parts: list[Primitive] = [Box((x - dx, y - dy, 0.0), (x + dx, y + dy, 0.5), Material("tiles", stone, size_m=0.5))]
    count = max(1, round(max(size_m) / 1.0))
    for i in range(count):
        t = (i + 0.5) / count * 2 - 1
        cx, cy = (x + dx * t, y) if dx >= dy else (x, y + dy * t)
        width = min(dx, dy) * 0.95
        parts.append(Ellipsoid((cx, cy, 0.6), (max(width, dx / count), max(width, dy / count), 0.32), leaf))
    return parts


def lamp_post(x: float, y: float, *, height_m: float = 4.2) -> list[Primitive]:
    """Return a street lamp."""
    iron = Material("plain", (46, 48, 50))
    return [
        Cylinder((x, y), 0.07, (0.0, height_m), iron),
        Ellipsoid((x, y, height_m + 0.12), (0.22, 0.22, 0.18), Material("lamp", (255, 236, 200))),
    ]


def litter_bin(x: float, y: float, *, color: Color = (50, 54, 58)) -> list[Primitive]:
    """Return a litter bin."""
    return [Cylinder((x, y), 0.24, (0.0, 0.92), Material("plain", color))]


def placed(low: Point3, high: Point3, material: Material, x: float, y: float, along: str) -> Box:
    """Return a box whose corners are relative to ``(x, y)``; with ``along`` = ``y`` its x and y are swapped."""
    if along == "y":
        low, high = (low[1], low[0], low[2]), (high[1], high[0], high[2])
    return Box((x + low[0], y + low[1], low[2]), (x + high[0], y + high[1], high[2]), material)
