"""A plaza with a fountain, a street to the north, and an alley to the north-east; four cameras."""

import math

from connectors.world.camera import Camera
from connectors.world.effects import CameraEffects
from connectors.world.light import DUSK, OVERCAST, SUN
from connectors.world.place import Dice, Lane, Place, Spot
from connectors.world.solids import (
    Box,
    Color,
    Cylinder,
    Ellipsoid,
    Material,
    Point2,
    Point3,
    Solid,
    shown_on,
)

_SIZE_HW = (360, 640)


def plaza(variant: int = 0) -> Place:
    """Return the plaza.

    Cameras west and east face each other across it and overlap in the middle; north sees the street, gate the alley,
    which nobody else sees. Street and alley meet behind the houses.

    Args:
        variant: 0: as its clips and scores are made; others differ in colours, things, light and cameras.
    """
    dice = Dice("plaza", variant)
    nodes: dict[str, Point2] = {
        "west_street": (-19.0, -1.0),
        "east_street": (19.0, -1.5),
        "cafe": (-10.5, 7.2),
        "bank": (1.0, -8.2),
        "north_street": (-2.0, 27.5),
        "back": (10.0, 27.5),
        "w": (-10.0, -1.0),
        "nw": (-9.5, 4.0),
        "sw": (-4.0, -5.0),
        "s": (1.0, -5.5),
        "n": (-2.0, 5.5),
        "ne": (4.5, 4.5),
        "se": (6.0, -4.5),
        "e": (10.0, 0.0),
        "street": (-2.0, 13.0),
        "street_end": (-2.0, 23.5),
        "gate": (10.0, 8.0),
        "alley": (10.0, 15.0),
        "alley_end": (10.0, 23.5),
    }
    ways = (
        *(("west_street", "w", 2.0), ("w", "nw", 1.5), ("w", "sw", 1.6), ("nw", "n", 1.2), ("cafe", "nw", 0.8)),
        *(("sw", "s", 1.3), ("s", "bank", 0.8), ("s", "se", 1.3), ("se", "e", 1.6), ("e", "east_street", 2.0)),
        *(("n", "ne", 1.1), ("ne", "e", 1.5), ("n", "street", 1.5), ("street", "street_end", 1.6)),
        *(("street_end", "north_street", 1.5), ("e", "gate", 1.4), ("gate", "alley", 1.1)),
        *(("alley", "alley_end", 1.1), ("alley_end", "back", 1.1), ("street_end", "alley_end", 1.5)),
    )
    spots = (
        Spot("w", (-8.3, -3.4), math.pi / 2, "stand"),
        Spot("nw", (-6.8, 6.7), math.pi / 2, "stand"),
        Spot("nw", (-12.6, 3.6), -0.7, "talk"),
        Spot("s", (-1.3, -6.9), -math.pi / 2, "stand"),
        Spot("se", (7.6, -6.4), 2.2, "phone"),
        Spot("e", (11.8, 3.6), 3.4, "talk"),
        Spot("street", (-4.2, 14.5), math.pi, "stand"),
        Spot("street", (-0.3, 18.0), 2.8, "phone"),
        Spot("alley", (11.3, 16.5), math.pi, "phone"),
    )
    return Place(
        name="plaza",
        solids=(*_houses(dice), *_things(dice)),
        ground=Material(
            "tiles", dice.color((158, 152, 142)), (104, 100, 94), dice.number(0.75, 0.3, 1.2), dice.seed(1)
        ),
        light=dice.pick(SUN, (SUN, OVERCAST, DUSK)),
        cameras=_cameras(dice),
        doors=("west_street", "east_street", "cafe", "bank", "north_street", "back"),
        nodes=nodes,
        edges=tuple(Lane(*way) for way in ways),
        spots=spots,
        capacity=40,
    )


def _cameras(dice: Dice) -> tuple[Camera, ...]:
    west = CameraEffects(0.78, (1.04, 1.0, 0.94), 1.05, 0.95, 0.25, 0.55, 0.020, 0.3, 82, 0.02)
    east = CameraEffects(0.95, (0.93, 1.0, 1.10), 0.95, 0.80, 0.35, 0.70, 0.028, 0.2, 70, 0.04)
    north = CameraEffects(0.66, (1.10, 1.0, 0.86), 1.10, 1.10, 0.15, 0.60, 0.024, 0.5, 76, 0.02)
    gate = CameraEffects(1.10, (0.98, 1.0, 1.03), 0.90, 0.65, 0.30, 0.95, 0.034, 0.1, 62, 0.03)
    return (
        dice.camera(Camera("west", (-16.5, -5.2, 3.6), (-8.2, 0.6, 0.7), 470, _SIZE_HW, west, 0.000)),
        dice.camera(Camera("east", (16.0, -5.8, 4.3), (6.6, -0.6, 0.6), 480, _SIZE_HW, east, 0.011)),
        dice.camera(Camera("north", (-4.6, 8.0, 3.2), (-1.6, 16.0, 0.7), 480, _SIZE_HW, north, -0.008)),
        dice.camera(Camera("gate", (8.4, 24.6, 3.0), (10.2, 16.4, 0.7), 500, _SIZE_HW, gate, 0.019)),
    )


def _houses(dice: Dice) -> list[Solid]:
    brick = Material("brick", dice.color((150, 84, 64)), (170, 160, 150), seed=dice.seed(2))
    plaster = Material("plain", dice.color((196, 186, 164)))
    stone = Material("tiles", dice.color((172, 164, 150)), (120, 114, 104), 0.9, dice.seed(3))
    glass = Material("glass", (70, 78, 86), dice.color((190, 190, 185)), dice.number(1.2, 0.9, 1.8), dice.seed(4))
    north, south = dice.pick(brick, (plaster, stone)), dice.pick(stone, (brick, plaster))
    walls: list[Solid] = [
        Box((-22.0, 8.0, 0.0), (-5.0, 30.0, 7.0), north),
        Box((1.0, 8.0, 0.0), (8.0, 22.0, 6.5), dice.pick(plaster, (brick, stone))),
        Box((12.0, 8.0, 0.0), (24.0, 30.0, 6.0), dice.pick(brick, (plaster,))),
        Box((-22.0, -14.0, 0.0), (24.0, -9.0, 7.5), south),
        Box((-26.0, -9.0, 0.0), (-24.0, 8.0, 6.0), plaster),
        Box((26.0, -9.0, 0.0), (28.0, 8.0, 6.0), brick),
        Box((-5.0, 31.0, 0.0), (12.0, 33.0, 6.0), plaster),
    ]
    windows = [shown_on("south", 8.0, (x, x + 2.2), (3.4, 5.0), glass) for x in (-20.0, -16.0, -12.0, -8.0, 2.0, 5.0)]
    windows += [shown_on("north", -9.0, (x, x + 2.4), (3.4, 5.2), glass) for x in range(-20, 22, 4)]
    return walls + windows


def _things(dice: Dice) -> list[Solid]:
    stone = Material("tiles", dice.color((140, 136, 128)), size_m=0.4)
    things: list[Solid] = [
        Cylinder((0.0, 0.0), 1.9, (0.0, 0.55), stone),
        Cylinder((0.0, 0.0), 0.35, (0.0, 1.9), stone),
        Ellipsoid((0.0, 0.0, 2.0), (0.6, 0.6, 0.25), stone),
    ]
    things += tree(-5.8, 1.6, leaves=dice.color((66, 104, 44), 40), seed=dice.seed(1))
    return things


def bench(x: float, y: float, *, length_m: float = 1.8, along: str = "x", wood: Color = (128, 92, 58)) -> list[Solid]:
    """Return a bench with a back, its middle at ``(x, y)``."""
    planks, iron = Material("planks", wood, size_m=0.12), Material("plain", (48, 50, 54))
    h = length_m / 2
    parts = [((-h, -0.22, 0.40), (h, 0.22, 0.46), planks), ((-h, 0.20, 0.55), (h, 0.25, 0.88), planks)]
    parts += [((e - 0.06, -0.2, 0.0), (e + 0.06, 0.22, 0.40), iron) for e in (0.2 - h, h - 0.2)]
    return [_placed(low, high, material, x, y, along) for low, high, material in parts]


def tree(x: float, y: float, *, height_m: float = 4.6, leaves: Color = (66, 104, 44), seed: int = 0) -> list[Solid]:
    """Return a tree: a trunk and three overlapping clouds of leaves."""
    leaf, bark = Material("leaf", leaves, seed=seed), Material("planks", (84, 66, 50), size_m=0.09)
    turn, r = seed * 2.4, height_m * 0.27
    clouds: list[Solid] = [Cylinder((x, y), 0.14, (0.0, height_m * 0.6), bark)]
    for i, (out, up, size) in enumerate(((0.0, 0.74, 1.0), (0.55, 0.66, 0.7), (0.5, 0.6, 0.62))):
        angle = turn + 2.6 * i
        center = (x + r * out * math.cos(angle), y + r * out * math.sin(angle), height_m * up)
        clouds.append(Ellipsoid(center, (r * size, r * size, r * size * 0.85), leaf))
    return clouds


def car(x: float, y: float, *, color: Color, along: str = "x") -> list[Solid]:
    """Return a parked car, 4.2 m long."""
    paint, glass = Material("plain", color), Material("glass", (40, 46, 52), color, size_m=1.25)
    tyre = Material("plain", (28, 28, 30))
    body: list[Solid] = [
        _placed((-2.1, -0.85, 0.26), (2.1, 0.85, 0.92), paint, x, y, along),
        _placed((-1.2, -0.76, 0.92), (1.35, 0.76, 1.38), glass, x, y, along),
        _placed((-1.1, -0.74, 1.38), (1.25, 0.74, 1.46), paint, x, y, along),
    ]
    for dx in (-1.3, 1.3):
        for dy in (-0.82, 0.82):
            cx, cy = (x + dx, y + dy) if along == "x" else (x + dy, y + dx)
            radii = (0.32, 0.10, 0.32) if along == "x" else (0.10, 0.32, 0.32)
            body.append(Ellipsoid((cx, cy, 0.32), radii, tyre))
    return body


def planter(
    x: float, y: float, *, size_m: Point2 = (1.1, 1.1), stone: Color = (150, 146, 138), seed: int = 0
) -> list[Solid]:
    """Return a stone box with bushes."""
    dx, dy = size_m[0] / 2, size_m[1] / 2
    leaf = Material("leaf", (58 + 13 * (seed % 4), 98 + 7 * (seed % 3), 40), seed=seed)
    parts: list[Solid] = [Box((x - dx, y - dy, 0.0), (x + dx, y + dy, 0.5), Material("tiles", stone, size_m=0.5))]
    count = max(1, round(max(size_m) / 1.0))
    for i in range(count):
        t = (i + 0.5) / count * 2 - 1
        cx, cy = (x + dx * t, y) if dx >= dy else (x, y + dy * t)
        width = min(dx, dy) * 0.95
        parts.append(Ellipsoid((cx, cy, 0.6), (max(width, dx / count), max(width, dy / count), 0.32), leaf))
    return parts


def lamp_post(x: float, y: float, *, height_m: float = 4.2) -> list[Solid]:
    """Return a street lamp."""
    iron = Material("plain", (46, 48, 50))
    return [
        Cylinder((x, y), 0.07, (0.0, height_m), iron),
        Ellipsoid((x, y, height_m + 0.12), (0.22, 0.22, 0.18), Material("lamp", (255, 236, 200))),
    ]


def bin_(x: float, y: float, *, color: Color = (50, 54, 58)) -> list[Solid]:
    """Return a litter bin."""
    return [Cylinder((x, y), 0.24, (0.0, 0.92), Material("plain", color))]


def shelf(x: float, y: float, *, length_m: float, along: str, height_m: float = 1.8, seed: int = 0) -> list[Solid]:
    """Return a double-sided shelf with goods, 0.9 m deep, its middle at ``(x, y)``."""
    h = length_m / 2
    goods = Material("goods", (196, 196, 190), (60, 60, 64), size_m=0.36, seed=seed)
    frame = Material("plain", (120, 122, 124))
    return [
        _placed((-h, -0.45, 0.0), (h, 0.45, height_m), goods, x, y, along),
        _placed((-h - 0.05, -0.47, 0.0), (-h, 0.47, height_m + 0.1), frame, x, y, along),
        _placed((h, -0.47, 0.0), (h + 0.05, 0.47, height_m + 0.1), frame, x, y, along),
    ]


def _placed(low: Point3, high: Point3, material: Material, x: float, y: float, along: str) -> Box:
    if along == "y":
        low, high = (low[1], low[0], low[2]), (high[1], high[0], high[2])
    return Box((x + low[0], y + low[1], low[2]), (x + high[0], y + high[1], high[2]), material)
