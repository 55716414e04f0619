"""From a detector's boxes on the letter-boxed picture to detections in the frame."""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.boxes import area, clip
from pipeline.core.errors import ShapeError
from pipeline.core.records.detections import Detections
from pipeline.core.records.frame import LetterboxedFrame


def to_frame(frame: LetterboxedFrame, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32]) -> Detections:
    """Return detections in pixels of the full frame, cut to it; boxes wholly in the padding go.

    Args:
        frame: What was searched.
        boxes_xyxy: Shape ``(N, 4)``, pixels of the letter-boxed image.
        scores: Shape ``(N,)``, in [0, 1].
    """
    boxes_xyxy = clip(boxes_xyxy / np.float32(frame.scale), frame.frame_hw)
    inside = area(boxes_xyxy) > 0
    return Detections(frame.stamp, boxes_xyxy[inside], scores[inside])


def check_size(frame: LetterboxedFrame, input_hw: tuple[int, int]) -> None:
    """Raise unless the frame was letter-boxed for this detector.

    Raises:
        ShapeError: If its image has another size.
    """
    if frame.image.shape[:2] != input_hw:
        raise ShapeError(f"letter-boxed image: expected height and width {input_hw}, got {frame.image.shape[:2]}")
