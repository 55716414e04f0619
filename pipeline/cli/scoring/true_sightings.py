"""What an error-free run would have seen: the ground truth of a run's site as sightings.

Rules and counts that run over it say what a run should have alerted and counted.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.sinks.box_store import StoredPart
from connectors.sinks.final_boxes import SPOOLED
from pipeline.cli.scoring.truth import true_tables
from pipeline.config.composition import load_written
from pipeline.core import FrameStamp, Outcome, Sighting, TrackId, TrackPart, TrackPath
from pipeline.core.errors import ConfigError
from pipeline.evaluation.track_table import TrackTable

PART_S = 3.0
"""Seconds of a part of a track, as ``buffer.part_s``; the results do not depend on it."""

MAX_GAP_S = 1.0
"""Seconds without a box that end a track. A larger value joins walks around an obstacle."""


def true_sightings(folder: Path, stored: list[StoredPart]) -> list[Sighting]:
    """Return the ground truth of a run as sightings, in the order of event time.

    Args:
        folder: Output folder of the run.
        stored: The boxes of the run: they say when each frame was captured.

    Raises:
        ConfigError: If the site has no ground truth.
        DataError: If its file is damaged.
    """
    config = load_written(folder / "config.yaml")
    tables = true_tables(config)
    if tables is None:
        raise ConfigError(f"{folder}: expected a site with ground truth, got none; give site.truth")
    clocks = _clocks(stored)
    found = [
        sighting
        for camera_id, table in tables.items()
        if camera_id in clocks
        for sighting in _of_camera(camera_id, table, *clocks[camera_id], config.detect.min_height_px)
    ]
    return sorted(found, key=lambda each: (each.last.captured_at, each.track_id, each.part))


def _clocks(stored: list[StoredPart]) -> Mapping[str, tuple[NDArray[np.float64], tuple[int, int]]]:
    """Return by camera the line that takes a frame's index to its time, Unix seconds, and the size of its frames."""
    rows: dict[str, list[NDArray[np.void]]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for part in stored:
        camera_id = part.part.track_id.camera_id
        rows.setdefault(camera_id, []).append(np.frombuffer(part.boxes, SPOOLED))
        sizes[camera_id] = part.frame_hw
    clocks = {}
    for camera_id, of_camera in rows.items():
        boxes = np.concatenate(of_camera)
        if len(np.unique(boxes["index"])) > 1:
            clocks[camera_id] = np.polyfit(boxes["index"], boxes["captured_at"], 1), sizes[camera_id]
    return clocks


def _of_camera(
    camera_id: str, table: TrackTable, clock: NDArray[np.float64], frame_hw: tuple[int, int], min_height_px: float
) -> Iterator[Sighting]:
    heights = table.boxes_xyxy[:, 3] - table.boxes_xyxy[:, 1]
    is_seen = table.counts & (heights >= min_height_px)
    number = 0
    for person_id in np.unique(table.ids[is_seen]).tolist():
        rows = np.flatnonzero(is_seen & (table.ids == person_id))
        rows = rows[np.argsort(table.frames[rows])]
        times = np.polyval(clock, table.frames[rows])
        for track in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(times) > MAX_GAP_S) + 1):
            number += 1
            cuts = np.flatnonzero(np.diff(np.floor((times[track] - times[track[0]]) / PART_S))) + 1
            parts = np.split(track, cuts)
            for part, chosen in enumerate(parts):
                path = TrackPath(
                    indices=table.frames[rows[chosen]].copy(),
                    captured_at=times[chosen].astype(np.float64),
                    boxes_xyxy=table.boxes_xyxy[rows[chosen]].copy(),
                    scores=np.ones(len(chosen), np.float32),
                    frame_hw=frame_hw,
                )
                name = TrackPart(TrackId(camera_id, 0, number), part)
                yield certain_sighting(name, person_id, path, is_last=part == len(parts) - 1)


def certain_sighting(part: TrackPart, person_id: int, path: TrackPath, *, is_last: bool) -> Sighting:
    """Return a sighting of a part of a track about whose person there is no doubt."""
    camera_id = part.track_id.camera_id
    first, last = (FrameStamp(camera_id, int(path.indices[i]), float(path.captured_at[i])) for i in (0, -1))
    return Sighting(
        person_id=person_id,
        track_id=part.track_id,
        part=part.part,
        first=first,
        last=last,
        box_xyxy=path.boxes_xyxy[-1].copy(),
        outcome=Outcome.MATCHED,
        distance=None,
        probability=1.0,
        runner_up=None,
        gates=(),
        path=path,
        is_last=is_last,
    )
