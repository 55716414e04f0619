"""Frame to detections: finds people, and drops boxes that are too small or have too low a score.

A frame is letterboxed where it is decoded, so that only what the detector needs is sent to another process.
"""

import logging
from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.core import Detections, Detector, Frame, LetterboxedFrame, calls_of
from pipeline.core.plugin_contract import answers, blaming, plugin_name

logger = logging.getLogger(__name__)

PADDING = 114
"""Grey level of the padding, of 255; the value that YOLO networks are trained with."""


class DetectionStage:
    """Finds people; drops boxes that are too small, or have too low a score, to be tracked.

    Args:
        detector: Finds people.
        min_score: Least detector confidence, in [0, 1]; low, because the tracker uses low-scoring boxes too.
        min_height_px: Least height of a box, pixels of the full frame.
        key: Of the detector in the configuration, for messages.
    """

    def __init__(self, detector: Detector, *, min_score: float, min_height_px: float, key: str = "detector") -> None:
        self._detector, self._key = detector, key
        self.calls = calls_of(detector)
        self._min_score = min_score
        self._min_height_px = min_height_px
        self._has_warned = False

    def process(self, batch: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record for each frame, in the same order; frames of many cameras may be mixed."""
        with blaming(self._key, self._detector, owns_data=True):
            detected = self._detector.detect(batch)
        found = answers(self._key, self._detector, "detect", detected, Detections, len(batch))
        return [self._kept(each, frame.frame_hw) for each, frame in zip(found, batch, strict=True)]

    def flush(self) -> list[Detections]:
        """Return nothing: no frame is held."""
        return []

    def _kept(self, found: Detections, frame_hw: tuple[int, int]) -> Detections:
        left, top, right, bottom = found.boxes_xyxy.T
        # False where a number is NaN.
        is_inside = (right > 0) & (bottom > 0) & (left < frame_hw[1]) & (top < frame_hw[0]) & np.isfinite(found.scores)
        if not is_inside.all() and not self._has_warned:
            self._has_warned = True
            wrong = int(np.argmin(is_inside))
            logger.warning(
                "%s (%s): left out a box outside of the picture or without a number, %s with the score %s in %s; "
                "this is said once; check the weights, and how boxes are scaled back",
                self._key,
                plugin_name(self._detector),
                found.boxes_xyxy[wrong].tolist(),
                found.scores[wrong],
                frame_hw,
            )
        is_good = (found.scores >= self._min_score) & (bottom - top >= self._min_height_px)
        return found.select(is_inside & is_good)


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
