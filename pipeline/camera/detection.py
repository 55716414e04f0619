"""Frame to detections: finds people, and drops boxes that are too small or have too low a score.

A frame is letterboxed where it is decoded, so that only what the detector needs is sent to another process.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.core import Detections, Detector, Frame, LetterboxedFrame, calls_of
from pipeline.core.errors import blaming
from pipeline.core.plugin_contract import answers

PADDING = 114
"""Grey level of the padding, of 255; the value that YOLO networks are trained with."""


class DetectionStage:
    """Finds people; drops boxes that are too small, or have too low a score, to be tracked.

    Args:
        detector: Finds people.
        min_score: Least detector confidence, in [0, 1]; low, because the tracker uses low-scoring boxes too.
        min_height_px: Least height of a box, pixels of the full frame.
    """

    def __init__(self, detector: Detector, *, min_score: float, min_height_px: float) -> None:
        self._detector = detector
        self.calls = calls_of(detector)
        self._min_score = min_score
        self._min_height_px = min_height_px

    def process(self, batch: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record for each frame, in the same order; frames of many cameras may be mixed."""
        with blaming("detector", self._detector):
            detected = self._detector.detect(batch)
        found = answers("detector", self._detector, "detect", detected, Detections, len(batch))
        return [self._kept(each) for each in found]

    def flush(self) -> list[Detections]:
        """Return nothing: no frame is held."""
        return []

    def _kept(self, found: Detections) -> Detections:
        heights = found.boxes_xyxy[:, 3] - found.boxes_xyxy[:, 1]
        return found.select((found.scores >= self._min_score) & (heights >= self._min_height_px))


def letterbox(frame: Frame, input_hw: tuple[int, int]) -> LetterboxedFrame:
    """Return the frame scaled to fit ``input_hw``, in the top left corner, padded with grey.

    Args:
        frame: Any size.
        input_hw: Height and width of the detector's input, pixels.
    """
    height, width = frame.size_hw
    scale = min(input_hw[0] / height, input_hw[1] / width)
    inner_height, inner_width = round(height * scale), round(width * scale)
    canvas = np.empty((*input_hw, 3), np.uint8)
    inside = canvas[:inner_height, :inner_width]
    cv2.resize(frame.image, (inner_width, inner_height), dst=inside, interpolation=cv2.INTER_LINEAR)
    canvas[inner_height:] = PADDING
    canvas[:inner_height, inner_width:] = PADDING
    return LetterboxedFrame(frame.stamp, canvas, scale, frame.size_hw)
