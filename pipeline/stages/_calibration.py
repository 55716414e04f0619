"""From cosine distance to evidence: how much more likely a distance is for one person than for two.

Both kinds of distance are taken as normal. The values start as fitted at training time; the spread of distances
between *different* people is then learned on site, from labels that cost nothing: two people in one frame of one
camera are two people.
"""

from dataclasses import dataclass
from math import exp, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pipeline.packing import pack, unpack

CLEAR_QUALITY = 0.8
"""Of pictures that show as much of somebody as any do."""
CLARITY_POWER = 0.25
"""Measured with two networks, on rendered and on real footage: a fifth of that quality leaves two thirds."""
PRIOR_WEIGHT = 50.0
"""Free labels after which what was learned on site counts as much as the start values."""


@dataclass(frozen=True, slots=True)
class DistanceModel:
    """How distances are spread for one person and for two, as normal distributions in cosine distance.

    Attributes:
        same_mean: Of one person.
        same_std: Of one person; above 0.
        different_mean: Of two people; above ``same_mean``.
        different_std: Of two people; above 0.
    """

    same_mean: float
    same_std: float
    different_mean: float
    different_std: float


class Calibration:
    """Turns a distance into evidence, and a false-match rate into the evidence that it takes.

    Args:
        start: Fitted at training time, on other footage than the site's.
        caution: In (0, 1]; scales evidence down, because distances of one pair of people are not independent.
        max_evidence: Appearance alone never says more than this, in natural log-odds; above 0.
    """

    def __init__(self, start: DistanceModel, *, caution: float, max_evidence: float) -> None:
        self._start = start
        self._caution = caution
        self._max_evidence = max_evidence
        self._count = 0.0
        self._sum = 0.0
        self._square_sum = 0.0
        self._same_count = 0.0
        self._same_sum = 0.0

    def learn_different(self, distance: float) -> None:
        """Take note of the distance between two people who are certainly two."""
        self._count += 1
        self._sum += distance
        self._square_sum += distance * distance

    def learn_same(self, distance: float) -> None:
        """Take note of the distance between two pieces of one person, as an operator says."""
        self._same_count += 1
        self._same_sum += distance

    def snapshot(self) -> bytes:
        """Return what was learned."""
        return pack((self._count, self._sum, self._square_sum, self._same_count, self._same_sum))

    def restore(self, state: bytes) -> None:
        """Know what another one learned. Raises ``WireFormatError`` as ``Stateful``."""
        loaded = unpack(state, tuple[float, float, float, float, float])
        self._count, self._sum, self._square_sum, self._same_count, self._same_sum = loaded

    @property
    def model(self) -> DistanceModel:
        """What is believed now."""
        start, weight = self._start, PRIOR_WEIGHT
        total = weight + self._count
        mean = (weight * start.different_mean + self._sum) / total
        second_moment = weight * (start.different_std**2 + start.different_mean**2) + self._square_sum
        std = sqrt(max(second_moment / total - mean**2, 1e-4))
        same_mean = (weight * start.same_mean + self._same_sum) / (weight + self._same_count)
        # Two people are never taken to be closer to each other than one person is to herself.
        return DistanceModel(same_mean, start.same_std, max(mean, same_mean + start.same_std), std)

    def evidence_of(
        self, distances: NDArray[np.float64], clarity: NDArray[np.float64] | float = 1.0
    ) -> NDArray[np.float64]:
        """Return the natural log-odds that distances give for one person, within ± ``max_evidence``.

        Args:
            distances: Of any shape.
            clarity: In (0, 1], of the same shape or one for all: how much of what tells people apart is left in the
                two looks together (``clarity_of``). Poor pictures of one person are farther apart than good ones,
                those of two people are not: they say less, for and against.

        Linear between the two means: with a common spread the ratio of two normal densities is exactly that, and
        it cannot turn around in the tails as the ratio of two different spreads does.
        """
        model = self.model
        variance = (model.same_std**2 + model.different_std**2) / 2
        between = (model.different_mean - model.same_mean) * clarity
        slope = self._caution * between / variance
        middle = model.different_mean - between / 2
        evidence: NDArray[np.float64] = slope * (middle - distances)
        return np.clip(evidence, -self._max_evidence, self._max_evidence)

    def evidence(self, distance: float, clarity: float = 1.0) -> float:
        """Return ``evidence_of`` a single distance."""
        return float(self.evidence_of(np.array(distance), clarity))

    def evidence_needed(self, max_false_match_rate: float) -> float:
        """Return the evidence of the distance below which that fraction of different pairs lies; never below 0."""
        model = self.model
        distance = NormalDist(model.different_mean, model.different_std).inv_cdf(max_false_match_rate)
        return max(0.0, self.evidence(distance))


def clarity_of(quality: float) -> float:
    """Return how much of what tells people apart is left in a look at pictures of this quality, in (0, 1].

    Example:
        >>> clarity_of(0.9), round(clarity_of(0.05), 3)
        (1.0, 0.5)
    """
    return float((min(quality, CLEAR_QUALITY) / CLEAR_QUALITY) ** CLARITY_POWER)


def probability(evidence: float) -> float:
    """Return the probability in [0, 1] of natural log-odds.

    Example:
        >>> probability(0.0)
        0.5
    """
    return 1 / (1 + exp(-max(-50.0, min(50.0, evidence))))
