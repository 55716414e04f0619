"""Enrolment: pictures of a person to a tracklet, so that the person is known before any camera sees them."""

from collections.abc import Iterable

import numpy as np

from pipeline.camera.crops import resize
from pipeline.camera.detection import PADDING
from pipeline.core import Frame, FrameStamp, TrackId, Tracklet, TrackPath
from pipeline.core.errors import ConfigError
from pipeline.core.records.track import ENROLLED

LONG_AGO = -1e9
"""Unix seconds, 1938: before any frame of a camera."""

MAX_BLANK_STD = 6.0
"""Spread of grey values up to which a picture shows nothing. As for a covered camera; a larger value refuses pictures
taken in fog."""

MARGIN = 2.0
"""Size of the frame in which a person is looked for, times that of the picture. Detectors know whole frames, where
people have something around them: three quarters of 17 crops of the demo score at least 0.66 without a margin, and 0.81
with this one, by the own detector. A larger value shows people smaller."""

MIN_SCORE = 0.3
"""Score from which a picture shows a person. Of the same crops 19 of 20 have 0.51 and more, of pieces of the background
none more than 0.29. A larger value warns of more pictures that are good enough."""


def blank_pictures(pictures: Iterable[Frame]) -> list[int]:
    """Return which pictures have one colour all over, by their places in the order, from 0."""
    return [place for place, frame in enumerate(pictures) if float(frame.image.mean(axis=2).std()) <= MAX_BLANK_STD]


def framed(picture: Frame) -> Frame:
    """Return a picture in the middle of a grey frame, for a detector."""
    height, width = picture.size_hw
    side = round(MARGIN * max(height, width))
    canvas = np.full((side, side, 3), PADDING, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = picture.image
    return Frame(picture.stamp, canvas)


def enrolment_tracklet(name: str, number: int, pictures: Iterable[Frame], crop_size_hw: tuple[int, int]) -> Tracklet:
    """Return cropped pictures of one whole person as a tracklet of the camera ``ENROLLED``.

    Args:
        name: Name of the person, for messages.
        number: Number of the person.
        pictures: At least one; any size.
        crop_size_hw: Height and width that the embedder needs, pixels.

    Raises:
        ConfigError: If there is no picture, or nothing in any of them.
    """
    frames = list(pictures)
    if not frames:
        raise ConfigError(f"enrol.{name}: expected at least one picture, got none")
    if len(blank_pictures(frames)) == len(frames):
        raise ConfigError(
            f"enrol.{name}: expected pictures of a person, got {len(frames)} of one colour all over; replace them"
        )
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
