"""Enrolment: pictures of a person to a tracklet, so that the person is known before any camera sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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

MIN_HEIGHT_PX = 64
"""Height of a person in pixels from which on a picture is good: half of that from which on size does not limit a re-ID
network. A larger value refuses more pictures."""

MIN_ASPECT = 1.5
"""Height of a whole person, times the width. Of 66 people of PETS 2009 nineteen of twenty have 2.2 and more, the least
1.4. A larger value takes people with spread arms for parts of people."""

OTHER = 0.5
"""Height from which on another person counts, times that of the largest. A larger value lets more bystanders pass."""

BLUR_HEIGHT_PX = 128
"""Height to which people are scaled before they are compared with ``MAX_BLUR``, pixels."""

MAX_BLUR = 0.3
"""``blur_of`` up to which a picture is sharp. Nineteen of twenty people of the demo have 0.20 and less, of PETS 2009
0.08. Smoothed by 3 % of their height, half of them have 0.64 and 0.47, and more. A larger value lets more blurred ones
pass."""


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


def enrolment_tracklet(
    name: str, number: int, pictures: Iterable[Frame], crop_size_hw: tuple[int, int], *, session: int = 0
) -> Tracklet:
    """Return cropped pictures of one whole person as a tracklet of the camera ``ENROLLED``.

    Args:
        name: Name of the person, for messages.
        number: Number of the person.
        pictures: At least one; any size.
        crop_size_hw: Height and width that the embedder needs, pixels.
        session: Of the track; 0 for the people who are known from the start of a run.

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
        track_id=TrackId(ENROLLED, session, number),
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a picture shows the person who is to be enrolled.

    Attributes:
        box_xyxy: Where the largest person is, pixels of the picture; None if nobody is found.
        faults: What is wrong with it, in words; none if it is good.
    """

    box_xyxy: tuple[int, int, int, int] | None
    faults: tuple[str, ...]


def judge(image: NDArray[np.uint8], boxes_xyxy: Sequence[Sequence[float]]) -> Judgement:
    """Return how a picture shows a person.

    Args:
        image: Shape ``(h, w, 3)``, uint8, RGB.
        boxes_xyxy: Where a detector found people in it, pixels.
    """
    if not len(boxes_xyxy):
        return Judgement(None, ("no person is found in it; show one whole person",))
    by_height = sorted(boxes_xyxy, key=lambda box: box[1] - box[3])
    left, top, right, bottom = (round(float(side)) for side in by_height[0])
    left, top = max(0, left), max(0, top)
    right, bottom = min(image.shape[1], max(left + 1, right)), min(image.shape[0], max(top + 1, bottom))
    height, width = bottom - top, right - left
    others = sum(box[3] - box[1] >= OTHER * height for box in by_height[1:])
    faults = []
    if others:
        faults.append(f"{1 + others} people are in it; cut out one")
    if height < MIN_HEIGHT_PX:
        faults.append(f"the person is too small, {height} pixels high; {MIN_HEIGHT_PX} are needed")
    if height < MIN_ASPECT * width:
        faults.append("it shows a part of a person; one whole person is needed")
    if blur_of(image[top:bottom, left:right]) > MAX_BLUR:
        faults.append("it is blurred")
    return Judgement((left, top, right, bottom), tuple(faults))


def blur_of(crop: NDArray[np.uint8]) -> float:
    """Return how much of its fine detail a picture of a person keeps if it is smoothed once more, in [0, 1].

    A sharp one loses most of it; one that is smooth already loses little. Contrast does not matter.
    """
    width = max(8, round(crop.shape[1] * BLUR_HEIGHT_PX / crop.shape[0]))
    grey = cv2.cvtColor(resize(crop, (BLUR_HEIGHT_PX, width)), cv2.COLOR_RGB2GRAY)
    before, after = (
        float(cv2.Laplacian(each, cv2.CV_64F).var()) for each in (grey, cv2.GaussianBlur(grey, (0, 0), 1.5))
    )
    return after / max(before, 1e-9)
