"""How well vectors find people again, plain and re-ranked, and whether one network is better than another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.video.reranking import rerank
from pipeline.evaluation.retrieval import LabelledVectors, RetrievalScore, score_distances

_DRAWS = 2000
_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What an embedder makes of a data set.

    Attributes:
        plain: By distance.
        reranked: The same distances after k-reciprocal re-ranking.
        people: Shape ``(num_queries,)``, int64: who is looked for, of the queries that have an answer.
    """

    plain: RetrievalScore
    reranked: RetrievalScore
    people: NDArray[np.int64]


def find(queries: LabelledVectors, gallery: LabelledVectors) -> Found:
    """Return how well queries find their people in the gallery.

    Raises:
        DataError: If no person is in another camera of the gallery.
    """
    between, among, across = (
        _distances(one, other) for one, other in ((queries, gallery), (queries, queries), (gallery, gallery))
    )
    plain = score_distances(between, queries, gallery, ties="wrong_first")
    reranked = score_distances(rerank(between, among, across), queries, gallery, ties="wrong_first")
    elsewhere = (queries.person_ids[:, None] == gallery.person_ids) & (queries.cameras[:, None] != gallery.cameras)
    return Found(plain, reranked, queries.person_ids[elsewhere.any(axis=1)])


def compare(one: Found, other: Found) -> tuple[float, float, float]:
    """Return by how much the mAP of one is above that of the other, and the 95 % interval of that."""
    return _over_people(one.plain.average_precisions - other.plain.average_precisions, one.people)


def mean_precision(found: Found) -> tuple[float, float, float]:
    """Return the mAP and its 95 % interval."""
    return _over_people(found.plain.average_precisions, found.people)


def _over_people(values: NDArray[np.floating], people: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the mean over queries, and its 95 % interval.

    People are resampled with all their queries: a person who is hard to find is hard in each camera.

    Reference:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, Sec. 13.3: percentiles.
    """
    names, rows = np.unique(people, return_inverse=True)
    sums, counts = np.bincount(rows, values), np.bincount(rows)
    drawn = np.random.default_rng(_SEED).integers(0, len(names), (_DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def _distances(one: LabelledVectors, other: LabelledVectors) -> NDArray[np.float32]:
    """Return Euclidean distances of unit vectors, ``(Q, G)``; their order is that of cosines."""
    distances: NDArray[np.float32] = np.sqrt(np.maximum(2 - 2 * one.vectors @ other.vectors.T, 0))
    return distances
