"""From cosine distance to a log-likelihood ratio (LLR): how much likelier a distance is for one person than for two.

Both distributions are modelled as normal. The parameters start as fitted at training time. The distribution for
*different* people is then learned on site, from self-supervised labels (``self_supervised_labels``): each moves it a
little, and no number of labels changes the rule. What the labels prove, whatever the distribution, is reported only
(``label_bound``).

Two clips of one track show one person, and are closer than two clips of different cameras: same light, same side. So
they can only raise the mean distance of one person; they do not measure how cameras change appearance.
"""

from dataclasses import dataclass, field
from math import exp, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pipeline.association.calibration.label_bound import Labels
from pipeline.core.serialisation import deserialise, serialise

RELIABLE_QUALITY = 0.8
"""Quality of pictures from which on appearance is fully reliable. Larger: more pictures count for less."""
RELIABILITY_POWER = 0.25
"""Exponent from quality to reliability weight. Larger: poor pictures count for less.

Measured with two networks, on rendered and on real footage: a fifth of the quality leaves two thirds of the weight.
"""
PRIOR_WEIGHT = 50.0
"""Number of labels that the start values count for. Larger: the model follows the site more slowly."""
RECENT_WEIGHT = 200.0
"""Labels over which the drift is averaged. Larger: it is smoother, and later."""


@dataclass(frozen=True, slots=True)
class DistanceModel:
    """The normal distributions of cosine distances, for one person and for two.

    Attributes:
        same_mean: Mean for one person.
        same_std: Standard deviation for one person; above 0.
        different_mean: Mean for two people; above ``same_mean``.
        different_std: Standard deviation for two people; above 0.
    """

    same_mean: float
    same_std: float
    different_mean: float
    different_std: float


@dataclass(slots=True)
class Learned:
    """What a calibration learned on site.

    Attributes:
        count: Number of distances between different people; a pair of tracks counts in each window.
        sum: Sum of these distances.
        square_sum: Sum of their squares.
        recent: Mean of the newest of them; None before the first.
        same_count: Number of distances within one person, such as between two clips of one track.
        same_sum: Sum of these distances.
        labels: Distances between different people, one a pair of tracks, for the bound that is reported.
        feedback: Of each correction command by its number: distances, and whether they are within one person.
    """

    count: float = 0.0
    sum: float = 0.0
    square_sum: float = 0.0
    recent: float | None = None
    same_count: float = 0.0
    same_sum: float = 0.0
    labels: Labels = field(default_factory=Labels)
    feedback: dict[int, list[tuple[float, bool]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CalibrationStatus:
    """What the acceptance of matches is based on.

    Attributes:
        num_labels: Number of pairs of tracks that certainly show two people.
        max_confusable: At most this share of pairs of different people looks more like one person than like two, with
            95 % confidence by the labels, whatever the distribution of distances is. It decides nothing.
        drift: Mean of the newest distances of different people less that of training, in standard deviations.
        model: The distributions of distances.
    """

    num_labels: int
    max_confusable: float
    drift: float
    model: DistanceModel


class Calibration:
    """Turns a distance into an LLR, and a false-match rate into the LLR that it requires.

    Args:
        start: Fitted at training time, on other footage than the site's.
        caution: Factor on each LLR, in (0, 1]: distances of one pair of people are not independent.
        max_llr: Largest LLR of appearance, for or against, natural logarithm; above 0.
    """

    def __init__(self, start: DistanceModel, *, caution: float, max_llr: float) -> None:
        self._start = start
        self._caution = caution
        self._max_llr = max_llr
        self._learned = Learned()
        self._model: DistanceModel | None = None

    def learn_different(self, distance: float) -> None:
        """Add the distance between two tracks that certainly show two people."""
        learned, self._model = self._learned, None
        learned.count += 1
        learned.sum += distance
        learned.square_sum += distance * distance
        before = distance if learned.recent is None else learned.recent
        learned.recent = before + (distance - before) / min(learned.count, RECENT_WEIGHT)

    def add_label(self, tracks: tuple[str, str], distance: float) -> None:
        """Add the distance of two tracks, sorted, as a label; once a pair of tracks."""
        self._learned.labels.add(tracks, distance)

    def learn_same(self, distance: float) -> None:
        """Add the distance between two clips that show one person."""
        self._model = None
        self._learned.same_count += 1
        self._learned.same_sum += distance

    def add_feedback(self, command: int, distance: float, *, is_same: bool) -> None:
        """Add a distance that a correction command labels; ``drop_feedback`` takes it back exactly."""
        self._model = None
        self._learned.feedback.setdefault(command, []).append((distance, is_same))

    def drop_feedback(self, command: int) -> None:
        """Take back what a correction command had labelled."""
        self._model = None
        self._learned.feedback.pop(command, None)

    @property
    def status(self) -> CalibrationStatus:
        """What acceptance is based on now."""
        learned, start = self._learned, self._start
        drift = 0.0 if learned.recent is None else (learned.recent - start.different_mean) / start.different_std
        model = self.model
        confusable = learned.labels.distances.max_rate_below((model.same_mean + model.different_mean) / 2)
        return CalibrationStatus(learned.labels.distances.total, confusable, drift, model)

    def snapshot(self) -> bytes:
        """Return what was learned."""
        return serialise(self._learned)

    def restore(self, state: bytes) -> None:
        """Take over what another object learned. Raises ``WireFormatError`` as ``Stateful``."""
        self._learned, self._model = deserialise(state, Learned), None

    @property
    def model(self) -> DistanceModel:
        """The distributions of distances as of now."""
        if self._model is None:
            self._model = self._fitted()
        return self._model

    def _fitted(self) -> DistanceModel:
        start, learned, weight = self._start, self._learned, PRIOR_WEIGHT
        given = [each for of_one in learned.feedback.values() for each in of_one]
        different = [distance for distance, is_same in given if not is_same]
        same = [distance for distance, is_same in given if is_same]
        total = weight + learned.count + len(different)
        mean = (weight * start.different_mean + learned.sum + sum(different)) / total
        square_sum = learned.square_sum + sum(distance * distance for distance in different)
        second_moment = weight * (start.different_std**2 + start.different_mean**2) + square_sum
        std = sqrt(max(second_moment / total - mean**2, 1e-4))
        same_sum, num_same = learned.same_sum + sum(same), learned.same_count + len(same)
        learned_mean = (weight * start.same_mean + same_sum) / (weight + num_same)
        same_mean = max(start.same_mean, learned_mean)
        # The mean for two people always stays above that for one person.
        return DistanceModel(same_mean, start.same_std, max(mean, same_mean + start.same_std), std)

    def llrs(
        self, distances: NDArray[np.float64], reliability: NDArray[np.float64] | float = 1.0
    ) -> NDArray[np.float64]:
        """Return the LLRs of distances, above 0 for one person, within ± ``max_llr``.

        The LLR is linear in the distance. This is exact for two normal densities of one variance, and it cannot change
        its sign again in the tails, as the ratio of two densities with different variances does.

        Args:
            distances: Cosine distances, of any shape.
            reliability: Reliability weights in (0, 1], of the same shape or one for all: the product of
                ``reliability_of`` both sides. Poor pictures of one person are farther apart than good ones, those of
                two people are not. So a low weight brings the LLR closer to 0.
        """
        model = self.model
        variance = (model.same_std**2 + model.different_std**2) / 2
        between = (model.different_mean - model.same_mean) * reliability
        slope = self._caution * between / variance
        middle = model.different_mean - between / 2
        llr: NDArray[np.float64] = slope * (middle - distances)
        return np.clip(llr, -self._max_llr, self._max_llr)

    def llr(self, distance: float, reliability: float = 1.0) -> float:
        """Return ``llrs`` of a single distance."""
        return float(self.llrs(np.array(distance), reliability))

    def threshold(self, max_false_match_rate: float) -> float:
        """Return the LLR of the distance below which that fraction of different pairs lies; never below 0.

        Args:
            max_false_match_rate: In (0, 1).
        """
        model = self.model
        return max(0.0, self.llr(model.different_mean + model.different_std * float(ndtri(max_false_match_rate))))

    def needed_among(self, max_false_match_rate: float, num_people: int, num_segments: int) -> float:
        """Return the LLR that a link needs, if so many track segments show so many people: never above ``threshold``.

        A link is made when it is likelier than somebody new. Before appearance is looked at, a segment shows somebody
        new with probability P / S, with P people in S segments, and one given person with (1 - P / S) / P: the rate of
        newcomers and the number of people are those of the segments themselves.
        """
        stated = self.threshold(max_false_match_rate)
        if num_segments <= num_people:
            return stated  # nobody was seen twice so far: the rate of newcomers is not known
        return min(stated, max(0.0, log(num_people**2 / (num_segments - num_people))))


def reliability_of(quality: float) -> float:
    """Return the reliability weight of the appearance in pictures of this quality, in (0, 1].

    Example:
        >>> reliability_of(0.9), round(reliability_of(0.05), 3)
        (1.0, 0.5)
    """
    return float((min(quality, RELIABLE_QUALITY) / RELIABLE_QUALITY) ** RELIABILITY_POWER)


def probability(llr: float) -> float:
    """Return the probability in [0, 1] of an LLR, both answers being equally likely before.

    Example:
        >>> probability(0.0)
        0.5
    """
    return 1 / (1 + exp(-max(-50.0, min(50.0, llr))))
