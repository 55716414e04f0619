"""How long people stood where: the cells of a heat map, by part of a track, so that corrections and erasures count."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.alerts.plane_geometry import Points, ground_points, is_on_ground, mapped
from pipeline.core import Sighting, TrackPart
from pipeline.ledger import NOBODY

CELL_M = 0.5
"""Side of a cell on the ground, metres. A larger value is coarser, and takes less room."""

NUM_ACROSS = 32
"""Cells across a picture, where a camera knows no ground. More are finer, and take more room."""

MAX_STEP_S = 1.0
"""Seconds that a moment counts for at most: a person who is hidden for longer is not known to stand there."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How long one part of a track stood in one cell.

    Attributes:
        plane: The camera in whose picture the cell is; empty for the ground.
        column: Cells to the right of the origin of the ground, or of the left edge.
        row: Cells from the origin of the ground, or below the upper edge.
        seconds: How long.
        at: Unix seconds: the end of the part.
        part: The part.
    """

    plane: str
    column: int
    row: int
    seconds: float
    at: float
    part: TrackPart


def cells_of(sighting: Sighting, ground: Mapping[str, Points]) -> list[Cell]:
    """Return the cells in which a sighting shows its person; ``ground`` takes pixels to metres, by camera."""
    path, camera_id = sighting.path, sighting.track_id.camera_id
    points, plane = ground_points(path), camera_id
    is_seen = np.ones(len(points), bool)
    if camera_id in ground:
        is_seen = is_on_ground(ground[camera_id], points, path.frame_hw)
        places, plane = np.floor(mapped(ground[camera_id], points)[is_seen] / CELL_M), ""
    else:
        places = np.floor(points / (path.frame_hw[1] / NUM_ACROSS))
    steps = np.minimum(np.diff(path.captured_at, prepend=path.captured_at[:1]), MAX_STEP_S)[is_seen]
    found: defaultdict[tuple[int, int], float] = defaultdict(float)
    for (column, row), seconds in zip(places.astype(int).tolist(), steps.tolist(), strict=True):
        found[column, row] += seconds
    part, at = TrackPart(sighting.track_id, sighting.part), float(path.captured_at[-1])
    return [Cell(plane, column, row, seconds, at, part) for (column, row), seconds in found.items() if seconds > 0]


def heat_of(cells: Iterable[Cell], person_of: Callable[[TrackPart], int]) -> dict[str, list[tuple[int, int, float]]]:
    """Return column, row and person-seconds of each cell, by plane; erased people are left out.

    A person whom two cameras see counts once for each of them.
    """
    planes: dict[str, defaultdict[tuple[int, int], float]] = {}
    for cell in cells:
        if person_of(cell.part) != NOBODY:
            planes.setdefault(cell.plane, defaultdict(float))[cell.column, cell.row] += cell.seconds
    return {
        plane: [(*place, round(seconds, 1)) for place, seconds in sorted(found.items())]
        for plane, found in sorted(planes.items())
    }
