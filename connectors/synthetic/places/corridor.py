"""An L of two corridors with doors on both sides; three cameras."""

import math

from connectors.synthetic.places.furniture import bench, indoor_floors, indoor_things, litter_bin, planter
from connectors.synthetic.places.light import INDOOR, Light, towards
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.place import Lane, Place, Spot
from connectors.synthetic.places.primitives import Box, Cylinder, Point2, Primitive, patch, shown_on, wall
from connectors.synthetic.places.variation import Variation
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects

_SIZE_HW = (360, 640)
_HEIGHT_M = 2.9
_COLD = Light(towards(-0.1, 0.15, 1.0), (0.62, 0.70, 0.74), (0.80, 0.92, 1.0), 8.0)
_DIM = Light(towards(0.1, -0.12, 1.0), (0.40, 0.37, 0.31), (0.50, 0.47, 0.40), 8.0)


def corridor(variant: int = 0) -> Place:
    """Return the corridors: one 26 m from west to east, one 15 m to the north from its east end.

    West and bend look along the first from both ends and overlap in its middle; north looks along the second.
    Doors lead into rooms without cameras.

    Args:
        variant: 0: as written, used for the published clips and scores; others differ in colours, objects, light and
            cameras.
    """
    vary = Variation("corridor", variant)
    nodes: dict[str, Point2] = {
        "west_end": (-15.6, 0.0),
        "office_1": (-9.0, 3.0),
        "office_2": (-1.5, 3.0),
        "lab_1": (-5.5, -3.0),
        "lab_2": (4.0, -3.0),
        "stairs": (8.8, 9.0),
        "lift": (15.0, 6.0),
        "north_end": (11.8, 17.0),
        "a": (-12.5, 0.0),
        "b": (-9.0, 0.2),
        "c": (-5.5, -0.2),
        "d": (-1.5, 0.2),
        "e": (4.0, -0.1),
        "f": (8.5, 0.0),
        "corner": (11.6, 0.5),
        "g": (11.8, 6.0),
        "h": (11.8, 9.0),
        "i": (11.8, 13.0),
    }
    lanes = (
        *(("west_end", "a", 0.35), ("a", "b", 0.8), ("b", "c", 0.8), ("c", "d", 0.8), ("d", "e", 0.8)),
        *(("e", "f", 0.8), ("f", "corner", 0.8), ("corner", "g", 0.8), ("g", "h", 0.8), ("h", "i", 0.8)),
        *(("i", "north_end", 0.35), ("b", "office_1", 0.3), ("d", "office_2", 0.3), ("c", "lab_1", 0.3)),
        *(("e", "lab_2", 0.3), ("h", "stairs", 0.3), ("g", "lift", 0.3)),
    )
    spots = (
        Spot("b", (-7.4, -1.05), -math.pi / 2, "stand"),
        Spot("d", (0.4, 1.0), -1.2, "phone"),
        Spot("e", (6.2, -0.55), 1.3, "talk"),
        Spot("a", (-11.2, 0.95), -0.8, "phone"),
        Spot("corner", (12.4, -0.4), 2.3, "talk"),
        Spot("g", (12.85, 7.4), math.pi, "phone"),
        Spot("i", (10.75, 12.0), math.pi, "stand"),
    )
    tiles = Material(
        "tiles", vary.color((150, 150, 148), 45), (110, 110, 108), vary.number(0.6, 0.2, 0.9), vary.seed(3)
    )
    floors = indoor_floors(vary, tiles)
    place = Place(
        name="corridor",
        primitives=(*_walls(vary), *_things(vary)),
        ground=vary.pick(tiles, floors),
        light=vary.light(INDOOR, (_COLD, _DIM)),
        cameras=_cameras(vary),
        doors=("west_end", "office_1", "office_2", "lab_1", "lab_2", "stairs", "lift", "north_end"),
        nodes=nodes,
        edges=tuple(Lane(*lane) for lane in lanes),
        spots=spots,
        capacity=24,
    )
    return vary.scattered(place, (-13.5, -1.3, 13.2, 15.0), indoor_things(vary))


def _cameras(vary: Variation) -> tuple[Camera, ...]:
    west = CameraEffects(0.85, (1.06, 1.0, 0.90), 1.05, 0.90, 0.30, 0.55, 0.026, 0.3, 78, 0.01)
    bend = CameraEffects(0.70, (0.95, 1.0, 1.06), 0.95, 0.75, 0.20, 0.80, 0.034, 0.1, 66, 0.02)
    north = CameraEffects(1.05, (1.00, 1.0, 0.97), 1.10, 1.05, 0.35, 0.60, 0.022, 0.5, 84, 0.02)
    return (
        vary.camera(Camera("west", (-13.3, -1.05, 2.65), (-9.5, 0.0, 0.75), 485, _SIZE_HW, west, 0.004), roof_m=2.75),
        vary.camera(Camera("bend", (12.9, -1.1, 2.65), (9.1, 0.05, 0.75), 490, _SIZE_HW, bend, -0.012), roof_m=2.75),
        vary.camera(Camera("north", (12.8, 14.4, 2.65), (11.7, 9.6, 0.75), 430, _SIZE_HW, north, 0.009), roof_m=2.75),
    )


def _walls(vary: Variation) -> list[Primitive]:
    paint = Material("plain", vary.color((196, 192, 180), 45))
    other = Material(vary.pick("plain", ("brick", "panel")), vary.color((172, 186, 190), 45), (150, 150, 146))
    ceiling = Material("ceiling", (214, 214, 210), (150, 150, 150), 0.6)
    return [
        *wall("south", 1.4, (-14.0, 10.4), _HEIGHT_M, paint, (-9.0, -1.5)),
        *wall("north", -1.4, (-14.0, 15.4), _HEIGHT_M, paint, (-5.5, 4.0)),
        *wall("east", -14.0, (-1.4, 1.4), _HEIGHT_M, other, (0.0,)),
        *wall("west", 13.4, (-1.4, 15.4), _HEIGHT_M, other, (6.0,)),
        *wall("east", 10.4, (3.4, 15.4), _HEIGHT_M, paint, (9.0,)),
        *wall("south", 15.4, (10.4, 13.4), _HEIGHT_M, other, (11.8,)),
        Box((10.2, 1.41, 0.0), (10.4, 3.41, _HEIGHT_M), paint),
        Box((-16.5, -4.0, _HEIGHT_M), (16.5, 18.0, _HEIGHT_M + 0.2), ceiling),
    ]


def _things(vary: Variation) -> list[Primitive]:
    door = Material("door", vary.color((120, 84, 54), 50), (86, 88, 92))
    strip = Material("plain", vary.color((96, 116, 130), 60))
    steel = Material("panel", (150, 154, 158), (90, 92, 96), 0.9)
    red = Material("plain", (170, 26, 24))
    things: list[Primitive] = []
    # Closed doors, their numbers, and a hand rail along the walls.
    for x in (-12.2, -5.2, 2.2, 6.6):
        things.append(shown_on("south", 1.4, (x, x + 1.0), (0.0, 2.1), door))
        number = Material("sign", (225, 225, 220), (30, 40, 60), seed=vary.seed(int(x + 20)))
        things.append(shown_on("south", 1.4, (x + 1.15, x + 1.45), (1.5, 1.7), number, 0.03))
    for x in (-11.4, -2.6, 0.6, 7.6):
        things.append(shown_on("north", -1.4, (x, x + 1.0), (0.0, 2.1), door))
    for y in (3.2, 11.2):
        things.append(shown_on("west", 13.4, (y, y + 1.0), (0.0, 2.1), door))
    things.append(shown_on("east", 10.4, (5.2, 6.2), (0.0, 2.1), door))
    for x0, x1 in ((-11.1, -9.8), (-8.2, -5.3), (-4.1, -2.3), (-0.7, 2.1), (3.3, 6.5), (7.7, 10.2)):
        things.append(shown_on("south", 1.4, (x0, x1), (0.85, 1.0), strip, 0.03))
    for x0, x1 in ((-10.3, -6.3), (-4.7, -2.7), (1.7, 3.2), (4.8, 7.5), (8.7, 13.3)):
        things.append(shown_on("north", -1.4, (x0, x1), (0.85, 1.0), strip, 0.03))
    # Notice boards.
    for i, x in enumerate((-8.0, -3.6, 3.6, 9.0)):
        paper = Material("poster", vary.color((190, 186, 170)), (30, 34, 60), seed=vary.seed(i + 20))
        things.append(shown_on("south", 1.4, (x, x + 1.0), (1.1, 2.0), paper, 0.04))
    for i, x in enumerate((-9.6, -7.9, 2.2, 9.8, 11.2)):
        paper = Material("poster", vary.color((170, 190, 190)), (60, 26, 26), seed=vary.seed(i + 30))
        things.append(shown_on("north", -1.4, (x, x + 0.8), (1.1, 2.1), paper, 0.04))
    for i, y in enumerate((4.2, 11.0, 12.4)):
        paper = Material("poster", vary.color((200, 180, 150)), (24, 50, 30), seed=vary.seed(i + 40))
        things.append(shown_on("east", 10.4, (y, y + 0.9), (1.0, 2.0), paper, 0.04))
    # Radiators, an extinguisher, a fountain, lockers, a vending machine, signs from the ceiling, mats, bins.
    things.append(Box((-0.6, 1.28, 0.15), (0.0, 1.4, 0.75), steel))
    things += [Cylinder((x, y), 0.09, (0.35, 0.9), red) for x, y in ((-3.9, 1.28), (13.28, 9.4), (7.3, -1.28))]
    if vary.chance(True, 0.7):
        lockers = Material("door", vary.color((70, 96, 120), 70), (50, 60, 70))
        things += [Box((x, 1.02, 0.0), (x + 0.42, 1.4, 1.8), lockers) for x in (4.7, 5.13, 5.56, 5.99)]
    if vary.chance(True, 0.7):
        machine = Material("goods", (60, 60, 66), (20, 20, 24), 0.3, vary.seed(8))
        things += [Box((12.75, 1.6, 0.0), (13.4, 2.6, 1.85), machine)]
    for x in (-6.8, 3.2):
        guide = Material("sign", vary.color((30, 92, 60), 50), (235, 235, 230), seed=vary.seed(int(x) + 50))
        things.append(Box((x, -0.5, 2.42), (x + 0.06, 0.5, 2.68), guide))
    things.append(
        Box((11.3, 10.4, 2.42), (12.3, 10.46, 2.68), Material("sign", (30, 60, 120), (235, 235, 230), seed=4))
    )
    mat = Material("carpet", vary.color((60, 62, 70), 40), size_m=0.1)
    things += [patch((-9.6, -8.4), (0.6, 1.4), mat), patch((11.1, 12.5), (14.3, 15.4), mat)]
    things.append(
        patch((-14.0, 13.4), (-0.62, -0.5), Material("plain", vary.color((60, 110, 150), 70)), height_m=0.008)
    )
    things += litter_bin(-10.1, 1.1, color=vary.color((80, 84, 88)))
    things += litter_bin(10.75, 7.0, color=vary.color((40, 74, 110)))
    things += planter(0.5, -1.15, size_m=(0.45, 0.45), seed=vary.seed(3))
    if vary.chance(True, 0.6):
        things += planter(10.75, 2.6, size_m=(0.5, 0.5), seed=vary.seed(4))
    if vary.chance(True, 0.7):
        things += bench(13.1, 4.9, along="y", length_m=1.3, wood=vary.color((90, 100, 120), 50))
    return things
