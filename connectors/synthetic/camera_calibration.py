"""Camera calibration of a place: which cameras overlap, and the transit times between the others."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from connectors.synthetic.places.place import Place, lane_points
from connectors.synthetic.rendering.background import render_background
from connectors.synthetic.rendering.camera import Camera

_OVERLAP = 0.01
"""Least share of common ground of overlapping cameras. With less, no person is in both for long."""
_SMALLEST_PX = 30.0
"""Height in pixels from which a person counts as seen. A larger one shrinks the views and lengthens transits."""
_SLOW_M_S, _USUAL_M_S, _FAST_M_S = 0.7, 1.3, 1.9
"""Slow, usual and fast walking, metres per second; people of the crowd simulation prefer 0.8 to 1.8."""
_DETOUR, _STOP_S = 1.8, 30.0
"""Longest detour (factor) and longest stop (seconds) of the crowd simulation. Larger ones raise ``max_s``."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two cameras, and the share of the walkable ground of the smaller view that the other one sees too, 0 to 1."""

    first: str
    second: str
    share: float


@dataclass(frozen=True, slots=True)
class Transit:
    """Transit times in seconds between two cameras that share no ground, in either direction."""

    first: str
    second: str
    min_s: float
    median_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class CameraCalibration:
    """Each pair of cameras that see walkable ground is either in ``overlaps`` or in ``transits``."""

    overlaps: tuple[Overlap, ...]
    transits: tuple[Transit, ...]


def calibrate_cameras(place: Place, *, device: str = "cpu") -> CameraCalibration:
    """Measure overlaps and transit times of the cameras of a place.

    Args:
        place: With its cameras.
        device: For ray tracing, ``cpu`` or ``cuda``.
    """
    points, paths = _walkable(place)
    seen = {camera.name: _sees(place, camera, points, device) for camera in place.cameras}
    overlaps: list[Overlap] = []
    transits: list[Transit] = []
    for first, second in itertools.combinations([name for name in seen if seen[name].any()], 2):
        a, b = seen[first], seen[second]
        share = float((a & b).sum() / min(a.sum(), b.sum()))
        if share >= _OVERLAP:
            overlaps.append(Overlap(first, second, share))
            continue
        from_first_m = dijkstra(paths, directed=False, indices=np.flatnonzero(a), min_only=True)
        distance_m = float(from_first_m[b].min())
        longest_s = _DETOUR * distance_m / _SLOW_M_S + _STOP_S
        transits.append(Transit(first, second, distance_m / _FAST_M_S, distance_m / _USUAL_M_S, longest_s))
    return CameraCalibration(tuple(overlaps), tuple(transits))


def _walkable(place: Place) -> tuple[NDArray[np.float64], csr_array]:
    """Return points half a metre apart on the middle of all lanes, shape ``(N, 2)``, and the graph between them."""
    numbers = {name: i for i, name in enumerate(place.nodes)}
    points = [np.array(list(place.nodes.values()), np.float64)]
    first: list[int] = []
    second: list[int] = []
    count = len(numbers)
    for lane in place.edges:
        between = lane_points(place.nodes, lane, 0.5)[1:-1]
        chain = [numbers[lane.first], *range(count, count + len(between)), numbers[lane.second]]
        first += chain[:-1]
        second += chain[1:]
        points.append(between)
        count += len(between)
    nodes = np.concatenate(points)
    length = np.hypot(*(nodes[first] - nodes[second]).T)
    return nodes, csr_array((length, (first, second)), shape=(count, count))


def _sees(place: Place, camera: Camera, points: NDArray[np.float64], device: str) -> NDArray[np.bool_]:
    """Return at which points a person's chest is in the image, large enough and not hidden, shape ``(N,)``."""
    # Half the resolution suffices to test what hides a chest.
    camera = camera.scaled(0.5)
    depth = render_background(place, camera, device=device).depth
    foot, chest, head = (camera.project(np.column_stack([points, np.full(len(points), z)])) for z in (0.0, 1.2, 1.7))
    height, width = camera.size_hw
    inside = (chest[:, 2] > 0.1) & (chest[:, 0] >= 0) & (chest[:, 0] < width)
    inside &= (chest[:, 1] >= 0) & (chest[:, 1] < height)
    tall = np.hypot(*(foot[:, :2] - head[:, :2]).T) >= 0.5 * _SMALLEST_PX
    x = np.clip(chest[:, 0], 0, width - 1).astype(np.int64)
    y = np.clip(chest[:, 1], 0, height - 1).astype(np.int64)
    return np.asarray(inside & tall & (depth[y, x] > chest[:, 2] - 0.2))
