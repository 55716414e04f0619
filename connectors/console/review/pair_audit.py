"""Precision and recall of re-identification, estimated from a sample of pairs that an operator labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from pipeline.core import TrackId

DRAWS = 20_000
"""Draws from the posterior; more make the ends of the interval more exact, and take longer."""

SEED = 7
"""Seed of sampling and of the posterior, so that the page shows the same pairs and figures each time."""

MAX_TRACKS = 400
"""Newest tracks from which pairs are sampled; the number of pairs grows with its square."""


class Stratum(StrEnum):
    """Kinds of pairs of tracks, by the pipeline's decision."""

    SAME = "same"
    UNCERTAIN = "uncertain"
    OTHER = "other"


SHARES = {Stratum.SAME: 0.5, Stratum.UNCERTAIN: 0.3, Stratum.OTHER: 0.2}
"""Share of each stratum in the sample: most labels go where an error is likely or counts most."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tracks; an operator says whether they show one person.

    Attributes:
        first: One track.
        second: The other track.
        stratum: SAME: the pipeline says one person. UNCERTAIN: it says two, but one was the other's runner-up. OTHER:
            neither.
    """

    first: TrackId
    second: TrackId
    stratum: Stratum


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval, all in [0, 1]."""

    value: float
    low: float
    high: float


def pairs(persons: Mapping[TrackId, int], uncertain: set[frozenset[int]]) -> list[Pair]:
    """Return all pairs of tracks with their strata, in a deterministic order.

    Args:
        persons: The person that each track shows, as the pipeline decided; of ``MAX_TRACKS`` tracks at most.
        uncertain: Pairs of persons of which one was the other's runner-up.
    """
    found = []
    for first, second in combinations(sorted(persons), 2):
        if persons[first] == persons[second]:
            stratum = Stratum.SAME
        elif frozenset((persons[first], persons[second])) in uncertain:
            stratum = Stratum.UNCERTAIN
        else:
            stratum = Stratum.OTHER
        found.append(Pair(first, second, stratum))
    return found


def sample(population: Sequence[Pair], size: int) -> list[Pair]:
    """Return a random sample of pairs to label in random order, the same each time; half of them are SAME."""
    random = np.random.default_rng(SEED)
    chosen: list[Pair] = []
    for stratum in Stratum:
        of_stratum = [pair for pair in population if pair.stratum is stratum]
        num = min(len(of_stratum), round(size * SHARES[stratum]))
        chosen += [of_stratum[index] for index in random.permutation(len(of_stratum))[:num]]
    return [chosen[index] for index in random.permutation(len(chosen))]


def precision_and_recall(
    sizes: Mapping[Stratum, int], labels: Mapping[Stratum, Sequence[bool]]
) -> tuple[Estimate | None, Estimate | None]:
    """Return pairwise precision and recall.

    Precision is the share of SAME pairs that do show one person. Recall is the share of all pairs of one person that
    are SAME. The share of true pairs in each stratum has a beta posterior with Jeffreys' prior (Brown, Cai and
    DasGupta 2001); recall weighs the strata by size. An empty stratum counts as zero pairs. A value is None while a
    stratum that it needs has no label.

    Args:
        sizes: Number of pairs in each stratum.
        labels: For each stratum, whether the operator said "one person", by labelled pair.

    Example:
        >>> precision, recall = precision_and_recall({Stratum.SAME: 100}, {Stratum.SAME: [True] * 30})
        >>> precision.value, round(precision.low, 2), recall.value
        (1.0, 0.92, 1.0)
    """
    random = np.random.default_rng(SEED)
    true_pairs = {}
    shares = {}
    for stratum in Stratum:
        given = labels.get(stratum, ())
        num_true = sum(given)
        draws = random.beta(0.5 + num_true, 0.5 + len(given) - num_true, DRAWS)
        true_pairs[stratum] = sizes.get(stratum, 0) * draws
        shares[stratum] = (sizes.get(stratum, 0) * num_true / len(given) if given else 0.0, draws)
    is_labelled = {stratum: bool(labels.get(stratum)) or not sizes.get(stratum) for stratum in Stratum}
    precision = recall = None
    if sizes.get(Stratum.SAME) and is_labelled[Stratum.SAME]:
        value = shares[Stratum.SAME][0] / sizes[Stratum.SAME]
        precision = _estimate(value, shares[Stratum.SAME][1])
    if precision is not None and all(is_labelled.values()):
        total = sum(true_pairs.values())
        expected = sum(share for share, _ in shares.values())
        if expected > 0:
            recall = _estimate(shares[Stratum.SAME][0] / expected, true_pairs[Stratum.SAME] / np.maximum(total, 1e-12))
    return precision, recall


def _estimate(value: float, draws: np.ndarray) -> Estimate:
    low, high = np.quantile(draws, (0.025, 0.975)).tolist()
    # The share itself may lie outside the posterior's interval when all labels agree; the interval is widened to it.
    return Estimate(value, min(low, value), max(high, value))
