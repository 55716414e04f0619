"""A plaza with a fountain, a street to the north, and an alley to the north-east; four cameras."""

import math
from collections.abc import Callable
from functools import partial

from connectors.synthetic.places.furniture import bench, board, car, crates, lamp_post, litter_bin, planter, tree
from connectors.synthetic.places.light import DUSK, OVERCAST, SUN
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.place import Lane, Place, Spot
from connectors.synthetic.places.primitives import Box, Cylinder, Ellipsoid, Point2, Primitive, patch, shown_on, wall
from connectors.synthetic.places.variation import Variation
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects

_SIZE_HW = (360, 640)


def plaza(variant: int = 0) -> Place:
    """Return the plaza.

    The cameras west and east look across it and overlap in the middle. North sees the street; only gate sees the alley.
    Street and alley meet behind the houses.

    Args:
        variant: 0: as written, used for the published clips and scores; others differ in colours, objects, light and
            cameras.
    """
    vary = Variation("plaza", variant)
    nodes: dict[str, Point2] = {
        "west_street": (-17.5, -1.0),
        "east_street": (17.5, -1.2),
        "cafe": (-9.0, 8.2),
        "bank": (1.0, -9.6),
        "north_street": (-2.0, 26.0),
        "back": (8.6, 26.0),
        "w": (-8.5, -1.0),
        "nw": (-8.2, 3.4),
        "sw": (-3.5, -4.4),
        "s": (1.0, -5.0),
        "n": (-2.0, 4.6),
        "ne": (3.6, 3.9),
        "se": (5.0, -4.2),
        "e": (8.6, -0.2),
        "street": (-2.0, 11.5),
        "street_end": (-2.0, 21.5),
        "gate": (8.6, 6.8),
        "alley": (8.6, 13.5),
        "alley_end": (8.6, 21.5),
    }
    lanes = (
        *(("west_street", "w", 1.9), ("w", "nw", 1.4), ("w", "sw", 1.5), ("nw", "n", 1.1), ("cafe", "nw", 0.3)),
        *(("sw", "s", 1.2), ("s", "bank", 0.3), ("s", "se", 1.2), ("se", "e", 1.5), ("e", "east_street", 1.9)),
        *(("n", "ne", 1.0), ("ne", "e", 1.4), ("n", "street", 1.4), ("street", "street_end", 1.5)),
        *(("street_end", "north_street", 1.5), ("e", "gate", 1.2), ("gate", "alley", 1.0)),
        *(("alley", "alley_end", 1.0), ("alley_end", "back", 1.0), ("street_end", "alley_end", 1.4)),
    )
    spots = (
        Spot("w", (-7.4, -6.9), -math.pi / 2, "stand"),
        Spot("nw", (-5.7, 5.9), math.pi / 2, "stand"),
        Spot("nw", (-11.2, 3.2), -0.7, "talk"),
        Spot("sw", (-4.6, -7.1), -math.pi / 2, "stand"),
        Spot("se", (6.6, -6.0), 2.2, "phone"),
        Spot("e", (10.2, 3.0), 3.4, "talk"),
        Spot("s", (2.8, -6.9), 1.9, "phone"),
        Spot("street", (-3.8, 12.6), math.pi, "stand"),
        Spot("street", (-0.2, 15.5), 2.8, "phone"),
        Spot("alley", (9.9, 14.6), math.pi, "phone"),
    )
    place = Place(
        name="plaza",
        primitives=(*_houses(vary), *_things(vary)),
        ground=Material("tiles", vary.color((138, 132, 122)), (92, 88, 82), vary.number(0.75, 0.3, 1.2), vary.seed(1)),
        light=vary.light(SUN, (SUN, OVERCAST, DUSK)),
        cameras=_cameras(vary),
        doors=("west_street", "east_street", "cafe", "bank", "north_street", "back"),
        nodes=nodes,
        edges=tuple(Lane(*lane) for lane in lanes),
        spots=spots,
        capacity=40,
    )
    return vary.scattered(place, (-14.0, -7.8, 14.0, 6.4), _strewn_things(vary))


def _strewn_things(vary: Variation) -> list[Callable[[float, float], list[Primitive]]]:
    metal, wood, seed = vary.color((60, 64, 70), 60), vary.color((128, 92, 58), 40), vary.seed(1)
    return [
        partial(litter_bin, color=metal),
        partial(bench, wood=wood),
        partial(bench, wood=wood, along="y"),
        partial(planter, seed=seed),
        partial(planter, size_m=(2.2, 0.7), seed=seed + 1),
        partial(board, seed=seed),
        partial(board, seed=seed + 1, along="y"),
        partial(crates, color=wood, seed=seed),
        partial(tree, seed=seed, height_m=5.0),
        partial(car, color=vary.color((120, 120, 130), 110)),
    ]


def _cameras(vary: Variation) -> tuple[Camera, ...]:
    west = CameraEffects(0.66, (1.04, 1.0, 0.94), 1.05, 0.95, 0.25, 0.55, 0.020, 0.3, 82, 0.02)
    east = CameraEffects(0.80, (0.93, 1.0, 1.10), 0.95, 0.80, 0.35, 0.70, 0.028, 0.2, 70, 0.04)
    north = CameraEffects(0.72, (1.10, 1.0, 0.86), 1.10, 1.10, 0.15, 0.60, 0.024, 0.5, 76, 0.02)
    gate = CameraEffects(1.00, (0.98, 1.0, 1.03), 0.90, 0.65, 0.30, 0.95, 0.034, 0.1, 62, 0.03)
    return (
        vary.camera(Camera("west", (-14.0, -6.6, 3.8), (-4.5, -0.5, 0.8), 600, _SIZE_HW, west, 0.000)),
        vary.camera(Camera("east", (14.6, -6.2, 4.9), (8.7, -2.5, 0.8), 520, _SIZE_HW, east, 0.011)),
        vary.camera(Camera("north", (-3.8, 7.2, 3.3), (-1.9, 13.2, 0.4), 440, _SIZE_HW, north, -0.008)),
        vary.camera(Camera("gate", (7.0, 22.0, 3.2), (8.4, 16.9, 0.4), 530, _SIZE_HW, gate, 0.019)),
    )


def _houses(vary: Variation) -> list[Primitive]:
    brick = Material("brick", vary.color((150, 84, 64)), (170, 160, 150), seed=vary.seed(2))
    plaster = Material("plain", vary.color((186, 172, 146)))
    stone = Material("tiles", vary.color((162, 152, 138)), (110, 104, 96), 0.9, vary.seed(3))
    frame = vary.color((190, 190, 185))
    glass = Material("glass", (70, 78, 86), frame, vary.number(1.2, 0.9, 1.8), vary.seed(4))
    shop = Material("glass", (60, 66, 74), vary.color((70, 60, 52)), vary.number(1.6, 1.1, 2.2), vary.seed(5))
    north, middle = vary.pick(brick, (plaster, stone)), vary.pick(plaster, (brick, stone))
    east, south = vary.pick(brick, (plaster, stone)), vary.pick(stone, (brick, plaster))
    primitives: list[Primitive] = [
        *wall("south", 6.8, (-20.0, -4.4), 7.0, north, (-9.0,)),
        Box((-20.0, 8.8, 0.0), (-4.4, 28.0, 7.0), north),
        Box((0.6, 6.8, 0.0), (6.6, 19.2, 6.5), middle),
        Box((10.6, 6.8, 0.0), (24.0, 28.0, 6.0), east),
        *wall("north", -8.2, (-24.0, 24.0), 7.5, south, (1.0,)),
        Box((-26.0, -10.0, 0.0), (-23.0, 9.0, 6.0), plaster),
        Box((23.0, -10.0, 0.0), (26.0, 7.0, 6.0), brick),
        Box((-20.0, 28.5, 0.0), (24.0, 31.0, 6.0), plaster),
    ]
    primitives += [
        shown_on("south", 6.8, (x, x + 1.9), (3.3, 5.1), glass) for x in (-18.0, -14.5, -11.0, -7.5, 1.0, 4.3)
    ]
    primitives += [shown_on("north", -8.2, (x, x + 2.2), (3.5, 5.4), glass) for x in range(-20, 20, 4)]
    primitives += [shown_on("east", -4.4, (y, y + 1.6), (1.0, 2.6), glass) for y in (14.6, 18.4)]
    primitives += [shown_on("west", 0.6, (y, y + 1.6), (1.0, 2.6), glass) for y in (9.0, 13.2, 16.8)]
    primitives += [shown_on("west", 10.6, (y, y + 1.1), (1.1, 2.3), glass) for y in (9.0, 12.4, 19.0)]
    # Shop windows, doors and signs at eye level.
    primitives += [shown_on("north", -8.2, (x, x + 3.6), (0.4, 2.6), shop) for x in (-14.0, -9.2, -5.4, 4.0, 9.4, 14.2)]
    primitives += [shown_on("south", 6.8, (x, x + 2.8), (0.5, 2.5), shop) for x in (-16.0, -12.4, -7.8)]
    for i, (x0, x1) in enumerate(((-9.4, -1.8), (-0.4, 2.4), (3.9, 7.7), (9.2, 13.2))):
        colors = vary.color(((120, 34, 30), (28, 52, 96), (34, 84, 58), (200, 160, 40))[i]), (235, 232, 220)
        primitives.append(
            shown_on("north", -8.2, (x0, x1), (2.75, 3.25), Material("sign", *colors, seed=vary.seed(i)), 0.12)
        )
    primitives.append(
        shown_on(
            "south", 6.8, (-10.6, -7.4), (2.7, 3.2), Material("sign", vary.color((60, 30, 20)), (240, 220, 160)), 0.1
        )
    )
    awning = Material("planks", vary.color((150, 40, 36)), (220, 220, 210), 0.4)
    primitives.append(Box((-8.0, 5.6, 2.45), (-4.8, 6.8, 2.55), awning))
    primitives.append(
        Box((4.0, -8.2, 2.6), (7.6, -7.1, 2.7), Material("planks", vary.color((40, 70, 110)), size_m=0.4))
    )
    for i, y in enumerate((10.0, 12.0, 17.0)):
        primitives.append(
            shown_on(
                "east",
                -4.4,
                (y, y + 1.1),
                (0.8, 2.3),
                Material("poster", (200, 180, 150), (30, 30, 40), seed=vary.seed(i + 1)),
            )
        )
    for i, y in enumerate((8.6, 10.4, 15.2, 17.0)):
        primitives.append(
            shown_on(
                "east",
                6.6,
                (y, y + 1.0),
                (0.9, 2.3),
                Material("poster", (150, 180, 200), (40, 20, 20), seed=vary.seed(i + 5)),
            )
        )
    primitives.append(shown_on("west", 10.6, (16.0, 17.0), (0.0, 2.1), Material("door", vary.color((70, 84, 96)))))
    primitives.append(shown_on("west", 0.6, (11.2, 12.2), (0.0, 2.1), Material("door", vary.color((110, 60, 44)))))
    return primitives


def _things(vary: Variation) -> list[Primitive]:
    stone = Material("tiles", vary.color((140, 136, 128)), size_m=0.4)
    line, road = Material("plain", (190, 188, 180)), Material("asphalt", vary.color((84, 84, 86), 30), seed=2)
    things: list[Primitive] = [
        Cylinder((0.0, 0.0), 1.5, (0.0, 0.5), stone),
        Cylinder((0.0, 0.0), 1.3, (0.5, 0.52), Material("glass", (60, 90, 100), (60, 90, 100))),
        Cylinder((0.0, 0.0), 0.28, (0.0, 1.7), stone),
        Ellipsoid((0.0, 0.0, 1.75), (0.55, 0.55, 0.2), stone),
        patch((-4.4, 0.6), (6.8, 28.0), road),
        *(patch((-2.1, -1.9), (y, y + 1.2), line, height_m=0.016) for y in (9.0, 12.0, 15.0, 18.0)),
        *(patch((x, x + 0.35), (6.3, 7.6), line, height_m=0.016) for x in (-3.9, -3.1, -2.3, -1.5, -0.7)),
        patch((-22.0, 22.0), (-8.2, -7.2), Material("tiles", vary.color((120, 112, 104), 30), size_m=0.35)),
    ]
    leaves = vary.color((66, 104, 44), 40)
    things += tree(-5.2, 1.3, leaves=leaves, seed=vary.seed(1))
    if vary.chance(True, 0.6):
        things += tree(5.4, 0.6, leaves=leaves, height_m=4.6, seed=vary.seed(2))
    if vary.chance(True, 0.6):
        things += tree(-13.6, 4.2, leaves=leaves, height_m=5.2, seed=vary.seed(3))
    if vary.chance(True, 0.7):
        things += bench(-5.4, -1.2, wood=vary.color((128, 92, 58), 30), along=vary.pick("x", ("y",)))
    if vary.chance(True, 0.7):
        things += bench(4.6, -1.6, wood=vary.color((96, 76, 58), 30))
    things += bench(12.4, 4.8, wood=vary.color((128, 92, 58), 30))
    things += planter(-11.4, -6.0, size_m=(2.4, 0.8), stone=vary.color((150, 146, 138), 30), seed=vary.seed(4))
    things += planter(10.2, -6.4, size_m=(2.6, 0.8), stone=vary.color((150, 146, 138), 30), seed=vary.seed(5))
    things += planter(-4.0, 9.4, size_m=(0.6, 0.9), seed=vary.seed(6))
    things += planter(1.0, 5.7, size_m=(1.8, 0.6), seed=vary.seed(7))
    for x, y in ((-11.6, 1.7), (-3.2, -6.4), (7.0, 2.6), (0.25, 10.8), (6.95, 11.5)):
        things += lamp_post(x, y)
    for x, y in ((-6.2, -6.4), (3.9, -6.6), (9.2, -4.6), (0.3, 14.4), (10.3, 11.0)):
        things += litter_bin(x, y, color=vary.color((50, 54, 58), 30))
    # An advertising column, a kiosk, cars, bollards, tables before the cafe.
    things.append(
        Cylinder((-6.0, -5.6), 0.42, (0.0, 2.6), Material("poster", (210, 180, 150), (30, 30, 30), seed=vary.seed(3)))
    )
    things.append(Ellipsoid((-6.0, -5.6, 2.6), (0.5, 0.5, 0.2), Material("plain", (44, 70, 60))))
    kiosk = Material("panel", vary.color((60, 96, 90)), (30, 40, 40), 0.5)
    things += [
        Box((12.6, 1.6, 0.0), (15.0, 3.4, 2.4), kiosk),
        Box((12.3, 1.2, 2.4), (15.3, 3.7, 2.6), Material("plain", vary.color((180, 60, 50)))),
        shown_on(
            "south", 1.6, (12.9, 14.7), (1.0, 2.0), Material("goods", (200, 190, 170), size_m=0.25, seed=vary.seed(8))
        ),
    ]
    things += car(-15.0, 5.2, color=vary.color((120, 28, 30), 90))
    things += car(15.8, 5.2, color=vary.color((40, 60, 96), 90))
    if vary.chance(True, 0.5):
        things += car(-16.5, -5.8, color=vary.color((190, 190, 188), 90))
    things += [Cylinder((x, 5.9), 0.09, (0.0, 0.9), Material("plain", (60, 60, 62))) for x in (-12.6, 2.6, 5.4)]
    for x, y in ((-6.9, 5.7), (-12.0, 5.6)):
        things += [
            Cylinder((x, y), 0.38, (0.70, 0.74), Material("planks", (150, 120, 84), size_m=0.1)),
            Cylinder((x, y), 0.05, (0.0, 0.7), Material("plain", (40, 40, 42))),
        ]
    return things
