"""Greedy non-maximum suppression: one box a person."""

import numpy as np
from numpy.typing import NDArray


def suppress(boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], *, max_iou: float) -> NDArray[np.intp]:
    """Return the rows that stay, best score first; equal scores in order of their rows.

    Args:
        boxes_xyxy: Shape ``(N, 4)``.
        scores: Shape ``(N,)``.
        max_iou: In [0, 1]; a box that overlaps a better one by more goes.

    Example:
        >>> boxes_xyxy = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [5, 5, 6, 6]], np.float32)
        >>> suppress(boxes_xyxy, np.array([0.5, 0.9, 0.3], np.float32), max_iou=0.5)
        array([1, 2])
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = np.ascontiguousarray(boxes_xyxy[order].T)
    widths = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    heights = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.maximum(widths, 0) * np.maximum(heights, 0)
    areas = (right - left) * (bottom - top)
    # Row i: which boxes fit beside box i. Without a division, so that empty boxes need no care.
    compatible = shared <= np.float32(max_iou) * (areas[:, None] + areas - shared)
    stays = np.ones(len(order), np.bool_)
    kept = []
    for row in range(len(order)):
        if stays[row]:
            kept.append(row)
            stays &= compatible[row]
    return order[kept]
