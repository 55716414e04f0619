"""Who is who among many segments at once: constrained agglomerative clustering.

The two groups with the strongest evidence are joined, again and again, until no evidence is above what is needed.
Looks are compared as weighted means, so that a group costs as much as a segment. What the way says is that of the
joined walk less that of the two walks it was made from: only who follows whom counts, as in a Markov chain. Groups
that hold a pair that is ruled out, or that would make a walk nobody can walk, are never joined.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipeline.association.cues import (
    MAX_CUE_LLR,
    Rules,
    are_two_people,
    camera_transitions,
    co_location_llr,
    impossible_transit,
    motion_llr,
)
from pipeline.association.track_segment import TrackSegment

Evidence = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Distances and clarity to log-odds, all of shape ``(N,)``."""


def cluster(
    segments: Sequence[TrackSegment], *, appearance: Evidence, needed: NDArray[np.float64], rules: Rules
) -> list[list[int]]:
    """Return which segments are one person, as lists of indices into ``segments``.

    Args:
        segments: In any order.
        appearance: Distances and clarity, shape ``(N,)``, to evidence, shape ``(N,)``, log-odds.
        needed: Shape ``(len(segments), len(segments))``, symmetric: evidence above which two of them are joined; of
            two groups the most that any two in them need.
        rules: What rules a link out.
    """
    order = sorted(range(len(segments)), key=lambda index: (segments[index].first.at, segments[index].parts[0]))
    groups = _Groups([segments[index] for index in order], appearance, needed[np.ix_(order, order)], rules)
    groups.bind()
    while (pair := groups.best_pair()) is not None:
        groups.join(*pair)
    return [[order[index] for index in chain] for chain in groups.chains if chain]


class _Groups:
    """Disjoint groups of segments, and the surplus: evidence for joining each two of them, less what is needed.

    ``chains`` lists the members of each group in order of time; a group that was joined to another is empty.
    """

    def __init__(
        self, segments: Sequence[TrackSegment], appearance: Evidence, needed: NDArray[np.float64], rules: Rules
    ) -> None:
        count = len(segments)
        self.chains = [[index] for index in range(count)]
        self._segments = segments
        self._appearance = appearance
        self._needed = needed
        self._rules = rules
        self._weights = np.array([segment.weight for segment in segments])
        self._reliability_sums = np.array([segment.reliability_sum for segment in segments])
        self._sums = np.array([segment.vector_sum for segment in segments])
        self._ruled_out = np.eye(count, dtype=bool)
        for one, two in _meeting(segments):
            if are_two_people(segments[one], segments[two], rules):
                self._ruled_out[one, two] = self._ruled_out[two, one] = True
        banned = [index for index, segment in enumerate(segments) if segment.cannot_links]
        for one, two in combinations(banned, 2):
            if segments[one].is_forbidden(segments[two]):
                self._ruled_out[one, two] = self._ruled_out[two, one] = True
        self._motion_llrs: dict[tuple[int, int], float] = {}
        self._at_once: dict[tuple[int, int], float] = {}
        self._surplus = np.array([self._row(index) for index in range(count)])

    def bind(self) -> None:
        """Join what an operator put together, whatever speaks against it."""
        group_of: dict[int, int] = {}
        for index, segment in enumerate(self._segments):
            mine = (
                next(group for group, chain in enumerate(self.chains) if index in chain)
                if segment.must_links
                else index
            )
            for link in sorted(segment.must_links):
                other = group_of.setdefault(link, mine)
                if other != mine:
                    keep, gone = sorted((other, mine))
                    self.join(keep, gone)
                    group_of = {b: keep if group == gone else group for b, group in group_of.items()}
                    mine = keep

    def best_pair(self) -> tuple[int, int] | None:
        """Return the two groups that most probably are one person; None if none is probable enough."""
        while self._surplus.size:
            one, two = sorted(int(i) for i in np.unravel_index(self._surplus.argmax(), self._surplus.shape))
            if not self._surplus[one, two] > 0:
                return None
            chain = [self._segments[index] for index in self._joined(one, two)]
            if impossible_transit(chain, self._rules) is None:
                return one, two
            self._surplus[one, two] = self._surplus[two, one] = -np.inf
        return None

    def join(self, keep: int, gone: int) -> None:
        """Make one group of two."""
        self.chains[keep], self.chains[gone] = self._joined(keep, gone), []
        self._sums[keep] += self._sums[gone]
        self._weights[keep] += self._weights[gone]
        self._reliability_sums[keep] += self._reliability_sums[gone]
        self._ruled_out[keep] |= self._ruled_out[gone]
        self._ruled_out[:, keep] = self._ruled_out[keep]
        self._ruled_out[gone] = self._ruled_out[:, gone] = True
        self._needed[keep] = np.maximum(self._needed[keep], self._needed[gone])
        self._needed[:, keep] = self._needed[keep]
        self._surplus[gone] = self._surplus[:, gone] = -np.inf
        self._surplus[keep] = self._surplus[:, keep] = self._row(keep)

    def _row(self, index: int) -> NDArray[np.float64]:
        distances = 1 - (self._sums @ self._sums[index]) / (self._weights * self._weights[index])
        reliability = self._reliability_sums / self._weights
        llr = self._appearance(distances, reliability * reliability[index])
        # Most pairs are hopeless by their looks; their ways need not be looked at.
        hopeful = ~self._ruled_out[index] & (llr + MAX_CUE_LLR > self._needed[index])
        for other in np.flatnonzero(hopeful).tolist():
            llr[other] += self._gain(index, other)
        return np.where(hopeful, llr - self._needed[index], -np.inf)

    def _gain(self, one: int, two: int) -> float:
        gain = self._chain_llr(self._joined(one, two))
        gain -= self._chain_llr(self.chains[one]) + self._chain_llr(self.chains[two])
        gain += sum(self._together(i, j) for i in self.chains[one] for j in self.chains[two])
        return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, gain))

    def _joined(self, one: int, two: int) -> list[int]:
        return sorted(self.chains[one] + self.chains[two])  # indices are in order of time

    def _together(self, one: int, two: int) -> float:
        pair = (min(one, two), max(one, two))
        if pair not in self._at_once:
            self._at_once[pair] = co_location_llr(self._segments[one], self._segments[two])
        return self._at_once[pair]

    def _chain_llr(self, chain: Sequence[int]) -> float:
        total = 0.0
        for earlier, later in camera_transitions([self._segments[index] for index in chain]):
            pair = chain[earlier], chain[later]
            if pair not in self._motion_llrs:
                first, second = self._segments[pair[0]], self._segments[pair[1]]
                self._motion_llrs[pair] = motion_llr(first, second, self._rules.topology)
            total += self._motion_llrs[pair]
        return total


def _meeting(segments: Sequence[TrackSegment]) -> list[list[int]]:
    """Return the pairs of segments that may have been seen at once, as indices; others are not worth a look."""
    began = np.array([segment.spans[0][0] for segment in segments])
    ended = np.array([max(last for _, last in segment.spans) for segment in segments])
    shared_s = np.minimum.outer(ended, ended) - np.maximum.outer(began, began)
    pairs: list[list[int]] = np.argwhere(np.tril(shared_s > 0, -1)).tolist()
    return pairs
