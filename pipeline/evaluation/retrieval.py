"""Retrieval scores of a re-ID network over queries and a gallery: CMC, mAP and mINP."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.distance import cosine_distances
from pipeline.core.errors import DataError

JUNK_ID = -1
"""Identity of junk items of the gallery. Benchmarks leave them out: they are neither right nor wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVectors:
    """Vectors of known people.

    Attributes:
        vectors: Shape ``(N, D)``, float32, L2 norm 1 per row.
        person_ids: Shape ``(N,)``, int64.
        cameras: Shape ``(N,)``, int64: the number of the camera.
    """

    vectors: NDArray[np.float32]
    person_ids: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def __post_init__(self) -> None:
        check_array("vectors", self.vectors, (None, None), np.float32)
        check_array("person_ids", self.person_ids, (len(self),), np.int64)
        check_array("cameras", self.cameras, (len(self),), np.int64)
        freeze(self.vectors, self.person_ids, self.cameras)

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalScore:
    """Retrieval scores of a set of queries.

    Attributes:
        cmc: Shape ``(max_rank,)``, float64 in [0, 1]: share of the queries with a right answer among the first
            1, 2, 3 … answers.
        mean_ap: Mean average precision in [0, 1].
        mean_inp: Mean inverse negative penalty in [0, 1]: how soon the last right answer is found.
        average_precisions: Shape ``(num_queries,)``, float64 in [0, 1], in the order of the queries.
    """

    cmc: NDArray[np.float64]
    mean_ap: float
    mean_inp: float
    average_precisions: NDArray[np.float64]

    @property
    def num_queries(self) -> int:
        """Number of queries with a right answer in the gallery; the others are left out."""
        return len(self.average_precisions)


def score_retrieval(queries: LabelledVectors, gallery: LabelledVectors, *, max_rank: int = 20) -> RetrievalScore:
    """Score the ranking of the gallery by cosine distance to each query.

    Answers of the same person in the same camera and junk are left out. At equal distances wrong answers come first,
    so that a constant network scores worst.

    Args:
        queries: The people to find.
        gallery: The people to search.
        max_rank: Length of ``cmc``, at least 1.

    Raises:
        DataError: If no query has a right answer in another camera.

    Reference:
        Average precision is the mean of the precision at each right answer, without interpolation. Inverse
        negative penalty: number of right answers over the rank of the last of them (Ye et al., "Deep Learning
        for Person Re-identification: A Survey and Outlook", TPAMI 2021).
    """
    distances = cosine_distances(queries.vectors, gallery.vectors)
    return score_distances(distances, queries, gallery, max_rank=max_rank, ties="wrong_first")


def score_distances(
    distances: NDArray[np.float32],
    queries: LabelledVectors,
    gallery: LabelledVectors,
    *,
    max_rank: int = 20,
    precision: str = "step",
    ties: str = "gallery_order",
) -> RetrievalScore:
    """Score a ranking by given distances; otherwise like ``score_retrieval``.

    Args:
        distances: Shape ``(queries, gallery)``; lower is closer.
        queries: The people to find.
        gallery: The people to search.
        max_rank: Length of ``cmc``, at least 1.
        precision: step; or trapezoid, as in the official evaluation of MARS: the mean of the precision at each right
            answer and just before it, where the precision before rank 1 is 1.
        ties: gallery_order: the order of the gallery, as benchmarks do; or wrong_first.

    Raises:
        DataError: If no query has a right answer in another camera.
        ShapeError: If ``distances`` has another shape.
    """
    check_array("distances", distances, (len(queries), len(gallery)), distances.dtype)
    first_ranks, precisions, penalties = [], [], []
    for row, to_gallery in enumerate(distances):
        same_person = gallery.person_ids == queries.person_ids[row]
        kept = ~(same_person & (gallery.cameras == queries.cameras[row])) & (gallery.person_ids != JUNK_ID)
        right = same_person[kept]
        second = right if ties == "wrong_first" else np.arange(len(right))
        ranks = 1 + np.flatnonzero(right[np.lexsort((second, to_gallery[kept]))])
        if not len(ranks):
            continue
        first_ranks.append(ranks[0])
        precisions.append(_average_precision(ranks, precision))
        penalties.append(len(ranks) / ranks[-1])
    if not first_ranks:
        raise DataError("queries: expected people who are in another camera of the gallery, got none; check ids")
    found_at = np.array(first_ranks)[:, None]
    return RetrievalScore(
        cmc=np.mean(found_at <= np.arange(1, max_rank + 1), axis=0),
        mean_ap=float(np.mean(precisions)),
        mean_inp=float(np.mean(penalties)),
        average_precisions=np.array(precisions),
    )


def _average_precision(ranks: NDArray[np.intp], form: str) -> float:
    """Return the average precision of a query from the ascending ranks of its right answers, from 1."""
    found = np.arange(1, len(ranks) + 1)
    if form == "step":
        return float(np.mean(found / ranks))
    # The precision just before each right answer.
    before = np.where(ranks > 1, (found - 1) / np.maximum(ranks - 1, 1), 1.0)
    return float(np.mean((found / ranks + before) / 2))
