"""Which of many track segments show one person: constrained agglomerative clustering.

The two groups that most probably show one person are joined, again and again, while the expected share of false links
stays below the stated one. A group competes with its rivals: of two groups that certainly are two people, only one can
show the same person as a third. The appearance of a group is a weighted mean, so that a group costs as much to compare
as a segment. The spatio-temporal cue for joining two groups is that of the joined chain less those of the two chains:
only which segment follows which counts, as in a Markov chain. Two groups are never joined if a pair in them is ruled
out, or if no person could make the transits of the joined chain.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, count

import numpy as np
from numpy.typing import NDArray

from pipeline.association.calibration.likelihood_ratio import needed_log_odds, probability
from pipeline.association.chain import camera_transitions
from pipeline.association.constraints import LinkConstraints, are_two_people, impossible_transit
from pipeline.association.cues import MAX_CUE_LLR, co_location_llr, motion_llr
from pipeline.association.track_segment import TrackSegment

AppearanceLlrs = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Cosine distances and reliability weights to LLRs, all of shape ``(N,)``."""


def cluster(
    segments: Sequence[TrackSegment],
    *,
    appearance: AppearanceLlrs,
    max_false_link_rate: float,
    constraints: LinkConstraints,
) -> tuple[list[list[int]], float]:
    """Return which segments show one person, as lists of indices into ``segments``, and the least log-odds of a link.

    Args:
        segments: In any order.
        appearance: Distances to LLRs.
        max_false_link_rate: Expected share of the links that may be false, in (0, 1).
        constraints: What rules a link out.
    """
    order = sorted(range(len(segments)), key=lambda index: (segments[index].first.at, segments[index].parts[0]))
    groups = _Groups([segments[index] for index in order], appearance, constraints)
    groups.apply_must_links()
    least, num_false = needed_log_odds(max_false_link_rate), 0.0
    for num_links in count(1):
        best = groups.best_pair()
        if best is None:
            break
        one, two, log_odds = best
        num_false += 1 - probability(log_odds)
        if num_false > max_false_link_rate * num_links:
            break
        least = min(least, log_odds)
        groups.join(one, two)
    return [[order[index] for index in chain] for chain in groups.chains if chain], least


class _Groups:
    """Disjoint groups of segments, and the log-likelihood ratio (LLR) that each two of them show one person.

    ``chains`` lists the members of each group in order of time; a group that was joined to another is empty.
    """

    def __init__(
        self,
        segments: Sequence[TrackSegment],
        appearance: AppearanceLlrs,
        constraints: LinkConstraints,
    ) -> None:
        num = len(segments)
        self.chains = [[index] for index in range(num)]
        self._segments = segments
        self._appearance = appearance
        self._constraints = constraints
        self._weights = np.array([segment.weight for segment in segments])
        self._reliability_sums = np.array([segment.reliability_sum for segment in segments])
        self._sums = np.array([segment.vector_sum for segment in segments])
        self._apart = np.zeros((num, num))
        for one, two in _overlapping_in_time(segments):
            if are_two_people(segments[one], segments[two], constraints):
                self._apart[one, two] = self._apart[two, one] = 1.0
        with_cannot_links = [index for index, segment in enumerate(segments) if segment.cannot_links]
        for one, two in combinations(with_cannot_links, 2):
            if segments[one].has_cannot_link_to(segments[two]):
                self._apart[one, two] = self._apart[two, one] = 1.0
        self._motion_llrs: dict[tuple[int, int], float] = {}
        self._co_location_llrs: dict[tuple[int, int], float] = {}
        self._llr = np.array([self._row(index) for index in range(num)]).reshape(num, num)
        self._odds = np.exp(self._llr)
        # By group and partner: the odds of the partner's rivals, who certainly are another person than the partner.
        self._rivals = self._odds @ self._apart

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

    def best_pair(self) -> tuple[int, int, float] | None:
        """Return the two groups that most probably show one person, and the log-odds; None if no odds are above 1."""
        while True:
            rows, columns = np.divmod(np.flatnonzero(self._llr > 0), max(1, len(self._llr)))
            rows, columns = rows[rows < columns], columns[rows < columns]
            rivals = self._rivals[rows, columns] + self._rivals[columns, rows]
            log_odds = self._llr[rows, columns] - np.log1p(np.maximum(rivals, 0))
            if not len(rows) or not log_odds.max() > 0:
                return None
            best = int(log_odds.argmax())
            one, two = int(rows[best]), int(columns[best])
            chain = [self._segments[index] for index in self._joined(one, two)]
            if impossible_transit(chain, self._constraints) is None:
                return one, two, float(log_odds[best])
            self._withdraw(one)
            self._llr[one, two] = -np.inf
            self._enter(one, self._llr[one])

    def join(self, keep: int, gone: int) -> None:
        """Make one group of two."""
        self.chains[keep], self.chains[gone] = self._joined(keep, gone), []
        self._sums[keep] += self._sums[gone]
        self._weights[keep] += self._weights[gone]
        self._reliability_sums[keep] += self._reliability_sums[gone]
        self._withdraw(keep, gone)
        self._apart[keep] = self._apart[:, keep] = np.maximum(self._apart[keep], self._apart[gone])
        self._apart[gone] = self._apart[:, gone] = 1.0
        self._apart[keep, keep] = self._apart[gone, gone] = 0.0
        self._llr[gone] = self._llr[:, gone] = -np.inf
        self._enter(keep, self._row(keep))

    def _withdraw(self, *groups: int) -> None:
        """Take the odds of groups out of those of all rivals, before something about them changes."""
        chosen = list(groups)
        self._rivals -= self._odds[:, chosen] @ self._apart[chosen]
        self._odds[chosen] = self._odds[:, chosen] = 0.0

    def _enter(self, group: int, llr: NDArray[np.float64]) -> None:
        """Set the LLRs of one group to all, shape ``(N,)``, and what follows from them."""
        self._llr[group] = self._llr[:, group] = llr
        self._odds[group] = self._odds[:, group] = np.exp(llr)
        self._rivals += np.outer(self._odds[group], self._apart[group])
        self._rivals[group] = self._odds[group] @ self._apart
        self._rivals[:, group] = self._odds @ self._apart[group]

    def _row(self, index: int) -> NDArray[np.float64]:
        """Return the LLR of joining one group to each, shape ``(N,)``; minus infinity where that cannot be."""
        distances = 1 - (self._sums @ self._sums[index]) / (self._weights * self._weights[index])
        reliability = self._reliability_sums / self._weights
        llr = self._appearance(distances, reliability * reliability[index])
        # For most pairs no cue can outweigh their appearance: the cue is not computed for them.
        hopeful = (self._apart[index] == 0) & (llr + MAX_CUE_LLR > 0)
        hopeful[index] = False
        for other in np.flatnonzero(hopeful).tolist():
            llr[other] += self._cue_llr(index, other)
        return np.where(hopeful, llr, -np.inf)

    def _cue_llr(self, one: int, two: int) -> float:
        """Return the LLR of the spatio-temporal cue for joining two groups."""
        llr = self._chain_llr(self._joined(one, two))
        llr -= self._chain_llr(self.chains[one]) + self._chain_llr(self.chains[two])
        llr += sum(self._co_location_llr(i, j) for i in self.chains[one] for j in self.chains[two])
        return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, llr))

    def _joined(self, one: int, two: int) -> list[int]:
        return sorted(self.chains[one] + self.chains[two])  # indices are in order of time

    def _co_location_llr(self, one: int, two: int) -> float:
        pair = (min(one, two), max(one, two))
        if pair not in self._co_location_llrs:
            self._co_location_llrs[pair] = co_location_llr(self._segments[one], self._segments[two])
        return self._co_location_llrs[pair]

    def _chain_llr(self, chain: Sequence[int]) -> float:
        """Return the LLR of all motion along a chain of segments."""
        total = 0.0
        for earlier, later in camera_transitions([self._segments[index] for index in chain]):
            pair = chain[earlier], chain[later]
            if pair not in self._motion_llrs:
                first, second = self._segments[pair[0]], self._segments[pair[1]]
                self._motion_llrs[pair] = motion_llr(first, second, self._constraints.topology)
            total += self._motion_llrs[pair]
        return total


def _overlapping_in_time(segments: Sequence[TrackSegment]) -> list[list[int]]:
    """Return the pairs of segments, as indices, that may have been seen at the same time."""
    began = np.array([segment.spans[0][0] for segment in segments])
    ended = np.array([max(last for _, last in segment.spans) for segment in segments])
    shared_s = np.minimum.outer(ended, ended) - np.maximum.outer(began, began)
    pairs: list[list[int]] = np.argwhere(np.tril(shared_s > 0, -1)).tolist()
    return pairs
