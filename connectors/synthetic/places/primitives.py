"""Primitives of a place: boxes, cylinders and ellipsoids.

World frame: metres, x east, y north, z up, the ground at z = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.synthetic.places.materials import Material
from pipeline.core.errors import ConfigError

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]


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
                f"cylinder: expected a radius above 0 and rising z_range, got {self.radius}, {self.z_range}; correct it"
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
