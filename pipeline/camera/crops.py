"""The quality of crops, and the buffer that keeps the best of them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core import FrameStamp
from pipeline.core.boxes import area, intersection_matrix

BORDER_PX = 2.0
"""Pixels from the picture's border within which a box is probably cut by it. Larger: more boxes are marked down."""
BORDER_QUALITY = 0.5
"""Factor on the quality of a box that the border cuts. Larger: cut people count for more."""
MIN_QUALITY = 0.01
"""Least quality of a crop: above 0, because qualities are weights."""
FULL_HEIGHT_PX = 128.0
"""Height in pixels from which on size does not limit a re-ID network. Larger: more people are marked down as small."""

STATIC_HW = (32, 16)
"""Height and width of the picture that tells whether anything moves, pixels. Larger: smaller movements count."""
STATIC_NOISE = 2.0
"""Mean difference in grey levels, of 255, below which nothing moved. People who stand still show 4 and more.

Larger: people who stand very still are dropped as static false positives.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One picture of one person.

    Attributes:
        stamp: The frame it was cut from.
        box_xyxy: Shape ``(4,)``, pixels of the frame.
        score: Detector confidence, in [0, 1].
        image: Shape ``(h, w, 3)``, uint8, RGB.
        quality: How well it shows one whole person, in (0, 1].
    """

    stamp: FrameStamp
    box_xyxy: NDArray[np.float32]
    score: float
    image: NDArray[np.uint8]
    quality: float


def covered_fractions(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the fraction of each box that the box covering most of it covers, in [0, 1], shape ``(N,)``."""
    shared = intersection_matrix(boxes_xyxy, boxes_xyxy)
    np.fill_diagonal(shared, 0)
    areas = np.maximum(area(boxes_xyxy), 1e-6)
    fractions: NDArray[np.float32] = shared.max(axis=1, initial=0) / areas
    return fractions


def qualities(
    boxes_xyxy: NDArray[np.float32],
    scores: NDArray[np.float32],
    covered: NDArray[np.float32],
    frame_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Return how well each box shows one whole person, in (0, 1], shape ``(N,)``.

    The product of the detector's score, the uncovered fraction (squared: the covered part shows another person), the
    height up to ``FULL_HEIGHT_PX``, and a penalty for boxes that the border cuts.
    """
    height, width = frame_hw
    limits = np.array([width, height], np.float32) - BORDER_PX
    is_cut = (boxes_xyxy[:, :2] <= BORDER_PX).any(axis=1) | (boxes_xyxy[:, 2:] >= limits).any(axis=1)
    heights = boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    quality = (
        scores
        * (1 - np.minimum(covered, 1)) ** 2
        * np.sqrt(np.minimum(heights / FULL_HEIGHT_PX, 1))
        * np.where(is_cut, BORDER_QUALITY, 1)
    )
    clipped: NDArray[np.float32] = np.clip(quality, MIN_QUALITY, 1).astype(np.float32)
    return clipped


def cut(image: NDArray[np.uint8], box_xyxy: NDArray[np.float32], max_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a copy of the picture inside the box, at most twice ``max_hw`` in size and at least 1x1.

    Args:
        image: Shape ``(H, W, 3)``.
        box_xyxy: Pixels of ``image``; parts outside are cut off.
        max_hw: Height and width that crops are scaled to in the end.
    """
    height, width = image.shape[:2]
    left, top = (int(np.clip(v, 0, size - 1)) for v, size in zip(box_xyxy[:2], (width, height), strict=True))
    right = int(np.clip(np.ceil(box_xyxy[2]), left + 1, width))
    bottom = int(np.clip(np.ceil(box_xyxy[3]), top + 1, height))
    inside = image[top:bottom, left:right]
    if inside.shape[0] > 2 * max_hw[0] or inside.shape[1] > 2 * max_hw[1]:
        return resize(inside, max_hw)
    return inside.copy()


def resize(image: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture scaled to ``size_hw``; pixels are averaged when it shrinks."""
    shrinks = image.shape[0] > size_hw[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: NDArray[np.uint8] = cv2.resize(
        np.ascontiguousarray(image), (size_hw[1], size_hw[0]), interpolation=interpolation
    )
    return resized


class CropBuffer:
    """Keeps the best crop of each of at most ``num_crops`` equal spans of time.

    When a part lasts longer than its spans cover, neighbouring spans are joined, and the better crop of each pair
    stays. So the crops remain spread over time and memory stays bounded, however long the part.

    Args:
        num_crops: Maximum number of crops, T.
        span_s: Seconds that a span covers at first.
    """

    def __init__(self, num_crops: int, span_s: float) -> None:
        self._num_crops = num_crops
        self._span_s = span_s
        self._started_at: float | None = None
        self._best: dict[int, Crop] = {}

    def __len__(self) -> int:
        return len(self._best)

    def wants(self, captured_at: float, quality: float) -> bool:
        """Tell whether a crop of this time, Unix seconds, and this quality would be kept."""
        if self._started_at is None:
            return True
        held = self._best.get(self._span(captured_at))
        return held is None or quality > held.quality

    def add(self, crop: Crop) -> None:
        """Keep the crop if it is the best of its span."""
        if self._started_at is None:
            self._started_at = crop.stamp.captured_at
        while self._span(crop.stamp.captured_at) >= self._num_crops:
            self._join_spans()
        span = self._span(crop.stamp.captured_at)
        held = self._best.get(span)
        if held is None or crop.quality > held.quality:
            self._best[span] = crop

    def crops(self) -> list[Crop]:
        """Return the crops, in order of time."""
        return [self._best[span] for span in sorted(self._best)]

    def _span(self, captured_at: float) -> int:
        assert self._started_at is not None
        return int((captured_at - self._started_at) / self._span_s)

    def _join_spans(self) -> None:
        self._span_s *= 2
        crops = self.crops()
        self._best = {}
        for crop in crops:
            self.add(crop)


def static_patch(image: NDArray[np.uint8], box_xyxy: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the inside of the box as a small averaged grey picture: tells whether anything there moves."""
    small = cv2.resize(cut(image, box_xyxy, STATIC_HW), STATIC_HW[::-1], interpolation=cv2.INTER_AREA)
    grey: NDArray[np.uint8] = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return grey


def is_static_pair(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Tell whether two pictures of ``static_patch`` differ by no more than the noise of a camera."""
    return float(np.abs(first.astype(np.int16) - second).mean()) < STATIC_NOISE
