"""A tracking stage for tests: a tracker that answers from a table, and frames in which boxes stand still or move."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from factories import make_stamp

from pipeline.camera.tracking import TrackingStage
from pipeline.core import Detections, Frame, Tracklet, TrackUpdate

HW = (120, 160)
FPS = 8  # whose times are exact
LEFT, MIDDLE, RIGHT = (10.0, 10.0, 40.0, 90.0), (60.0, 10.0, 90.0, 90.0), (110.0, 10.0, 140.0, 90.0)
BEHIND_LEFT = (15.0, 10.0, 45.0, 90.0)
CROP_HW, CLIP_LEN, FIRST_AFTER_S, PART_S = (16, 8), 4, 1.0, 3.0


class TableTracker:
    """Takes its answers from a table; without an entry, the rows are the tracks 1, 2, 3 and so on."""

    def __init__(self, numbers: Mapping[int, Sequence[int]], ended: Mapping[int, Sequence[int]]) -> None:
        self._numbers, self._ended = numbers, ended

    def update(self, detections: Detections) -> TrackUpdate:
        index = detections.stamp.index
        numbers = self._numbers.get(index, range(1, len(detections) + 1))
        return TrackUpdate(np.array(numbers, np.int64), tuple(self._ended.get(index, ())))


def make_stage(
    numbers: Mapping[int, Sequence[int]] | None = None,
    ended: Mapping[int, Sequence[int]] | None = None,
    *,
    max_open_tracks: int = 100,
    min_peak_score: float = 0.0,
    part_s: float = PART_S,
) -> TrackingStage:
    return TrackingStage(
        TableTracker(numbers or {}, ended or {}),
        crop_size_hw=CROP_HW,
        clip_len=CLIP_LEN,
        first_after_s=FIRST_AFTER_S,
        part_s=part_s,
        contact_coverage=0.3,
        min_peak_score=min_peak_score,
        static_min_score=0.6,
        max_open_tracks=max_open_tracks,
    )


def flat_image(index: int) -> np.ndarray:
    return np.full((*HW, 3), 100, np.uint8)


def busy_image(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (*HW, 3), np.uint8)


def step(
    stage: TrackingStage,
    index: int,
    boxes: Sequence[Sequence[float]],
    score: float | Sequence[float] = 0.9,
    image: Callable[[int], np.ndarray] = flat_image,
) -> list[Tracklet]:
    stamp = make_stamp(index=index, captured_at=index / FPS)
    found = Detections(
        stamp, np.array(boxes, np.float32).reshape(-1, 4), np.broadcast_to(np.float32(score), len(boxes))
    )
    return stage.process([(Frame(stamp, image(index)), found)])


def steps(stage: TrackingStage, indices: range, boxes: Sequence[Sequence[float]], **options) -> list[Tracklet]:
    return [tracklet for index in indices for tracklet in step(stage, index, boxes, **options)]


def spans(tracklets: Sequence[Tracklet]) -> list[tuple[int, int, int, int]]:
    """Return number of the track, part, first and last index."""
    return [(t.track_id.number, t.part, int(t.path.indices[0]), int(t.path.indices[-1])) for t in tracklets]
