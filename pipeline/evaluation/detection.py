"""Hits of a detector: greedy matching of found boxes to true boxes."""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.boxes import iou_matrix


def find_hits(
    found_xyxy: NDArray[np.float32], true_xyxy: NDArray[np.float32], *, min_iou: float = 0.5
) -> NDArray[np.bool_]:
    """Return which boxes match a true box that no earlier box matched, shape ``(N,)``.

    Args:
        found_xyxy: Shape ``(N, 4)``, highest score first.
        true_xyxy: Shape ``(M, 4)``.
        min_iou: Least overlap of a match, in (0, 1].

    Example:
        >>> one = np.array([[0, 0, 2, 2]], np.float32)
        >>> find_hits(np.concatenate([one, one]), one)
        array([ True, False])
    """
    return find_matches(found_xyxy, true_xyxy, min_iou=min_iou) >= 0


def find_matches(
    found_xyxy: NDArray[np.float32], true_xyxy: NDArray[np.float32], *, min_iou: float = 0.5
) -> NDArray[np.intp]:
    """Return for each box the row of the true box that it matches, -1 for none, shape ``(N,)``.

    Each true box is matched once, by the earliest box; a box takes the free true box with the largest overlap.

    Args:
        found_xyxy: Shape ``(N, 4)``, highest score first.
        true_xyxy: Shape ``(M, 4)``.
        min_iou: Least overlap of a match, in (0, 1].
    """
    free = np.ones(len(true_xyxy), np.bool_)
    matches = np.full(len(found_xyxy), -1, np.intp)
    for row, overlaps in enumerate(iou_matrix(found_xyxy, true_xyxy)):
        overlaps = np.where(free, overlaps, 0)
        if len(overlaps) and overlaps.max() >= min_iou:
            matches[row] = overlaps.argmax()
            free[matches[row]] = False
    return matches
