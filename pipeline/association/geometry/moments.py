"""Moments at which two tracks are compared."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Span = tuple[float, float]
"""First and last moment, Unix seconds."""


def common_moments(
    began: float, ended: float, every_s: float, within: Sequence[Span] | None
) -> tuple[NDArray[np.float64], float]:
    """Return moments of a time, shape ``(N,)``, and for how many seconds they stand.

    Args:
        began: Unix seconds.
        ended: Unix seconds.
        every_s: Seconds between two moments, at most.
        within: Times that count, ascending and apart; None: all.

    Example:
        >>> common_moments(0.0, 4.0, 1.0, [(0.5, 1.5), (3.0, 9.0)])
        (array([0.8, 3.2, 4. ]), 2.0)
    """
    times = np.linspace(began, ended, 2 + int((ended - began) / every_s))
    if within is None:
        return times, float(ended - began)
    firsts, lasts = np.array(within).reshape(-1, 2).T
    span = np.searchsorted(firsts, times, side="right") - 1
    counts = (span >= 0) & (times <= lasts[span]) if len(firsts) else np.zeros(len(times), bool)
    shared_s = np.maximum(np.minimum(lasts, ended) - np.maximum(firsts, began), 0.0).sum()
    return times[counts], float(shared_s) if counts.any() else 0.0
