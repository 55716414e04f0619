"""Which boxes of a detector hit somebody."""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.boxes import iou_matrix


def find_hits(
    found_xyxy: NDArray[np.float32], true_xyxy: NDArray[np.float32], *, min_iou: float = 0.5
) -> NDArray[np.bool_]:
    """Return which boxes hit somebody whom none before them hit, shape ``(N,)``.

    Args:
        found_xyxy: Shape ``(N, 4)``, best first.
        true_xyxy: Shape ``(M, 4)``.
        min_iou: In (0, 1]; a box that overlaps less is no hit.

    Example:
        >>> one = np.array([[0, 0, 2, 2]], np.float32)
        >>> find_hits(np.concatenate([one, one]), one)
        array([ True, False])
    """
    return find_matches(found_xyxy, true_xyxy, min_iou=min_iou) >= 0


def find_matches(
    found_xyxy: NDArray[np.float32], true_xyxy: NDArray[np.float32], *, min_iou: float = 0.5
) -> NDArray[np.intp]:
    """Return the row of whom each box hits and none before it hit, -1 for nobody, shape ``(N,)``.

    Args:
        found_xyxy: Shape ``(N, 4)``, best first.
        true_xyxy: Shape ``(M, 4)``.
        min_iou: In (0, 1]; a box that overlaps less is no hit.
    """
    free = np.ones(len(true_xyxy), np.bool_)
    matches = np.full(len(found_xyxy), -1, np.intp)
    for row, overlaps in enumerate(iou_matrix(found_xyxy, true_xyxy)):
        overlaps = np.where(free, overlaps, 0)
        if len(overlaps) and overlaps.max() >= min_iou:
            matches[row] = overlaps.argmax()
            free[matches[row]] = False
    return matches
