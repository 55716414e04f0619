"""Which of many track segments show one person: constrained agglomerative clustering.

The two groups with the largest log-likelihood ratio (LLR) are joined, again and again, until no LLR is above what is
needed. That falls with the number of groups: among fewer people, fewer can be confused. The appearance of a group is a
weighted mean, so that a group costs as much to compare as a segment. The spatio-temporal cue for joining two groups is
that of the joined chain less those of the two chains: only which segment follows which counts, as in a Markov chain.
Two groups are never joined if a pair in them is ruled out, or if no person could make the transits of the joined chain.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.association.adaptation.projection import IDENTITY, Projection, Vector
from pipeline.association.constraints import LinkConstraints, are_two_people, impossible_transit
from pipeline.association.cues import MAX_CUE_LLR
from pipeline.association.group_cues import GroupCues
from pipeline.association.track_segment import TrackSegment

AppearanceLlrs = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Cosine distances and reliability weights to LLRs, all of shape ``(N,)``."""

NeededLlr = Callable[[int, int], float]
"""Number of people and of track segments to the LLR that a link needs."""


def cluster(
    segments: Sequence[TrackSegment],
    *,
    appearance: AppearanceLlrs,
    needed: NeededLlr,
    constraints: LinkConstraints,
    projection: Projection = IDENTITY,
    vectors: Sequence[Vector] | None = None,
    settled: Iterable[Sequence[int]] = (),
) -> list[list[int]]:
    """Return which segments show one person, as lists of indices into ``segments``.

    Args:
        segments: In any order.
        appearance: Distances to LLRs.
        needed: LLR above which two groups are joined, given how many groups there are now, and how many segments.
        constraints: What rules a link out.
        projection: How embeddings are read.
        vectors: The sum of the vectors of each segment as it is read; None: they are projected here.
        settled: Indices of segments that stay together, whatever speaks against it.
    """
    if not segments:
        return []
    if vectors is None:
        vectors = [projection.project(one.vector_sum, one.weight, one.camera_id) for one in segments]
    order = sorted(range(len(segments)), key=lambda index: (segments[index].first.at, segments[index].parts[0]))
    groups = _Groups(
        [segments[index] for index in order],
        [vectors[index] for index in order],
        appearance,
        needed,
        constraints,
        projection,
    )
    groups.apply_must_links()
    place = {index: at for at, index in enumerate(order)}
    for together in settled:
        groups.join_all([place[index] for index in together])
    while (pair := groups.best_pair()) is not None:
        groups.join(*pair)
    return [[order[index] for index in chain] for chain in groups.chains if chain]


class _Groups:
    """Disjoint groups of segments, and the LLR of joining each two of them.

    ``chains`` lists the members of each group in order of time; a group that was joined to another is empty.
    """

    def __init__(
        self,
        segments: Sequence[TrackSegment],
        vectors: Sequence[Vector],
        appearance: AppearanceLlrs,
        needed: NeededLlr,
        constraints: LinkConstraints,
        projection: Projection,
    ) -> None:
        count = len(segments)
        self.chains = [[index] for index in range(count)]
        self._num_groups = count
        self._segments = segments
        self._appearance = appearance
        self._needed = needed
        self._constraints = constraints
        self._weights = np.array([segment.weight for segment in segments])
        self._reliability_sums = np.array([segment.reliability_sum for segment in segments])
        self._distances = projection.distances
        self._sums = np.array(vectors)
        self._ruled_out = np.eye(count, dtype=bool)
        overlapping = _overlapping_in_time(segments)
        for one, two in overlapping:
            if are_two_people(segments[one], segments[two], constraints):
                self._ruled_out[one, two] = self._ruled_out[two, one] = True
        with_cannot_links = [index for index, segment in enumerate(segments) if segment.cannot_links]
        for one, two in combinations(with_cannot_links, 2):
            if segments[one].has_cannot_link_to(segments[two]):
                self._ruled_out[one, two] = self._ruled_out[two, one] = True
        self._cues = GroupCues(segments, overlapping, constraints.topology)
        self._llrs = np.array([self._row(index) for index in range(count)])
        self._largest = self._llrs.max(axis=1)

    def apply_must_links(self) -> None:
        """Join the segments that a correction linked, whatever speaks against it."""
        group_of: dict[int, int] = {}
        for index, segment in enumerate(self._segments):
            if not segment.must_links:
                continue
            group = next(group for group, chain in enumerate(self.chains) if index in chain)
            for link in sorted(segment.must_links):
                other = group_of.setdefault(link, group)
                if other != group:
                    keep, gone = sorted((other, group))
                    self.join(keep, gone)
                    group_of = {each: keep if held == gone else held for each, held in group_of.items()}
                    group = keep

    def join_all(self, indices: Sequence[int]) -> None:
        """Make one group of those that hold these segments."""
        found = [next(group for group, chain in enumerate(self.chains) if index in chain) for index in indices]
        keep, *others = sorted(set(found))
        for gone in others:
            self.join(keep, gone)

    def best_pair(self) -> tuple[int, int] | None:
        """Return the two groups that most probably show one person; None if no LLR is above what is needed."""
        needed = self._needed(self._num_groups, len(self._segments))
        while True:
            row = int(self._largest.argmax())
            one, two = sorted((row, int(self._llrs[row].argmax())))
            if not self._largest[row] > needed:
                return None
            chain = [self._segments[index] for index in self._joined(one, two)]
            if impossible_transit(chain, self._constraints) is None:
                return one, two
            self._llrs[one, two] = self._llrs[two, one] = -np.inf
            self._largest[[one, two]] = self._llrs[[one, two]].max(axis=1)

    def join(self, keep: int, gone: int) -> None:
        """Make one group of two."""
        self.chains[keep], self.chains[gone] = self._joined(keep, gone), []
        self._num_groups -= 1
        self._cues.join(keep, gone)
        self._sums[keep] += self._sums[gone]
        self._weights[keep] += self._weights[gone]
        self._reliability_sums[keep] += self._reliability_sums[gone]
        self._ruled_out[keep] |= self._ruled_out[gone]
        self._ruled_out[:, keep] = self._ruled_out[keep]
        self._ruled_out[gone] = self._ruled_out[:, gone] = True
        self._llrs[gone] = self._llrs[:, gone] = -np.inf
        self._llrs[keep] = self._llrs[:, keep] = self._row(keep)
        self._largest = self._llrs.max(axis=1)

    def _row(self, index: int) -> NDArray[np.float64]:
        """Return the LLR of joining one group to each, shape ``(N,)``; minus infinity where that cannot be."""
        distances = self._distances(1 - (self._sums @ self._sums[index]) / (self._weights * self._weights[index]))
        reliability = self._reliability_sums / self._weights
        llr = self._appearance(distances, reliability * reliability[index])
        # For most pairs no cue can outweigh their appearance: the cue is not computed for them.
        hopeful = ~self._ruled_out[index] & (llr + MAX_CUE_LLR > 0)
        others = np.flatnonzero(hopeful)
        llr[others] += self._cues.llrs_of_joining(index, others)
        return np.where(hopeful, llr, -np.inf)

    def _joined(self, one: int, two: int) -> list[int]:
        return sorted(self.chains[one] + self.chains[two])  # indices are in order of time


def _overlapping_in_time(segments: Sequence[TrackSegment]) -> list[list[int]]:
    """Return the pairs of segments, as indices, that may have been seen at the same time."""
    began = np.array([segment.spans[0][0] for segment in segments])
    ended = np.array([max(last for _, last in segment.spans) for segment in segments])
    shared_s = np.minimum.outer(ended, ended) - np.maximum.outer(began, began)
    pairs: list[list[int]] = np.argwhere(np.tril(shared_s > 0, -1)).tolist()
    return pairs
