"""A shop floor with high shelves that hide people; four cameras in the corners."""

import math

from connectors.synthetic.places.furniture import indoor_floors, indoor_things, litter_bin, placed, planter
from connectors.synthetic.places.light import INDOOR, Light, towards
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.place import Lane, Place, Spot
from connectors.synthetic.places.primitives import Box, Cylinder, Ellipsoid, Point2, Primitive, patch, shown_on, wall
from connectors.synthetic.places.variation import Variation
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects

_SIZE_HW = (360, 640)
_HEIGHT_M = 3.4
_NEON = Light(towards(-0.08, 0.1, 1.0), (0.70, 0.78, 0.80), (0.92, 1.04, 1.10), 8.0)
_WARM = Light(towards(0.1, -0.1, 1.0), (0.62, 0.52, 0.38), (0.70, 0.60, 0.46), 8.0)
_AISLES_X = (-5.6, -2.4, 0.8, 4.0, 7.0)
_SHELVES_X = (-4.0, -0.8, 2.4, 5.5)


def shop(variant: int = 0) -> Place:
    """Return the shop: 18 m by 13 m, entrance and exit in the south, a store room and toilets behind.

    Args:
        variant: 0: as written, used for the published clips and scores; others differ in colours, shelves, light and
            cameras.
    """
    vary = Variation("shop", variant)
    nodes: dict[str, Point2] = {
        "entrance": (-6.6, -8.1),
        "exit": (2.0, -8.1),
        "store_room": (7.0, 8.1),
        "side_door": (-10.6, 4.9),
        "in": (-6.6, -5.2),
        "out": (2.0, -5.2),
    }
    lanes: list[tuple[str, str, float]] = [
        ("entrance", "in", 0.3),
        ("exit", "out", 0.3),
        ("store_room", "north4", 0.3),
        ("side_door", "north0", 0.3),
        ("in", "south0", 0.7),
        ("out", "south2", 0.5),
        ("out", "south3", 0.4),
    ]
    spots = [
        Spot("in", (-4.6, -5.6), 0.4, "phone"),
        Spot("south4", (7.9, -4.6), 2.6, "talk"),
        Spot("north2", (1.9, 5.75), math.pi / 2, "stand"),
        Spot("north3", (4.6, 5.75), math.pi / 2, "stand"),
    ]
    for i, x in enumerate(_AISLES_X):
        nodes[f"south{i}"], nodes[f"middle{i}"], nodes[f"north{i}"] = (x, -3.6), (x, 0.6), (x, 4.9)
        lanes += [(f"south{i}", f"middle{i}", 0.5), (f"middle{i}", f"north{i}", 0.5)]
        if i:
            lanes += [(f"south{i - 1}", f"south{i}", 0.6), (f"north{i - 1}", f"north{i}", 0.6)]
        if x > -5:
            spots += [Spot(f"middle{i}", (x - 0.55, 1.9), math.pi, "stand")]
            spots += [Spot(f"middle{i}", (x - 0.5, -1.2), math.pi, "phone" if i % 2 else "stand")]
    tiles = Material(
        "tiles", vary.color((176, 172, 164), 45), (140, 136, 130), vary.number(0.45, 0.2, 0.8), vary.seed(2)
    )
    floors = indoor_floors(vary, tiles)
    place = Place(
        name="shop",
        primitives=(*_walls(vary), *_things(vary)),
        ground=vary.pick(tiles, floors),
        light=vary.light(INDOOR, (_NEON, _WARM)),
        cameras=_cameras(vary),
        doors=("entrance", "exit", "store_room", "side_door"),
        nodes=nodes,
        edges=tuple(Lane(*lane) for lane in lanes),
        spots=tuple(spots),
        capacity=30,
    )
    return vary.scattered(place, (-8.5, -6.0, 8.5, 6.0), indoor_things(vary))


def _cameras(vary: Variation) -> tuple[Camera, ...]:
    entrance = CameraEffects(0.62, (1.05, 1.0, 0.92), 1.05, 0.95, 0.25, 0.55, 0.020, 0.3, 80, 0.01)
    tills = CameraEffects(0.75, (0.95, 1.0, 1.08), 0.92, 0.80, 0.30, 0.75, 0.030, 0.2, 68, 0.02)
    dairy = CameraEffects(0.80, (1.00, 1.0, 1.00), 1.12, 0.60, 0.35, 0.95, 0.036, 0.1, 60, 0.03)
    bakery = CameraEffects(0.55, (1.10, 1.0, 0.84), 1.00, 1.10, 0.20, 0.60, 0.024, 0.5, 78, 0.02)
    return (
        vary.camera(
            Camera("entrance", (-8.6, -0.2, 2.7), (-6.1, -5.0, 0.7), 430, _SIZE_HW, entrance, 0.006), roof_m=3.2
        ),
        vary.camera(Camera("tills", (8.6, -6.1, 3.0), (2.4, -3.9, 0.6), 390, _SIZE_HW, tills, -0.010), roof_m=3.2),
        vary.camera(Camera("dairy", (-8.6, 6.1, 3.0), (-3.2, 3.3, 0.6), 380, _SIZE_HW, dairy, 0.015), roof_m=3.2),
        vary.camera(Camera("bakery", (8.6, 6.1, 3.0), (2.6, 3.2, 0.9), 420, _SIZE_HW, bakery, 0.0), roof_m=3.2),
    )


def _walls(vary: Variation) -> list[Primitive]:
    paint = Material("plain", vary.color((206, 202, 190), 40))
    other = Material(vary.pick("plain", ("brick", "panel")), vary.color((170, 188, 176), 50), (150, 150, 146))
    ceiling = Material("ceiling", (206, 206, 204), (150, 150, 150), 0.9)
    return [
        *wall("north", -6.5, (-9.0, 9.0), _HEIGHT_M, paint, (-6.6, 2.0)),
        *wall("south", 6.5, (-9.0, 9.0), _HEIGHT_M, other, (7.0,)),
        *wall("east", -9.0, (-6.5, 6.5), _HEIGHT_M, paint, (4.9,)),
        *wall("west", 9.0, (-6.5, 6.5), _HEIGHT_M, other),
        Box((-11.5, -9.0, _HEIGHT_M), (11.5, 9.0, _HEIGHT_M + 0.2), ceiling),
    ]


def _things(vary: Variation) -> list[Primitive]:
    things: list[Primitive] = []
    for i, x in enumerate(_SHELVES_X):
        height = vary.number((1.75, 1.5, 1.75, 1.3)[i], 1.2, 2.1)
        things += shelf(x, 0.6, length_m=vary.number(6.6, 5.2, 6.8), along="y", height_m=height, seed=vary.seed(i + 1))
        guide = Material("sign", vary.color((40, 70, 120), 60), (240, 240, 235), seed=vary.seed(i + 60))
        things.append(Box((x - 0.5, 3.2, 2.5), (x + 0.5, 3.26, 2.8), guide))
    # Shelves and fridges along the walls.
    fridge = Material("goods", (210, 214, 218), (70, 76, 80), 0.45, vary.seed(11))
    along = Material("goods", vary.color((150, 120, 90), 40), (70, 60, 50), 0.4, vary.seed(12))
    things += [Box((x, 6.0, 0.0), (x + 2.6, 6.5, 2.1), fridge) for x in (-7.6, -4.9, -2.2)]
    things += [Box((0.8, 6.1, 0.0), (5.8, 6.5, 1.9), along)]
    things += [
        Box((8.6, -2.8, 0.0), (9.0, 4.4, 1.9), Material("goods", (190, 190, 186), size_m=0.38, seed=vary.seed(13)))
    ]
    things += [
        Box((-9.0, -3.2, 0.0), (-8.6, 3.2, 1.7), Material("goods", (160, 150, 140), size_m=0.35, seed=vary.seed(14)))
    ]
    # Tills, a basket stack, heaps of offers, a fruit table, posters.
    steel, belt = Material("panel", (120, 124, 128), (80, 82, 86), 0.6), Material("plain", (34, 34, 38))
    for x in (3.4, 5.6):
        things += [
            Box((x, -6.0, 0.0), (x + 0.7, -4.6, 0.88), Material("panel", vary.color((170, 60, 50), 70), size_m=0.7)),
            Box((x + 0.1, -5.9, 0.88), (x + 0.6, -4.7, 0.91), belt),
            Box((x + 0.2, -6.05, 0.88), (x + 0.5, -5.85, 1.35), steel),
        ]
    things.append(
        Box((-8.5, -6.2, 0.0), (-7.9, -5.6, 0.75), Material("planks", vary.color((170, 40, 40)), size_m=0.08))
    )
    offer = Material("goods", (190, 180, 150), (120, 110, 90), 0.22, vary.seed(15))
    things += [Box((-4.0, -6.2, 0.0), (-2.9, -5.5, 1.0), offer), Box((-1.6, -6.3, 0.0), (0.4, -5.7, 1.25), offer)]
    wood = Material("planks", (140, 104, 66), size_m=0.12)
    if vary.chance(True, 0.7):
        things += [
            Box((-3.6, -5.0, 0.55), (-1.0, -4.65, 0.75), wood),
            Box((-3.5, -4.95, 0.0), (-1.1, -4.7, 0.55), wood),
        ]
        for k in range(8):
            fruit = ((190, 50, 30), (210, 160, 40), (90, 140, 40), (200, 110, 30))[k % 4]
            things.append(
                Ellipsoid((-3.4 + 0.31 * k, -4.83, 0.78), (0.15, 0.14, 0.09), Material("leaf", fruit, seed=k))
            )
    for i, x in enumerate((-4.4, -3.0, 0.0, 4.0, 5.4, 6.8)):
        paper = Material("poster", vary.color((220, 190, 60), 70), (150, 20, 20), seed=vary.seed(i + 20))
        things.append(shown_on("north", -6.5, (x, x + 0.9), (1.6, 2.7), paper, 0.04))
    for i, x in enumerate((-6.8, -3.6, 1.4, 3.6)):
        paper = Material("sign", vary.color((30, 110, 70), 70), (240, 240, 230), seed=vary.seed(i + 30))
        things.append(shown_on("south", 6.5, (x, x + 1.6), (2.3, 2.9), paper, 0.04))
    for i, y in enumerate((-5.6, -4.2, -1.0, 1.6)):
        paper = Material("poster", vary.color((200, 200, 210), 50), (30, 40, 120), seed=vary.seed(i + 40))
        things.append(shown_on("west", 9.0, (y, y + 1.0), (2.0, 2.9), paper, 0.04))
    things += [Cylinder((-0.8, 4.15), 0.22, (0.0, _HEIGHT_M), Material("panel", (180, 178, 172), size_m=1.1))]
    things.append(patch((-7.6, -5.6), (-6.5, -5.3), Material("carpet", vary.color((50, 56, 66), 40), size_m=0.1)))
    things += litter_bin(-5.3, -6.2, color=vary.color((60, 70, 74)))
    things += planter(8.5, -6.0, size_m=(0.6, 0.6), seed=vary.seed(7))
    return things


def shelf(x: float, y: float, *, length_m: float, along: str, height_m: float = 1.8, seed: int = 0) -> list[Primitive]:
    """Return a double-sided shelf with goods, 0.9 m deep, its middle at ``(x, y)``."""
    h = length_m / 2
    goods = Material("goods", (196, 196, 190), (60, 60, 64), size_m=0.36, seed=seed)
    frame = Material("plain", (120, 122, 124))
    return [
        placed((-h, -0.45, 0.0), (h, 0.45, height_m), goods, x, y, along),
        placed((-h - 0.05, -0.47, 0.0), (-h, 0.47, height_m + 0.1), frame, x, y, along),
        placed((h, -0.47, 0.0), (h + 0.05, 0.47, height_m + 0.1), frame, x, y, along),
    ]
