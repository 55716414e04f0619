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
    MAX_WAY,
    Rules,
    are_two_people,
    broken_walk,
    hand_overs,
    together_evidence,
    way_evidence,
)
from pipeline.association.track_segment import Segment

Evidence = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Distances and clarity to log-odds, all of shape ``(N,)``."""


def cluster(
    segments: Sequence[Segment], *, appearance: Evidence, needed: NDArray[np.float64], rules: Rules
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
    return [[order[index] for index in walk] for walk in groups.walks if walk]


class _Groups:
    """Disjoint groups of segments, and the surplus: evidence for joining each two of them, less what is needed.

    ``walks`` lists the members of each group in order of time; a group that was joined to another is empty.
    """

    def __init__(
        self, segments: Sequence[Segment], appearance: Evidence, needed: NDArray[np.float64], rules: Rules
    ) -> None:
        count = len(segments)
        self.walks = [[index] for index in range(count)]
        self._segments = segments
        self._appearance = appearance
        self._needed = needed
        self._rules = rules
        self._weights = np.array([segment.weight for segment in segments])
        self._clarity_sums = np.array([segment.clarity_sum for segment in segments])
        self._sums = np.array([segment.vector_sum for segment in segments])
        self._ruled_out = np.eye(count, dtype=bool)
        for one, two in _meeting(segments):
            if are_two_people(segments[one], segments[two], rules):
                self._ruled_out[one, two] = self._ruled_out[two, one] = True
        banned = [index for index, segment in enumerate(segments) if segment.bans]
        for one, two in combinations(banned, 2):
            if segments[one].is_forbidden(segments[two]):
                self._ruled_out[one, two] = self._ruled_out[two, one] = True
        self._ways: dict[tuple[int, int], float] = {}
        self._at_once: dict[tuple[int, int], float] = {}
        self._surplus = np.array([self._row(index) for index in range(count)])

    def bind(self) -> None:
        """Join what an operator put together, whatever speaks against it."""
        group_of: dict[int, int] = {}
        for index, segment in enumerate(self._segments):
            mine = next(group for group, walk in enumerate(self.walks) if index in walk) if segment.bonds else index
            for bond in sorted(segment.bonds):
                other = group_of.setdefault(bond, mine)
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
            walk = [self._segments[index] for index in self._joined(one, two)]
            if broken_walk(walk, self._rules) is None:
                return one, two
            self._surplus[one, two] = self._surplus[two, one] = -np.inf
        return None

    def join(self, keep: int, gone: int) -> None:
        """Make one group of two."""
        self.walks[keep], self.walks[gone] = self._joined(keep, gone), []
        self._sums[keep] += self._sums[gone]
        self._weights[keep] += self._weights[gone]
        self._clarity_sums[keep] += self._clarity_sums[gone]
        self._ruled_out[keep] |= self._ruled_out[gone]
        self._ruled_out[:, keep] = self._ruled_out[keep]
        self._ruled_out[gone] = self._ruled_out[:, gone] = True
        self._needed[keep] = np.maximum(self._needed[keep], self._needed[gone])
        self._needed[:, keep] = self._needed[keep]
        self._surplus[gone] = self._surplus[:, gone] = -np.inf
        self._surplus[keep] = self._surplus[:, keep] = self._row(keep)

    def _row(self, index: int) -> NDArray[np.float64]:
        distances = 1 - (self._sums @ self._sums[index]) / (self._weights * self._weights[index])
        clarity = self._clarity_sums / self._weights
        evidence = self._appearance(distances, clarity * clarity[index])
        # Most pairs are hopeless by their looks; their ways need not be looked at.
        hopeful = ~self._ruled_out[index] & (evidence + MAX_WAY > self._needed[index])
        for other in np.flatnonzero(hopeful).tolist():
            evidence[other] += self._gain(index, other)
        return np.where(hopeful, evidence - self._needed[index], -np.inf)

    def _gain(self, one: int, two: int) -> float:
        gain = self._walk_evidence(self._joined(one, two))
        gain -= self._walk_evidence(self.walks[one]) + self._walk_evidence(self.walks[two])
        gain += sum(self._together(i, j) for i in self.walks[one] for j in self.walks[two])
        return min(MAX_WAY, max(-MAX_WAY, gain))

    def _joined(self, one: int, two: int) -> list[int]:
        return sorted(self.walks[one] + self.walks[two])  # indices are in order of time

    def _together(self, one: int, two: int) -> float:
        pair = (min(one, two), max(one, two))
        if pair not in self._at_once:
            self._at_once[pair] = together_evidence(self._segments[one], self._segments[two])
        return self._at_once[pair]

    def _walk_evidence(self, walk: Sequence[int]) -> float:
        total = 0.0
        for earlier, later in hand_overs([self._segments[index] for index in walk]):
            pair = walk[earlier], walk[later]
            if pair not in self._ways:
                first, second = self._segments[pair[0]], self._segments[pair[1]]
                self._ways[pair] = way_evidence(first, second, self._rules.topology)
            total += self._ways[pair]
        return total


def _meeting(segments: Sequence[Segment]) -> list[list[int]]:
    """Return the pairs of segments that may have been seen at once, as indices; others are not worth a look."""
    began = np.array([segment.spans[0][0] for segment in segments])
    ended = np.array([max(last for _, last in segment.spans) for segment in segments])
    shared_s = np.minimum.outer(ended, ended) - np.maximum.outer(began, began)
    pairs: list[list[int]] = np.argwhere(np.tril(shared_s > 0, -1)).tolist()
    return pairs
