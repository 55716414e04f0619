"""From cosine distance to evidence: how much more likely a distance is for one person than for two.

Both kinds of distance are taken as normal. The values start as fitted at training time; the spread of distances
between *different* people is then learned on site, from labels that cost nothing (``_labels``). They also prove below
which distance a false-match rate holds, whatever the distances are like; while they are too few for that, the normal
distribution has to do.

Two clips of one track are one person, and nearer to each other than two of different cameras: one light, one side. So
they only ever raise the distance that is expected of one person, and are no measure of what cameras do to looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pipeline.association.calibration.acceptance_threshold import POOLED, Labels
from pipeline.core.serialisation import deserialise, serialise

RELIABLE_QUALITY = 0.8
"""Of pictures that show as much of somebody as any do."""
RELIABILITY_POWER = 0.25
"""Measured with two networks, on rendered and on real footage: a fifth of that quality leaves two thirds."""
PRIOR_WEIGHT = 50.0
"""Free labels after which what was learned on site counts as much as the start values."""
RECENT_WEIGHT = 200.0
"""Labels that the drift is measured over."""


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


@dataclass(slots=True)
class Learned:
    """What a calibration learned on site.

    Attributes:
        count: Labels of different people, every window anew.
        sum: Of their distances.
        square_sum: Of their squares.
        recent: Mean distance of the newest ones; None before the first.
        same_count: Labels of one person: two clips of one track.
        same_sum: Of their distances.
        labels: Those of different people, one a pair of tracks, as proof.
    """

    count: float = 0.0
    sum: float = 0.0
    square_sum: float = 0.0
    recent: float | None = None
    same_count: float = 0.0
    same_sum: float = 0.0
    labels: Labels = field(default_factory=Labels)


@dataclass(frozen=True, slots=True)
class CalibrationStatus:
    """What the acceptance of matches rests on.

    Attributes:
        num_labels: Pairs of tracks that were certainly two people.
        num_camera_pairs: Pairs of cameras with enough labels for a threshold of their own.
        is_proven: There were enough labels to prove a threshold for all cameras together; else it is that of a normal
            distribution, begun with values of other footage.
        drift: How far the newest distances of different people are from those of training, in their standard
            deviations.
        model: What distances are taken to be like.
    """

    num_labels: int
    num_camera_pairs: int
    is_proven: bool
    drift: float
    model: DistanceModel


class Calibration:
    """Turns a distance into evidence, and a false-match rate into the evidence that it takes.

    Args:
        start: Fitted at training time, on other footage than the site's.
        caution: In (0, 1]; scales evidence down, because distances of one pair of people are not independent.
        max_llr: Appearance alone never says more than this, in natural log-odds; above 0.
    """

    def __init__(self, start: DistanceModel, *, caution: float, max_llr: float) -> None:
        self._start = start
        self._caution = caution
        self._max_evidence = max_llr
        self._learned = Learned()
        self._model: DistanceModel | None = None

    def learn_different(self, distance: float) -> None:
        """Take note of the distance between two people who are certainly two."""
        learned, self._model = self._learned, None
        learned.count += 1
        learned.sum += distance
        learned.square_sum += distance * distance
        before = distance if learned.recent is None else learned.recent
        learned.recent = before + (distance - before) / min(learned.count, RECENT_WEIGHT)

    def add_label(self, cameras: tuple[str, str], tracks: tuple[str, str], distance: float) -> None:
        """Take the distance of two tracks, once, as a label of their cameras; both pairs sorted."""
        self._learned.labels.add(cameras, tracks, distance)

    def learn_same(self, distance: float) -> None:
        """Take note of the distance between two clips of one track."""
        self._model = None
        self._learned.same_count += 1
        self._learned.same_sum += distance

    def refit(self, max_false_match_rate: float) -> None:
        """Prove thresholds from the labels there are now."""
        self._learned.labels.refit(max_false_match_rate)

    @property
    def status(self) -> CalibrationStatus:
        """What it rests on now."""
        learned, start = self._learned, self._start
        drift = 0.0 if learned.recent is None else (learned.recent - start.different_mean) / start.different_std
        proven = learned.labels.thresholds
        return CalibrationStatus(
            learned.labels.pooled.total, len(proven.keys() - {POOLED}), POOLED in proven, drift, self.model
        )

    def snapshot(self) -> bytes:
        """Return what was learned."""
        return serialise(self._learned)

    def restore(self, state: bytes) -> None:
        """Know what another one learned. Raises ``WireFormatError`` as ``Stateful``."""
        self._learned, self._model = deserialise(state, Learned), None

    @property
    def model(self) -> DistanceModel:
        """What is believed now."""
        if self._model is None:
            self._model = self._fitted()
        return self._model

    def _fitted(self) -> DistanceModel:
        start, learned, weight = self._start, self._learned, PRIOR_WEIGHT
        total = weight + learned.count
        mean = (weight * start.different_mean + learned.sum) / total
        second_moment = weight * (start.different_std**2 + start.different_mean**2) + learned.square_sum
        std = sqrt(max(second_moment / total - mean**2, 1e-4))
        of_tracks = (weight * start.same_mean + learned.same_sum) / (weight + learned.same_count)
        same_mean = max(start.same_mean, of_tracks)
        # Two people are never taken to be closer to each other than one person is to herself.
        return DistanceModel(same_mean, start.same_std, max(mean, same_mean + start.same_std), std)

    def llrs(
        self, distances: NDArray[np.float64], reliability: NDArray[np.float64] | float = 1.0
    ) -> NDArray[np.float64]:
        """Return the natural log-odds that distances give for one person, within ± ``max_llr``.

        Args:
            distances: Of any shape.
            reliability: In (0, 1], of the same shape or one for all: how much of what tells people apart is left in the
                two looks together (``reliability_of``). Poor pictures of one person are farther apart than good ones,
                those of two people are not: they say less, for and against.

        Linear between the two means: with a common spread the ratio of two normal densities is exactly that, and
        it cannot turn around in the tails as the ratio of two different spreads does.
        """
        model = self.model
        variance = (model.same_std**2 + model.different_std**2) / 2
        between = (model.different_mean - model.same_mean) * reliability
        slope = self._caution * between / variance
        middle = model.different_mean - between / 2
        llr: NDArray[np.float64] = slope * (middle - distances)
        return np.clip(llr, -self._max_evidence, self._max_evidence)

    def llr(self, distance: float, reliability: float = 1.0) -> float:
        """Return ``llrs`` a single distance."""
        return float(self.llrs(np.array(distance), reliability))

    def threshold(self, max_false_match_rate: float, cameras: tuple[str, str] | None = None) -> float:
        """Return ``thresholds_of`` one pair of cameras; None for all together."""
        return float(self.thresholds_of(max_false_match_rate, [cameras or POOLED])[0])

    def thresholds_of(self, max_false_match_rate: float, cameras: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return the evidence of the distance below which that fraction of different pairs lies; never below 0.

        Args:
            max_false_match_rate: In (0, 1); the one that ``refit`` was given.
            cameras: N times two, sorted, whose labels count if they are enough.

        Returns:
            Shape ``(N,)``.
        """
        proven = [self._learned.labels.threshold(pair) for pair in cameras]
        model = self.model
        believed = model.different_mean + model.different_std * float(ndtri(max_false_match_rate))
        distances = np.array([believed if found is None else found[0] for found in proven], np.float64)
        return np.maximum(0.0, self.llrs(distances))

    def thresholds_between(self, max_false_match_rate: float, cameras: Sequence[str]) -> NDArray[np.float64]:
        """Return ``thresholds_of`` each two of N cameras, shape ``(N, N)``."""
        needed = np.full((len(cameras), len(cameras)), self.threshold(max_false_match_rate))
        rows = {camera: np.flatnonzero(np.array(cameras) == camera) for camera in set(cameras)}
        proven = [pair for pair in sorted(self._learned.labels.thresholds) if pair[0] in rows and pair[1] in rows]
        for pair, llr in zip(proven, self.thresholds_of(max_false_match_rate, proven), strict=True):
            needed[np.ix_(rows[pair[0]], rows[pair[1]])] = llr
            needed[np.ix_(rows[pair[1]], rows[pair[0]])] = llr
        return needed


def reliability_of(quality: float) -> float:
    """Return how much of what tells people apart is left in a look at pictures of this quality, in (0, 1].

    Example:
        >>> reliability_of(0.9), round(reliability_of(0.05), 3)
        (1.0, 0.5)
    """
    return float((min(quality, RELIABLE_QUALITY) / RELIABLE_QUALITY) ** RELIABILITY_POWER)


def probability(llr: float) -> float:
    """Return the probability in [0, 1] of natural log-odds.

    Example:
        >>> probability(0.0)
        0.5
    """
    return 1 / (1 + exp(-max(-50.0, min(50.0, llr))))
