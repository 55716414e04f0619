"""Enrolment: pictures of a person to a tracklet, so that the person is known before any camera sees them."""

from collections.abc import Iterable

import numpy as np

from pipeline.camera.crops import resize
from pipeline.core import Frame, FrameStamp, TrackId, Tracklet, TrackPath
from pipeline.core.errors import ConfigError
from pipeline.core.track import ENROLLED

LONG_AGO = -1e9
"""Unix seconds, 1938: before any frame of a camera."""


def enrolment_tracklet(name: str, number: int, pictures: Iterable[Frame], crop_size_hw: tuple[int, int]) -> Tracklet:
    """Return cropped pictures of one whole person as a tracklet of the camera ``ENROLLED``.

    Args:
        name: Name of the person, for messages.
        number: Number of the person.
        pictures: At least one; any size.
        crop_size_hw: Height and width that the embedder needs, pixels.

    Raises:
        ConfigError: If there is no picture.
    """
    frames = list(pictures)
    if not frames:
        raise ConfigError(f"enrol.{name}: expected at least one picture, got none")
    count = len(frames)
    times = LONG_AGO + np.arange(count, dtype=np.float64)
    boxes_xyxy = np.array([[0, 0, frame.size_hw[1], frame.size_hw[0]] for frame in frames], np.float32)
    scores = np.ones(count, np.float32)
    return Tracklet(
        track_id=TrackId(ENROLLED, 0, number),
        part=0,
        stamps=tuple(FrameStamp(ENROLLED, index, float(times[index])) for index in range(count)),
        boxes_xyxy=boxes_xyxy.copy(),
        scores=scores.copy(),
        crops=np.stack([resize(frame.image, crop_size_hw) for frame in frames]),
        qualities=np.ones(count, np.float32),
        path=TrackPath(np.arange(count, dtype=np.int64), times, boxes_xyxy, scores, frames[0].size_hw),
        completed_at=float(times[-1]),
        is_last=True,
    )
