"""Where in the picture a track was, at regular moments: tells two people from two boxes drawn on one person."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.association.geometry.moments import Span, common_moments
from pipeline.core import TrackPath

EVERY_S = 0.1
"""Seconds between two sampled boxes: finer than the time that makes two people of two boxes.

Larger: less memory; a short separation is measured less exactly.
"""
MAX_SAMPLED = 3000
"""Newest sampled boxes of a track segment that are kept: five minutes; bounds memory."""
SAME_PLACE = 0.4
"""Fraction of the smaller box that two boxes on one person may share.

Larger: two people side by side are more often taken for two. Smaller: they are more often taken for one.
"""

SampledBoxes = NDArray[np.float64]
"""Shape ``(N, 5)``, float64: Unix seconds and a box (left, top, right, bottom) in pixels; times ascend."""


def sample_boxes(path: TrackPath) -> SampledBoxes:
    """Return the first box of each ``EVERY_S``, and the last of all."""
    times = path.captured_at
    rows = np.unique(np.floor((times - times[0]) / EVERY_S), return_index=True)[1]
    rows = np.union1d(rows, [len(times) - 1])
    return np.column_stack([times[rows], path.boxes_xyxy[rows].astype(np.float64)])


def separated_s(first: SampledBoxes, second: SampledBoxes, within: Sequence[Span] | None = None) -> float:
    """Return for how many seconds both tracks were in the picture at the same time, at two places.

    Args:
        first: One.
        second: The other one.
        within: Times that count, ascending, where boxes have gaps; None: all.

    Example:
        >>> one = np.array([[0.0, 0, 0, 10, 20], [2.0, 0, 0, 10, 20]])
        >>> separated_s(one, one), separated_s(one, one + [1.0, 50, 0, 50, 0])
        (0.0, 1.0)
    """
    began, ended = max(first[0, 0], second[0, 0]), min(first[-1, 0], second[-1, 0])
    if ended <= began:
        return 0.0
    times, shared_s = common_moments(began, ended, EVERY_S, within)
    if not len(times):
        return 0.0
    one, two = (np.stack([np.interp(times, o[:, 0], o[:, side]) for side in range(1, 5)]) for o in (first, second))
    size = np.maximum(np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2]), 0)
    smaller = np.minimum(*(np.prod(box[2:] - box[:2], axis=0) for box in (one, two)))
    return float((size[0] * size[1] < SAME_PLACE * smaller).mean() * shared_s)
