"""Records for tests. Every argument is optional, so that a test shows only what it is about."""

from collections.abc import Sequence

import numpy as np

from pipeline.core import (
    Detections,
    Embedding,
    Frame,
    FrameStamp,
    Outcome,
    Sighting,
    TrackId,
    Tracklet,
    TrackPath,
)

BOX = (10.0, 10.0, 40.0, 90.0)
FRAME_HW = (120, 160)


def make_stamp(camera_id: str = "east", index: int = 0, captured_at: float | None = None) -> FrameStamp:
    """Return a stamp; a camera of ten frames a second, unless a time is given."""
    return FrameStamp(camera_id, index, index / 10 if captured_at is None else captured_at)


def make_frame(stamp: FrameStamp | None = None, hw: tuple[int, int] = FRAME_HW, seed: int = 0) -> Frame:
    """Return a frame of noise, height and width ``hw``."""
    image = np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)
    return Frame(stamp or make_stamp(), image)


def make_detections(
    boxes: Sequence[Sequence[float]] = (BOX,),
    scores: Sequence[float] | None = None,
    stamp: FrameStamp | None = None,
) -> Detections:
    """Return detections in pixels; all scores .9 unless given."""
    boxes_xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(
        stamp or make_stamp(),
        boxes_xyxy,
        np.full(len(boxes_xyxy), 0.9, np.float32) if scores is None else np.array(scores, np.float32),
    )


def make_path(
    first: int = 0,
    length: int = 5,
    box: Sequence[float] = BOX,
    velocity: tuple[float, float] = (0.0, 0.0),
    fps: float = 10.0,
    frame_hw: tuple[int, int] = FRAME_HW,
) -> TrackPath:
    """Return the path of a box that moves by ``velocity`` pixels a frame."""
    steps = np.arange(length)
    return TrackPath(
        indices=first + steps.astype(np.int64),
        captured_at=(first + steps) / fps,
        boxes_xyxy=(np.array(box) + steps[:, None] * np.array([*velocity, *velocity])).astype(np.float32),
        scores=np.full(length, 0.9, np.float32),
        frame_hw=frame_hw,
    )


def make_tracklet(
    track_id: TrackId | None = None,
    part: int = 0,
    path: TrackPath | None = None,
    num_crops: int = 4,
    crop_hw: tuple[int, int] = (64, 32),
    seed: int = 0,
    is_last: bool = False,
) -> Tracklet:
    """Return a part of a track with crops of noise."""
    track_id = track_id or TrackId("east", 0, 1)
    path = path or make_path(length=max(5, num_crops))
    return Tracklet(
        track_id=track_id,
        part=part,
        stamps=tuple(
            FrameStamp(track_id.camera_id, int(path.indices[i]), float(path.captured_at[i])) for i in range(num_crops)
        ),
        boxes_xyxy=path.boxes_xyxy[:num_crops].copy(),
        scores=path.scores[:num_crops].copy(),
        crops=np.random.default_rng(seed).integers(0, 256, (num_crops, *crop_hw, 3), np.uint8),
        qualities=np.full(num_crops, 0.8, np.float32),
        path=path,
        completed_at=float(path.captured_at[-1]),
        is_last=is_last,
    )


def make_vector(seed: int = 0, dim: int = 16) -> np.ndarray:
    """Return a vector of norm 1, shape ``(dim,)``."""
    vector = np.random.default_rng(seed).normal(size=dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def make_embedding(
    track_id: TrackId | None = None,
    part: int = 0,
    path: TrackPath | None = None,
    vector: np.ndarray | None = None,
    space: str = "test@0",
    quality: float = 0.8,
    is_last: bool = False,
) -> Embedding:
    """Return the embedding of a part of a track."""
    track_id = track_id or TrackId("east", 0, 1)
    path = path or make_path()
    first, last = (FrameStamp(track_id.camera_id, int(path.indices[i]), float(path.captured_at[i])) for i in (0, -1))
    return Embedding(
        track_id=track_id,
        part=part,
        first=first,
        last=last,
        box_xyxy=path.boxes_xyxy[-1].copy(),
        space=space,
        vector=make_vector() if vector is None else vector,
        quality=quality,
        path=path,
        completed_at=float(path.captured_at[-1]),
        is_last=is_last,
    )


def make_sighting(
    person_id: int = 1,
    track_id: TrackId | None = None,
    part: int = 0,
    path: TrackPath | None = None,
    outcome: Outcome = Outcome.NEW,
    is_last: bool = False,
) -> Sighting:
    """Return a sighting of a person."""
    return Sighting.of(
        make_embedding(track_id, part, path, is_last=is_last),
        person_id,
        outcome,
        distance=None if outcome is Outcome.NEW else 0.2,
        probability=0.95,
        gates=(),
    )
