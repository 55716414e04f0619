"""A bootstrap interval of a mean."""

from collections.abc import Sequence

import numpy as np

SAMPLES = 2000
"""Bootstrap samples. More: intervals that vary less."""


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower end, the mean and the upper end of a 95 % bootstrap interval."""
    numbers = np.array(values)
    samples = np.random.default_rng(0).choice(numbers, (SAMPLES, len(numbers))).mean(axis=1)
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(numbers.mean()), float(high)
