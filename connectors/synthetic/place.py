"""A place: what stands in it, its light, its cameras, and where people may walk and stand."""

import heapq
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from connectors.synthetic.camera import Camera
from connectors.synthetic.effects import CameraEffects
from connectors.synthetic.light import Light
from connectors.synthetic.primitives import Color, Material, Obstacles, Point2, Solid
from pipeline.core.errors import ConfigError

_T = TypeVar("_T")
Box2 = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Lane:
    """A straight way between two nodes.

    Attributes:
        first: Node.
        second: Node; people walk either way.
        half_width_m: How far to the side of the middle people may walk.
    """

    first: str
    second: str
    half_width_m: float


@dataclass(frozen=True, slots=True)
class Spot:
    """Where people stop for a while.

    Attributes:
        node: From where it is reached, in a straight line.
        xy: Where one stands, metres.
        heading: Where one looks, radians, 0 along x, counter-clockwise.
        action: ``stand``, ``phone``, or ``talk`` (up to three people around the spot).
    """

    node: str
    xy: Point2
    heading: float
    action: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place and all that is known of it.

    Attributes:
        name: Of the place.
        solids: What stands in it.
        ground: The plane z = 0.
        light: The same for all cameras.
        cameras: With different names.
        doors: Nodes where people come and go.
        nodes: Name to x, y, metres.
        edges: Ways between nodes.
        spots: Where people stop.
        capacity: How many people may be part of it.
    """

    name: str
    solids: tuple[Solid, ...]
    ground: Material
    light: Light
    cameras: tuple[Camera, ...]
    doors: tuple[str, ...]
    nodes: Mapping[str, Point2]
    edges: tuple[Lane, ...]
    spots: tuple[Spot, ...]
    capacity: int

    def __post_init__(self) -> None:
        named = [camera.name for camera in self.cameras]
        if len(set(named)) != len(named):
            raise ConfigError(f"place {self.name}: expected cameras of different names, got {named}; rename one")
        ends = [node for lane in self.edges for node in (lane.first, lane.second)]
        for spot in self.spots:
            if spot.action not in ("stand", "phone", "talk"):
                raise ConfigError(
                    f"spot of {self.name}: expected stand, phone or talk, got {spot.action!r}; name one of these"
                )
        for node in [*ends, *self.doors, *(spot.node for spot in self.spots)]:
            if node not in self.nodes:
                raise ConfigError(f"place {self.name}: expected a node of {sorted(self.nodes)}, got {node!r}; add it")
        if len(self.doors) < 2:
            raise ConfigError(f"place {self.name}: expected two doors or more, got {list(self.doors)}; add some")
        if self.capacity < 1:
            raise ConfigError(f"place {self.name}: expected a capacity of 1 or more, got {self.capacity}; raise it")
        self._check_connected()
        self._check_free()

    def camera(self, name: str) -> Camera:
        """Return a camera.

        Raises:
            ConfigError: If there is none of this name.
        """
        for camera in self.cameras:
            if camera.name == name:
                return camera
        known = ", ".join(camera.name for camera in self.cameras)
        raise ConfigError(f"camera of {self.name}: expected one of {known}, got {name!r}; name one of these")

    def drawn_door(self, rng: np.random.Generator, start: str | None) -> str:
        """Draw a door: any, or one to go to from ``start``, the farther the likelier."""
        doors = [door for door in self.doors if door != start]
        if start is None:
            return doors[int(rng.integers(len(doors)))]
        far = np.array([math.dist(self.nodes[start], self.nodes[door]) for door in doors])
        return doors[int(rng.choice(len(doors), p=far / far.sum()))]

    def _check_connected(self) -> None:
        reached, todo = set(), [self.doors[0]]
        while todo:
            node = todo.pop()
            if node not in reached:
                reached.add(node)
                todo += [lane.second for lane in self.edges if lane.first == node]
                todo += [lane.first for lane in self.edges if lane.second == node]
        if missing := sorted(set(self.nodes) - reached):
            raise ConfigError(
                f"place {self.name}: expected ways from {self.doors[0]} to all nodes, got none to {missing}; add lanes"
            )

    def _check_free(self) -> None:
        obstacles = Obstacles(self.solids)
        lanes = [(lane, lane_points(self.nodes, lane)) for lane in self.edges]
        lane_of = [lane for lane, points in lanes for _ in points]
        clear_m = obstacles.clearance_m(np.concatenate([points for _, points in lanes]))
        if clear_m.min() < 0.29:
            lane = lane_of[int(np.argmax(clear_m < 0.29))]
            raise ConfigError(
                f"place {self.name}: expected nothing in the way from {lane.first} to {lane.second}, got a solid; "
                "move one of them"
            )
        bounds = np.array([solid.bounds for solid in self.solids]).reshape(-1, 2, 3)
        for camera in self.cameras:
            if ((bounds[:, 0] <= camera.position) & (bounds[:, 1] >= camera.position)).all(axis=1).any():
                raise ConfigError(f"camera {camera.name}: expected it in the open, got it inside a solid; move it")
        for spot in self.spots:
            room_m = 0.79 if spot.action == "talk" else 0.29
            if obstacles.clearance_m(np.array([spot.xy]))[0] < room_m:
                raise ConfigError(
                    f"place {self.name}: expected {room_m} m of free ground around spot {spot.xy}, got a solid; move it"
                )


def lane_points(nodes: Mapping[str, Point2], lane: Lane, step_m: float = 0.25) -> NDArray[np.float64]:
    """Return points along the middle of a lane, shape ``(N, 2)``."""
    a, b = np.array(nodes[lane.first]), np.array(nodes[lane.second])
    count = max(2, math.ceil(float(np.linalg.norm(b - a)) / step_m) + 1)
    return np.asarray(a + np.linspace(0, 1, count)[:, None] * (b - a), np.float64)


def lane_middles(place: Place) -> tuple[NDArray[np.float64], list[tuple[Point2, Point2]]]:
    """Return points along the middle of all lanes, shape ``(N, 2)``, and the two ends of each point's lane."""
    points = [lane_points(place.nodes, lane) for lane in place.edges]
    ends = [(place.nodes[lane.first], place.nodes[lane.second]) for lane in place.edges]
    return np.concatenate(points), [pair for pair, there in zip(ends, points, strict=True) for _ in there]


def lengths_m(place: Place) -> dict[tuple[str, str], float]:
    """Return the length of every way between neighbours, either direction, metres."""
    lengths: dict[tuple[str, str], float] = {}
    for lane in place.edges:
        length = math.dist(place.nodes[lane.first], place.nodes[lane.second])
        lengths[lane.first, lane.second] = lengths[lane.second, lane.first] = length
    return lengths


def shortest_route(lengths: Mapping[tuple[str, str], float], start: str, end: str) -> list[str]:
    """Return the nodes from ``start`` to ``end`` with the least sum of lengths (Dijkstra 1959).

    Args:
        lengths: Of ways between neighbours, any unit, 0 and more; there is a way to the end.
        start: Node.
        end: Node.
    """
    neighbours: dict[str, list[tuple[str, float]]] = {}
    for (first, second), length in lengths.items():
        neighbours.setdefault(first, []).append((second, length))
    came: dict[str, str] = {}
    todo = [(0.0, start, start)]
    while todo:
        far, node, before = heapq.heappop(todo)
        if node in came:
            continue
        came[node] = before
        if node == end:
            break
        for other, length in neighbours[node]:
            heapq.heappush(todo, (far + length, other, node))
    route = [end]
    while route[-1] != start:
        route.append(came[route[-1]])
    return route[::-1]


def points_beside(place: Place, route: list[str], keep: float, abreast: float) -> list[tuple[float, float]]:
    """Return the points of a route shifted to the side.

    Args:
        place: Of the route.
        route: Nodes.
        keep: Share of a lane's half width to the right of its middle.
        abreast: Metres more to the left.
    """
    half = {}
    for lane in place.edges:
        half[lane.first, lane.second] = half[lane.second, lane.first] = lane.half_width_m
    nodes = np.array([place.nodes[name] for name in route])
    ways = np.diff(nodes, axis=0)
    ways /= np.maximum(np.hypot(*ways.T), 1e-9)[:, None]
    widths = np.array([half[pair] for pair in itertools.pairwise(route)])
    points: list[tuple[float, float]] = []
    for i, node in enumerate(nodes):
        before, after = max(i - 1, 0), min(i, len(ways) - 1)
        middle = ways[before] + ways[after]
        middle /= max(float(np.hypot(*middle)), 0.5)
        width = min(widths[before], widths[after])
        left = float(np.clip(abreast - keep * width, -width, width))
        points.append((float(node[0] - middle[1] * left), float(node[1] + middle[0] * left)))
    return points


# Widths of bodies, and how near to a wall they come.
_BODY_M, _WALL_M = 0.5, 0.27


def pushed_apart(xy: NDArray[np.float64], standing: NDArray[np.bool_], obstacles: Obstacles) -> NDArray[np.float64]:
    """Return places, shape ``(N, 2)``, near the given ones where no body is in another one or in a solid.

    Args:
        xy: Shape ``(N, 2)``, metres.
        standing: Who does not give way, shape ``(N,)``.
        obstacles: Of the place.
    """
    xy = xy.copy()
    for _ in range(3):
        pairs = cKDTree(xy).query_pairs(_BODY_M, output_type="ndarray")
        if len(pairs):
            i, j = pairs[:, 0], pairs[:, 1]
            apart = xy[i] - xy[j]
            distance = np.hypot(*apart.T)[:, None]
            away = np.where(distance > 1e-6, apart / np.maximum(distance, 1e-6), (1.0, 0.0))
            share_i = np.where(standing[i], 0.0, np.where(standing[j], 1.0, 0.5))[:, None]
            share_j = np.where(standing[j], 0.0, np.where(standing[i], 1.0, 0.5))[:, None]
            np.add.at(xy, i, away * (_BODY_M - distance) * share_i)
            np.add.at(xy, j, -away * (_BODY_M - distance) * share_j)
        xy = obstacles.pushed_out(xy, _WALL_M)
        if not len(pairs):
            break
    return xy


class Dice:
    """What differs between the variants of a place: variant 0 is as written, others are drawn.

    Args:
        name: Of the place; places of one variant differ.
        variant: 0 and more.

    Raises:
        ConfigError: If the variant is negative.
    """

    def __init__(self, name: str, variant: int) -> None:
        if variant < 0:
            raise ConfigError(f"variant of {name}: expected 0 or more, got {variant}; name one")
        self._fixed = variant == 0
        self._rng = np.random.default_rng([variant, *name.encode()])

    def number(self, written: float, low: float, high: float) -> float:
        """Return what is written, or a number between ``low`` and ``high``."""
        return written if self._fixed else float(self._rng.uniform(low, high))

    def chance(self, written: bool, share: float) -> bool:
        """Return what is written, or true in ``share`` of the variants."""
        return written if self._fixed else bool(self._rng.random() < share)

    def pick(self, written: _T, others: Sequence[_T]) -> _T:
        """Return what is written, or one of it and the others."""
        return written if self._fixed else [written, *others][int(self._rng.integers(len(others) + 1))]

    def seed(self, written: int) -> int:
        """Return what is written, or a seed."""
        return written if self._fixed else int(self._rng.integers(1, 10_000))

    def color(self, written: Color, spread: float = 60.0) -> Color:
        """Return what is written, or a colour around it: other brightness and, less so, other hue."""
        if self._fixed:
            return written
        shift = self._rng.normal(0, spread * 0.7) + self._rng.normal(0, spread * 0.22, 3)
        red, green, blue = np.clip(np.asarray(written) + shift, 12, 245).astype(int).tolist()
        return red, green, blue

    def light(self, written: Light, others: Sequence[Light]) -> Light:
        """Return what is written, or one of it and the others, from another side and a little stronger or weaker."""
        if self._fixed:
            return written
        light = self.pick(written, others)
        strength, angle = self._rng.uniform(0.8, 1.2), self._rng.uniform(0, 2 * math.pi)
        across = math.hypot(*light.to_sun[:2])
        red, green, blue = (float(strength * part) for part in light.sun_rgb)
        to_sun = across * math.cos(angle), across * math.sin(angle), light.to_sun[2]
        return replace(light, to_sun=to_sun, sun_rgb=(red, green, blue))

    def strewn(
        self, place: Place, area_xyxy: Box2, things: Sequence[Callable[[float, float], Sequence[Solid]]]
    ) -> Place:
        """Return the place with up to nine more things where nobody walks or stands; variant 0 as it is.

        Args:
            place: Without them.
            area_xyxy: Where they may be, metres.
            things: Each makes a thing at x, y.
        """
        if self._fixed:
            return place
        kept = [(lane_points(place.nodes, lane), lane.half_width_m + 0.25) for lane in place.edges]
        ways_to = [{"a": place.nodes[spot.node], "b": spot.xy} for spot in place.spots]
        kept += [(lane_points(ends, Lane("a", "b", 0.0)), 0.85) for ends in ways_to]
        kept += [(np.array([camera.position[:2]]), 3.0) for camera in place.cameras]
        kept_xy = np.concatenate([points for points, _ in kept])
        kept_m = np.repeat([room_m for _, room_m in kept], [len(points) for points, _ in kept])
        solids, others = list(place.solids), Obstacles(place.solids)
        wanted = int(self._rng.integers(3, 10))
        for _ in range(25 * wanted):
            more = things[int(self._rng.integers(len(things)))](
                *self._rng.uniform(area_xyxy[:2], area_xyxy[2:]).tolist()
            )
            corners = np.array([corner[:2] for solid in more for corner in solid.bounds])
            grid = np.stack(np.meshgrid(*np.linspace(corners.min(0), corners.max(0), 5).T), -1).reshape(-1, 2)
            if others.clearance_m(grid).min() > 0.15 and (Obstacles(more).clearance_m(kept_xy) > kept_m).all():
                solids += more
                others = Obstacles(solids)
                wanted -= 1
            if not wanted:
                break
        return replace(place, solids=tuple(solids))

    def camera(self, written: Camera, *, roof_m: float = 8.5) -> Camera:
        """Return what is written, or a camera near it with another lens, height and picture.

        Args:
            written: As in variant 0.
            roof_m: How high it may hang; above 5 m a share of the cameras hangs on masts.
        """
        if self._fixed:
            return written
        rng = self._rng
        x, y, z = written.position
        tx, ty, tz = written.target
        height = z + rng.uniform(-0.5, 0.8)
        focal = written.focal_px * rng.uniform(0.8, 1.3)
        if roof_m > 5 and rng.random() < 0.4:
            # As from a mast or a first floor: steep, people 60 to 90 px tall.
            height, focal = rng.uniform(5.5, roof_m), written.focal_px * rng.uniform(0.8, 1.05)
        dx, dy = rng.uniform(-0.25, 0.25, 2) if roof_m < 5 else rng.uniform(-0.5, 0.5, 2)
        ex, ey = rng.uniform(-1.0, 1.0, 2)
        return replace(
            written,
            position=(x + float(dx), y + float(dy), float(np.clip(height, 2.3, roof_m))),
            target=(tx + float(ex), ty + float(ey), tz),
            focal_px=float(focal),
            effects=self._effects(written.effects),
            clock_offset_s=float(rng.uniform(-0.02, 0.02)),
        )

    def _effects(self, written: CameraEffects) -> CameraEffects:
        rng = self._rng
        soft = rng.random() < 0.25
        return CameraEffects(
            exposure=float(written.exposure * rng.uniform(0.65, 1.4)),
            white_balance=(float(1 + rng.normal(0, 0.08)), 1.0, float(1 + rng.normal(0, 0.10))),
            contrast=float(rng.uniform(0.82, 1.18)),
            saturation=float(rng.uniform(0.45, 1.15)),
            vignette=float(rng.uniform(0, 0.45)),
            blur_px=float(rng.uniform(1.0, 1.7) if soft else rng.uniform(0.35, 0.9)),
            noise=float(rng.uniform(0.008, 0.045)),
            sharpen=float(rng.uniform(0, 0.7)),
            jpeg_quality=int(rng.integers(45, 92)),
            drift=float(rng.uniform(0, 0.06)),
        )
