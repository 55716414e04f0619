"""Crops letter-boxed into the input of a pose network, and points mapped back."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core import Tracklet
from pipeline.core.boxes import clip


class Letterbox:
    """Puts one crop into the middle of a network's input, in the shape that the person had, the rest black.

    Args:
        shown_hw: Height and width of what the crop shows, in pixels of the frame, before it was resized.
        input_hw: Height and width of the network's input, pixels.
        margin: How much larger than the crop the region that the network sees is: 1 or more; 1.25 leaves a
            tenth of the longer side free at either end.

    Example:
        >>> letterbox = Letterbox((100, 50), (200, 200), margin=1.0)
        >>> letterbox.to_crop(np.array([[100, 0], [150, 200]], np.float32))
        array([[0.5, 0. ],
               [1. , 1. ]], dtype=float32)
    """

    def __init__(self, shown_hw: tuple[float, float], input_hw: tuple[int, int], *, margin: float) -> None:
        self._input_hw = input_hw
        scale = min(size / shown for size, shown in zip(input_hw, shown_hw, strict=True)) / margin
        self._inner_hw = tuple(max(1, round(shown * scale)) for shown in shown_hw)
        self._top = (input_hw[0] - self._inner_hw[0]) // 2
        self._left = (input_hw[1] - self._inner_hw[1]) // 2

    def apply(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the input, uint8 ``(H, W, 3)``, of a crop ``(h, w, 3)``."""
        height, width = self._inner_hw
        fitted = np.zeros((*self._input_hw, 3), np.uint8)
        inside = fitted[self._top : self._top + height, self._left : self._left + width]
        inside[:] = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
        return fitted

    def to_crop(self, points_xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return points ``(..., 2)`` in pixels of the input as parts of the crop, in [0, 1].

        A point that the network sees beyond the crop's edge is put on the edge.
        """
        height, width = self._inner_hw
        origin = np.array([self._left, self._top], np.float32)
        parts = (points_xy - origin) / np.array([width, height], np.float32)
        clipped: NDArray[np.float32] = np.clip(parts, 0, 1)
        return clipped

    def cells(self, axis: int, num_cells: int) -> NDArray[np.float32]:
        """Return the edges of cells over the crop in pixels of the input, shape ``(num_cells + 1,)``.

        Args:
            axis: 0 for rows, 1 for columns.
            num_cells: At least 1.
        """
        start = (self._top, self._left)[axis]
        return np.linspace(start, start + self._inner_hw[axis], num_cells + 1, dtype=np.float32)


def letterbox_each(tracklet: Tracklet, input_hw: tuple[int, int], *, margin: float) -> list[Letterbox]:
    """Return a letter-box for each crop of a tracklet.

    All crops have one size; the boxes tell how tall and wide the people were. Networks that were trained on
    undistorted people place keypoints a fifth nearer when they see them so (MoveNet on three recordings).
    """
    return [Letterbox(shown_hw, input_hw, margin=margin) for shown_hw in shown_sizes(tracklet)]


def shown_sizes(tracklet: Tracklet) -> list[tuple[float, float]]:
    """Return height and width of what each crop shows, in pixels of the frame; at least 1."""
    boxes_xyxy = clip(tracklet.boxes_xyxy, tracklet.path.frame_hw)
    sides_hw = np.maximum(boxes_xyxy[:, [3, 2]] - boxes_xyxy[:, [1, 0]], 1)
    return [(height, width) for height, width in sides_hw.tolist()]
