"""What is known of a place: which of its cameras see the same ground, and how long people walk between the others."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from connectors.synthetic.background import cast_background
from connectors.synthetic.camera import Camera
from connectors.synthetic.place import Place, lane_points

# Cameras that share less of their ground than this see nobody at once for long.
_OVERLAP = 0.01
_SMALLEST_PX = 30.0
_SLOW_M_S, _USUAL_M_S, _FAST_M_S = 0.7, 1.3, 1.9
# Of the longest way and the longest stop that people make.
_DETOUR, _STOP_S = 1.8, 30.0


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two cameras and what share of the smaller one's walkable ground the other one sees too, 0 to 1."""

    first: str
    second: str
    share: float


@dataclass(frozen=True, slots=True)
class Walk:
    """How long people are out of sight between two cameras that share no ground, either way."""

    first: str
    second: str
    min_s: float
    median_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class CameraCalibration:
    """Every pair of cameras is either in ``overlaps`` or in ``walks``, if both see ground where people walk."""

    overlaps: tuple[Overlap, ...]
    walks: tuple[Walk, ...]


def survey(place: Place, *, device: str = "cpu") -> CameraCalibration:
    """Return overlaps and walking times of a place's cameras.

    Args:
        place: With its cameras.
        device: Of the rays.
    """
    points, ways = _walkable(place)
    seen = {camera.name: _sees(place, camera, points, device) for camera in place.cameras}
    overlaps: list[Overlap] = []
    walks: list[Walk] = []
    for first, second in itertools.combinations([name for name in seen if seen[name].any()], 2):
        a, b = seen[first], seen[second]
        share = float((a & b).sum() / min(a.sum(), b.sum()))
        if share >= _OVERLAP:
            overlaps.append(Overlap(first, second, share))
            continue
        from_first = dijkstra(ways, directed=False, indices=np.flatnonzero(a), min_only=True)
        far_m = float(from_first[b].min())
        walks.append(Walk(first, second, far_m / _FAST_M_S, far_m / _USUAL_M_S, _DETOUR * far_m / _SLOW_M_S + _STOP_S))
    return CameraCalibration(tuple(overlaps), tuple(walks))


def _walkable(place: Place) -> tuple[NDArray[np.float64], csr_array]:
    """Return points half a metre apart on the middle of all lanes, shape ``(N, 2)``, and the ways between them."""
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
    everything = np.concatenate(points)
    length = np.hypot(*(everything[first] - everything[second]).T)
    return everything, csr_array((length, (first, second)), shape=(count, count))


def _sees(place: Place, camera: Camera, points: NDArray[np.float64], device: str) -> NDArray[np.bool_]:
    """Return at which points somebody's chest is in the picture, near enough and not hidden, shape ``(N,)``."""
    # Half the pixels suffice to tell what hides a chest.
    camera = camera.scaled(0.5)
    depth = cast_background(place, camera, device=device).depth
    foot, chest, head = (camera.project(np.column_stack([points, np.full(len(points), z)])) for z in (0.0, 1.2, 1.7))
    height, width = camera.size_hw
    inside = (chest[:, 2] > 0.1) & (chest[:, 0] >= 0) & (chest[:, 0] < width)
    inside &= (chest[:, 1] >= 0) & (chest[:, 1] < height)
    tall = np.hypot(*(foot[:, :2] - head[:, :2]).T) >= 0.5 * _SMALLEST_PX
    x = np.clip(chest[:, 0], 0, width - 1).astype(np.int64)
    y = np.clip(chest[:, 1], 0, height - 1).astype(np.int64)
    return np.asarray(inside & tall & (depth[y, x] > chest[:, 2] - 0.2))
