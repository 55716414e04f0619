"""A campus: a grid of streets between houses, for hundreds of people and tens of cameras."""

import itertools
import math

from connectors.synthetic.places.furniture import bench, car, lamp_post, tree
from connectors.synthetic.places.light import DUSK, OVERCAST, SUN
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.place import Lane, Place, Spot
from connectors.synthetic.places.primitives import Box, Point2, Primitive, patch, shown_on
from connectors.synthetic.places.variation import Variation
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects

_SIZE_HW = (360, 640)
_COLUMNS, _ROWS, _CAMERAS = 8, 6, 32
_APART_M, _STREET_M = 22.0, 9.0


def campus(variant: int = 0) -> Place:
    """Return the campus: 8 by 6 crossings 22 m apart, 32 of which have a camera, named ``c00`` to ``c31``.

    Neighbouring cameras see little or nothing of each other's ground; people enter and leave at the rim.

    Args:
        variant: 0: as written; others differ in colours, objects, light and cameras.
    """
    vary = Variation("campus", variant)
    nodes: dict[str, Point2] = {}
    lanes: list[tuple[str, str, float]] = []
    doors: list[str] = []
    spots: list[Spot] = []
    for i, j in itertools.product(range(_COLUMNS), range(_ROWS)):
        x, y = i * _APART_M, j * _APART_M
        nodes[f"{i},{j}"] = (x, y)
        if i:
            lanes.append((f"{i - 1},{j}", f"{i},{j}", 2.0))
        if j:
            lanes.append((f"{i},{j - 1}", f"{i},{j}", 2.0))
        spots.append(Spot(f"{i},{j}", (x + 2.9, y + 2.9), 3.9, ("talk", "phone", "stand")[(i + j) % 3]))
        spots.append(Spot(f"{i},{j}", (x - 2.9, y + 2.9), 5.5, ("phone", "talk", "talk")[(i + j) % 3]))
        rims = ((i == 0, -1, 0), (i == _COLUMNS - 1, 1, 0), (j == 0, 0, -1), (j == _ROWS - 1, 0, 1))
        for at_rim, dx, dy in rims:
            if at_rim:
                door = f"{i},{j}" + {(-1, 0): "w", (1, 0): "e", (0, -1): "s", (0, 1): "n"}[dx, dy]
                nodes[door] = (x + 15 * dx, y + 15 * dy)
                lanes.append((f"{i},{j}", door, 2.0))
                doors.append(door)
    return Place(
        name="campus",
        primitives=tuple(_blocks(vary)),
        ground=Material(
            "tiles", vary.color((136, 130, 122), 35), (92, 88, 82), vary.number(0.6, 0.3, 1.2), vary.seed(1)
        ),
        light=vary.light(SUN, (OVERCAST, DUSK)),
        cameras=_cameras(vary),
        doors=tuple(doors),
        nodes=nodes,
        edges=tuple(Lane(*lane) for lane in lanes),
        spots=tuple(spots),
        capacity=600,
    )


def _cameras(vary: Variation) -> tuple[Camera, ...]:
    cameras: list[Camera] = []
    crossings = list(itertools.product(range(_COLUMNS), range(_ROWS)))
    for number in range(_CAMERAS):
        i, j = crossings[number * len(crossings) // _CAMERAS]
        angle = math.pi / 2 * ((i + 2 * j + number) % 4)
        ahead, aside = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
        x, y = i * _APART_M, j * _APART_M
        # Cameras of one model still differ: by age, dirt and installation.
        wobble = math.sin(12.9 * number), math.sin(7.3 * number + 1), math.sin(3.1 * number + 2)
        effects = CameraEffects(
            exposure=0.72 * (1 + 0.2 * wobble[0]),
            white_balance=(1 + 0.07 * wobble[1], 1.0, 1 - 0.09 * wobble[2]),
            saturation=0.85 + 0.2 * wobble[2],
            blur_px=0.65 + 0.25 * wobble[1],
            noise=0.022 + 0.01 * wobble[0],
            jpeg_quality=round(72 + 12 * wobble[2]),
        )
        position = x - 7.5 * ahead[0] + 3.2 * aside[0], y - 7.5 * ahead[1] + 3.2 * aside[1], 4.4 + 0.6 * wobble[0]
        target = x + 0.6 * ahead[0], y + 0.6 * ahead[1], 0.5
        written = Camera(f"c{number:02d}", position, target, 520.0, _SIZE_HW, effects, 0.015 * wobble[1])
        cameras.append(vary.camera(written))
    return tuple(cameras)


def _blocks(vary: Variation) -> list[Primitive]:
    walls = [
        Material("brick", vary.color((150, 84, 64)), (170, 160, 150), seed=vary.seed(2)),
        Material("plain", vary.color((186, 172, 146))),
        Material("tiles", vary.color((162, 152, 138)), (110, 104, 96), 0.9, vary.seed(3)),
        Material("panel", vary.color((128, 140, 150)), (90, 96, 100), 1.2, vary.seed(4)),
        Material("brick", vary.color((120, 104, 90)), (150, 144, 136), seed=vary.seed(5)),
    ]
    glass = Material("glass", (66, 74, 84), vary.color((180, 180, 176)), vary.number(1.4, 1.0, 2.0), vary.seed(6))
    road, leaves = Material("asphalt", (88, 88, 90), seed=2), vary.color((66, 104, 44), 40)
    primitives: list[Primitive] = []
    size = _APART_M - _STREET_M
    for i, j in itertools.product(range(_COLUMNS + 1), range(_ROWS + 1)):
        x, y = (i - 1) * _APART_M + _STREET_M / 2, (j - 1) * _APART_M + _STREET_M / 2
        number = i * (_ROWS + 1) + j
        if number % 5 == 3:
            primitives.append(patch((x, x + size), (y, y + size), Material("lawn", (70, 98, 44), seed=number)))
            for k in range(4):
                primitives += tree(x + 2 + 3 * k, y + 3 + 5 * (k % 2), leaves=leaves, seed=number + k, height_m=5.0)
            primitives += bench(x + 6.0, y + 1.0)
            continue
        high = 5.0 + (number * 5) % 4
        primitives.append(Box((x, y, 0.0), (x + size, y + size, high), walls[number % len(walls)]))
        # Two windows, a door and a poster on each side.
        door = Material("door", vary.color((84, 66, 54), 50))
        for side, (wall, at, start) in enumerate(
            (("south", y, x), ("north", y + size, x), ("west", x, y), ("east", x + size, y))
        ):
            primitives.append(shown_on(wall, at, (start + 1.2, start + 4.4), (0.9, 2.6), glass))
            primitives.append(shown_on(wall, at, (start + 8.6, start + 11.8), (0.9, 2.6), glass))
            primitives.append(shown_on(wall, at, (start + 5.0, start + 6.1), (0.0, 2.1), door))
            paper = Material("poster", vary.color((190, 170, 140)), (40, 30, 30), seed=vary.seed(number * 4 + side))
            primitives.append(shown_on(wall, at, (start + 6.9, start + 8.0), (0.9, 2.2), paper))
    for i, j in itertools.product(range(_COLUMNS), range(_ROWS)):
        x, y = i * _APART_M, j * _APART_M
        primitives.append(patch((x - 1.1, x + 1.1), (y - _APART_M / 2, y + _APART_M / 2), road))
        primitives += lamp_post(x - 3.9, y - 3.9)
        if (i + j) % 3 == 0:
            primitives += tree(x + 3.7, y - 3.7, leaves=leaves, seed=vary.seed(i * 10 + j))
        if (i + 2 * j) % 4 == 1:
            primitives += car(x + 3.4, y + 9.4, color=vary.color((60 + 13 * i, 50 + 20 * j, 90), 80), along="y")
    return primitives
