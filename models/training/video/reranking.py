"""Distances that know whose neighbours are whose: k-reciprocal re-ranking. No paper here reports figures with it.

Reference:
    Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.
"""

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float32]


def rerank(
    query_gallery: Distances,
    query_query: Distances,
    gallery_gallery: Distances,
    *,
    k1: int = 20,
    k2: int = 6,
    original_weight: float = 0.3,
) -> Distances:
    """Return the distances of queries and gallery, shape ``(Q, G)``, after what their neighbours say.

    Args:
        query_gallery: Shape ``(Q, G)``; lower is closer.
        query_query: Shape ``(Q, Q)``.
        gallery_gallery: Shape ``(G, G)``.
        k1: Neighbours that must hold each other for near.
        k2: Neighbours whose encodings are averaged; 1 for none.
        original_weight: Of the distances that came in, in [0, 1].
    """
    num_queries = len(query_gallery)
    whole = np.block([[query_query, query_gallery], [query_gallery.T, gallery_gallery]]).astype(np.float32)
    # As in the authors' code: squared, and no column's largest is above 1.
    whole = np.square(whole)
    whole = (whole / np.maximum(whole.max(axis=0), 1e-12)).T
    ranks = np.argsort(whole, axis=1, kind="stable")
    encodings = np.zeros_like(whole)
    for row in range(len(whole)):
        near = _expanded(ranks, row, k1)
        weights = np.exp(-whole[row, near])
        encodings[row, near] = weights / weights.sum()
    if k2 > 1:
        encodings = np.stack([encodings[ranks[row, :k2]].mean(axis=0) for row in range(len(whole))])
    jaccard = np.stack([_jaccard(encodings[row], encodings[num_queries:]) for row in range(num_queries)])
    mixed: Distances = (1 - original_weight) * jaccard + original_weight * whole[:num_queries, num_queries:]
    return mixed


def _reciprocal(ranks: NDArray[np.int64], row: int, k: int) -> NDArray[np.int64]:
    """Return those of the k nearest that count this one among their k nearest."""
    forward = ranks[row, : k + 1]
    is_mutual = (ranks[forward, : k + 1] == row).any(axis=1)
    mutual: NDArray[np.int64] = forward[is_mutual]
    return mutual


def _expanded(ranks: NDArray[np.int64], row: int, k: int) -> NDArray[np.int64]:
    """Return the reciprocal neighbours, and theirs where most are shared."""
    near = _reciprocal(ranks, row, k)
    found = near
    for candidate in near:
        theirs = _reciprocal(ranks, candidate, round(k / 2))
        if len(np.intersect1d(theirs, near)) > 2 / 3 * len(theirs):
            found = np.append(found, theirs)
    expanded: NDArray[np.int64] = np.unique(found)
    return expanded


def _jaccard(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the Jaccard distances of an encoding, whose sums are 1."""
    shared = np.minimum(one, others).sum(axis=1)
    distances: NDArray[np.float32] = 1 - shared / (2 - shared)
    return distances
