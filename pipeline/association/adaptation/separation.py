"""How well distances separate one person from two, before and after a projection, on labels that it never saw."""

from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

MAX_LABELS = 400.0
"""Labels of a kind that count; beyond it older ones fade. Larger: a projection that became worse is noticed later."""
MIN_LABELS = 8.0
"""Labels of a kind below which nothing is concluded. Larger: a site is adapted to later."""
CLEAR_GAIN = 0.3
"""By how much a projection must separate people better, as a share, with one label; less with the root of their number.

About a standard error of the ratio of both effect sizes on the same labels. Larger: sites are adapted to more seldom.
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from distances between projected vectors to distances between raw ones.

    Attributes:
        offset: Where it begins.
        slope: How it rises; above 0.
    """

    offset: float = 0.0
    slope: float = 1.0

    def __call__(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distances on the other scale, of the same shape."""
        return self.offset + self.slope * distances


@dataclass(slots=True)
class Moments:
    """Distances of one kind of pair, raw and projected.

    Attributes:
        count: How many, faded.
        sums: Of raw and of projected distances.
        squares: Of their squares.
    """

    count: float = 0.0
    sums: tuple[float, float] = (0.0, 0.0)
    squares: tuple[float, float] = (0.0, 0.0)

    def add(self, raw: float, projected: float) -> None:
        """Take in a pair."""
        keep = min(1.0, (MAX_LABELS - 1) / self.count) if self.count else 1.0
        self.count = keep * self.count + 1
        self.sums = keep * self.sums[0] + raw, keep * self.sums[1] + projected
        self.squares = keep * self.squares[0] + raw * raw, keep * self.squares[1] + projected * projected

    def mean(self, kind: int) -> float:
        """Return the mean of raw (0) or projected (1) distances."""
        return self.sums[kind] / self.count

    def variance(self, kind: int) -> float:
        """Return the variance of raw (0) or projected (1) distances."""
        return max(self.squares[kind] / self.count - self.mean(kind) ** 2, 1e-6)


@dataclass(slots=True)
class Separation:
    """Distances within one person and between two, raw and projected.

    Attributes:
        same: One person, on one track.
        different: Two people in one camera.
        across: Two people in two cameras.
    """

    same: Moments = field(default_factory=Moments)
    different: Moments = field(default_factory=Moments)
    across: Moments = field(default_factory=Moments)

    @property
    def is_better(self) -> bool:
        """There are enough labels, and by them the projection separates people clearly better than nothing does.

        Within one camera subtracting its mean changes only the scale of distances; that of two cameras differs.
        """
        count = min(self.same.count, self.different.count)
        if count < MIN_LABELS:
            return False
        return self.effect_size(1) > self.effect_size(0) * (1 + CLEAR_GAIN / sqrt(count))

    def effect_size(self, kind: int) -> float:
        """Return how many standard deviations lie between one person and two, of raw (0) or projected (1) distances."""
        same, two = self.same, _both(self.different, self.across)
        return (two.mean(kind) - same.mean(kind)) / sqrt((same.variance(kind) + two.variance(kind)) / 2)

    @property
    def scale(self) -> Scale:
        """The line on which the mean distances of one camera lie, of one person and of two, before and after."""
        slope = (self.different.mean(0) - self.same.mean(0)) / (self.different.mean(1) - self.same.mean(1))
        return Scale(self.different.mean(0) - slope * self.different.mean(1), slope)


def _both(one: Moments, two: Moments) -> Moments:
    return Moments(
        one.count + two.count,
        (one.sums[0] + two.sums[0], one.sums[1] + two.sums[1]),
        (one.squares[0] + two.squares[0], one.squares[1] + two.squares[1]),
    )
