"""Box geometry: pure functions on arrays of shape ``(N, 4)``, float32, pixels, left top right bottom."""

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def area(boxes_xyxy: Boxes) -> NDArray[np.float32]:
    """Return the areas in square pixels, shape ``(N,)``.

    Example:
        >>> area(np.array([[0, 0, 2, 3]], np.float32))
        array([6.], dtype=float32)
    """
    return (boxes_xyxy[:, 2] - boxes_xyxy[:, 0]) * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1])


def clip(boxes_xyxy: Boxes, frame_hw: tuple[int, int]) -> Boxes:
    """Return the boxes cut to the frame, shape ``(N, 4)``."""
    height, width = frame_hw
    clipped: Boxes = np.clip(boxes_xyxy, 0, np.array([width, height, width, height], np.float32))
    return clipped


def intersection_matrix(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float32]:
    """Return the areas that pairs of boxes share, square pixels, shape ``(N, M)``."""
    top_left = np.maximum(first_xyxy[:, None, :2], second_xyxy[None, :, :2])
    bottom_right = np.minimum(first_xyxy[:, None, 2:], second_xyxy[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)
    areas: NDArray[np.float32] = sides[..., 0] * sides[..., 1]
    return areas


def iou_matrix(first_xyxy: Boxes, second_xyxy: Boxes) -> NDArray[np.float32]:
    """Return intersection over union of all pairs in [0, 1], shape ``(N, M)``; 0 for empty boxes.

    Example:
        >>> iou_matrix(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 0, 3, 2]], np.float32)).round(3)
        array([[0.333]], dtype=float32)
    """
    shared = intersection_matrix(first_xyxy, second_xyxy)
    union = area(first_xyxy)[:, None] + area(second_xyxy)[None, :] - shared
    iou: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return iou


def foot_points(boxes_xyxy: Boxes) -> NDArray[np.float32]:
    """Return the bottom centres, where people stand, shape ``(N, 2)``, pixels."""
    return np.stack([(boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2, boxes_xyxy[:, 3]], axis=1)
