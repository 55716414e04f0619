"""How often the line is right about who is who, estimated from pairs that an operator labelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from pipeline.core import TrackId

DRAWS = 20_000
SEED = 7
MAX_TRACKS = 400
"""Pairs are sampled from the newest tracks, at most so many."""


class Stratum(StrEnum):
    """Kinds of pairs of tracks, by what the line says."""

    SAME = "same"
    DOUBTED = "doubted"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tracks of which an operator is asked whether they show one person.

    Attributes:
        first: One.
        second: The other.
        stratum: SAME: the line says so. DOUBTED: it does not, but one was the other's runner-up. OTHER: neither.
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


def pairs(persons: Mapping[TrackId, int], doubted: set[frozenset[int]]) -> list[Pair]:
    """Return all pairs of tracks by stratum; deterministic in order.

    Args:
        persons: Whom each track shows, in the line's opinion.
        doubted: Pairs of persons of which one was the other's best other candidate.
    """
    newest = sorted(persons)[-MAX_TRACKS:]
    found = []
    for first, second in combinations(newest, 2):
        if persons[first] == persons[second]:
            stratum = Stratum.SAME
        elif frozenset((persons[first], persons[second])) in doubted:
            stratum = Stratum.DOUBTED
        else:
            stratum = Stratum.OTHER
        found.append(Pair(first, second, stratum))
    return found


def sample(population: Sequence[Pair], size: int) -> list[Pair]:
    """Return pairs to label, in an order by chance that is always the same; half of them are SAME."""
    random = np.random.default_rng(SEED)
    chosen: list[Pair] = []
    shares = {Stratum.SAME: 0.5, Stratum.DOUBTED: 0.3, Stratum.OTHER: 0.2}
    for stratum, share in shares.items():
        there = [pair for pair in population if pair.stratum is stratum]
        num = min(len(there), round(size * share))
        chosen += [there[index] for index in random.permutation(len(there))[:num]]
    return [chosen[index] for index in random.permutation(len(chosen))]


def precision_and_recall(
    sizes: Mapping[Stratum, int], labels: Mapping[Stratum, Sequence[bool]]
) -> tuple[Estimate | None, Estimate | None]:
    """Return how many pairs that are said to be one person are, and how many that are one person are said to be.

    The share of true pairs in each stratum has a beta posterior (Jeffreys' prior); recall weighs the strata by size.
    A stratum without pairs counts nothing; None where a stratum with pairs has no label yet.

    Args:
        sizes: Pairs in each stratum.
        labels: Of the sampled pairs: does an operator say that they show one person?

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
    # The interval is of the posterior; where everything went one way the share itself is at its end.
    return Estimate(value, min(low, value), max(high, value))
