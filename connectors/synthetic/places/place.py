"""A place: what stands in it, its light, its cameras, and where people may walk and stop."""

import heapq
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from connectors.synthetic.places.light import Light
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.obstacles import Obstacles
from connectors.synthetic.places.primitives import Point2, Primitive
from connectors.synthetic.rendering.camera import Camera
from pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Lane:
    """A straight path between two nodes.

    Attributes:
        first: Node.
        second: Node; people walk in both directions.
        half_width_m: Greatest distance from the middle, metres.
    """

    first: str
    second: str
    half_width_m: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A point where people stop for a while.

    Attributes:
        node: Node from which it is reached in a straight line.
        xy: Position, metres.
        heading: Direction of view, radians, 0 along x, counter-clockwise.
        action: ``stand``, ``phone``, or ``talk`` (up to three people around the spot).
    """

    node: str
    xy: Point2
    heading: float
    action: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place.

    Attributes:
        name: Name of the place.
        primitives: The objects that stand in it.
        ground: Material of the plane z = 0.
        light: The same for all cameras.
        cameras: With unique names.
        doors: Nodes where people enter and leave.
        nodes: Name to x, y, metres.
        edges: Lanes between nodes.
        spots: Points where people stop.
        capacity: Greatest number of people.
    """

    name: str
    primitives: tuple[Primitive, ...]
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
            ConfigError: If there is no such camera.
        """
        for camera in self.cameras:
            if camera.name == name:
                return camera
        known = ", ".join(camera.name for camera in self.cameras)
        raise ConfigError(f"camera of {self.name}: expected one of {known}, got {name!r}; name one of these")

    def sample_door(self, rng: np.random.Generator, start: str | None) -> str:
        """Sample a door: any, or one to walk to from ``start`` with a probability proportional to its distance."""
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
                f"place {self.name}: expected lanes from {self.doors[0]} to all nodes, got none to {missing}; add some"
            )

    def _check_free(self) -> None:
        obstacles = Obstacles(self.primitives)
        lanes = [(lane, lane_points(self.nodes, lane)) for lane in self.edges]
        lane_of = [lane for lane, points in lanes for _ in points]
        clear_m = obstacles.clearance_m(np.concatenate([points for _, points in lanes]))
        if clear_m.min() < 0.29:
            lane = lane_of[int(np.argmax(clear_m < 0.29))]
            raise ConfigError(
                f"place {self.name}: expected a free lane from {lane.first} to {lane.second}, got an obstacle; "
                "move one of them"
            )
        bounds = np.array([primitive.bounds for primitive in self.primitives]).reshape(-1, 2, 3)
        for camera in self.cameras:
            if ((bounds[:, 0] <= camera.position) & (bounds[:, 1] >= camera.position)).all(axis=1).any():
                raise ConfigError(f"camera {camera.name}: expected it in the open, got it inside an object; move it")
        for spot in self.spots:
            room_m = 0.79 if spot.action == "talk" else 0.29
            if obstacles.clearance_m(np.array([spot.xy]))[0] < room_m:
                raise ConfigError(
                    f"place {self.name}: expected {room_m} m of free ground around spot {spot.xy}, got less; move it"
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
    """Return the length of each lane in both directions, metres."""
    lengths: dict[tuple[str, str], float] = {}
    for lane in place.edges:
        length = math.dist(place.nodes[lane.first], place.nodes[lane.second])
        lengths[lane.first, lane.second] = lengths[lane.second, lane.first] = length
    return lengths


def shortest_route(lengths: Mapping[tuple[str, str], float], start: str, end: str) -> list[str]:
    """Return the nodes from ``start`` to ``end`` with the least sum of lengths (Dijkstra 1959).

    Args:
        lengths: Of lanes between neighbours, any unit, at least 0; a route to ``end`` exists.
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


def offset_route(place: Place, route: list[str], keep: float, abreast: float) -> list[tuple[float, float]]:
    """Return the points of a route, shifted to the side.

    Args:
        place: Of the route.
        route: Nodes.
        keep: Shift to the right, as a share of a lane's half width.
        abreast: Further shift to the left, metres.
    """
    half = {}
    for lane in place.edges:
        half[lane.first, lane.second] = half[lane.second, lane.first] = lane.half_width_m
    nodes = np.array([place.nodes[name] for name in route])
    directions = np.diff(nodes, axis=0)
    directions /= np.maximum(np.hypot(*directions.T), 1e-9)[:, None]
    widths = np.array([half[pair] for pair in itertools.pairwise(route)])
    points: list[tuple[float, float]] = []
    for i, node in enumerate(nodes):
        before, after = max(i - 1, 0), min(i, len(directions) - 1)
        middle = directions[before] + directions[after]
        middle /= max(float(np.hypot(*middle)), 0.5)
        width = min(widths[before], widths[after])
        left = float(np.clip(abreast - keep * width, -width, width))
        points.append((float(node[0] - middle[1] * left), float(node[1] + middle[0] * left)))
    return points


_BODY_M = 0.5
"""Least distance of two people, metres, about the width of a body."""
_WALL_M = 0.27
"""Least distance of a person to an obstacle, metres, about half the width of a body."""


def pushed_apart(xy: NDArray[np.float64], standing: NDArray[np.bool_], obstacles: Obstacles) -> NDArray[np.float64]:
    """Return positions, shape ``(N, 2)``, near the given ones, where no body overlaps another one or an obstacle.

    Args:
        xy: Shape ``(N, 2)``, metres.
        standing: People who are not moved by others, shape ``(N,)``.
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
