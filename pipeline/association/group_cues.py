"""The spatio-temporal cue for groups of track segments that are joined two by two.

Clustering asks for one group with every other, hundreds of times. So the cue is found for all of them at once: for each
segment and group it is known which segment of the group the segment would follow. The pairs are those of
``last_sighting``.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.association.chain import MAX_SHARED_S, OWN_CAMERA_S
from pipeline.association.cues import MAX_CUE_LLR, co_location_llr, motion_llr
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment

NOTHING = 0
"""The rank of no segment: nothing is followed."""


class GroupCues:
    """Disjoint groups of segments; at first each segment is a group, named by its index.

    Args:
        segments: N of them, in order of their beginning.
        overlapping: Pairs of them, as indices, that may have been seen at the same time.
        topology: Of the site.
    """

    def __init__(
        self, segments: Sequence[TrackSegment], overlapping: Sequence[Sequence[int]], topology: Topology
    ) -> None:
        count = len(segments)
        self._segments = segments
        self._topology = topology
        self._group_of = np.arange(count)
        began = np.array([segment.first.at for segment in segments])
        ended = np.array([segment.last.at for segment in segments])
        # The one of the highest rank, from 1, is followed: those just before in the own camera have ranks above count,
        # the others up to count; among them counts which ended last.
        self._by_rank = np.lexsort((np.arange(count), ended))
        ranks = np.empty(count, np.intp)
        ranks[self._by_rank] = np.arange(1, count + 1)
        is_earlier = began < began[:, None]
        has_ended = ended <= began[:, None] + MAX_SHARED_S
        camera = np.array([segment.camera_id for segment in segments])
        is_near = (camera == camera[:, None]) & (began[:, None] - ended <= OWN_CAMERA_S)
        # Row: a segment; column: a group; value: the rank of what the segment follows if that is in the group.
        self._before = np.where(is_earlier & has_ended, ranks + count * is_near, NOTHING)
        # The same rows and columns: whether the group was in sight when the segment began.
        self._in_sight = is_earlier & ~has_ended
        # Row: a rank; column: the segment that follows it. NaN: not asked for yet.
        self._motion_llrs = np.full((2 * count + 1, count), np.nan)
        self._motion_llrs[NOTHING] = 0.0
        self._chain_llrs = np.zeros(count)
        self._meeting_llrs = _unknown_meetings(segments, overlapping)

    def llrs_of_joining(self, group: int, others: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the LLR of the cue for joining a group to each of others, in +-``MAX_CUE_LLR``.

        It is that of the motion along the joined chain, less those of the two chains, and of where cameras place those
        whom they see at once.

        Args:
            group: One group.
            others: Shape ``(M,)``: the others.

        Returns:
            Shape ``(M,)``.
        """
        is_other = np.zeros(len(self._group_of), bool)
        is_other[others] = True
        ours, theirs = np.flatnonzero(self._group_of == group), np.flatnonzero(is_other[self._group_of])
        into = np.maximum(self._followed(ours)[:, None], self._before[np.ix_(ours, others)])
        out_of = np.maximum(self._followed(theirs), self._before[theirs, group])
        of_theirs = self._motion(out_of, theirs, self._was_in_sight(theirs) | self._in_sight[theirs, group])
        if self._meeting_llrs is not None:
            of_theirs += self._meetings(self._meeting_llrs, ours, theirs)
        llrs = np.zeros(len(self._group_of))
        np.add.at(llrs, self._group_of[theirs], of_theirs)
        in_sight = self._was_in_sight(ours)[:, None] | self._in_sight[np.ix_(ours, others)]
        llrs[others] += self._motion(into, np.broadcast_to(ours[:, None], into.shape), in_sight).sum(axis=0)
        llrs[others] -= self._chain_llrs[group] + self._chain_llrs[others]
        clipped: NDArray[np.float64] = np.clip(llrs[others], -MAX_CUE_LLR, MAX_CUE_LLR)
        return clipped

    def join(self, keep: int, gone: int) -> None:
        """Make one group of two."""
        self._group_of[self._group_of == gone] = keep
        np.maximum(self._before[:, keep], self._before[:, gone], out=self._before[:, keep])
        self._before[:, gone] = NOTHING
        self._in_sight[:, keep] |= self._in_sight[:, gone]
        chain = np.flatnonzero(self._group_of == keep)
        of_chain = self._motion(self._followed(chain), chain, self._was_in_sight(chain))
        self._chain_llrs[keep], self._chain_llrs[gone] = of_chain.sum(), 0.0

    def _followed(self, indices: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the ranks of what segments follow in their own groups."""
        ranks: NDArray[np.intp] = self._before[indices, self._group_of[indices]]
        return ranks

    def _was_in_sight(self, indices: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return whether the own groups of segments were in sight when these began."""
        in_sight: NDArray[np.bool_] = self._in_sight[indices, self._group_of[indices]]
        return in_sight

    def _motion(
        self, ranks: NDArray[np.intp], later: NDArray[np.intp], in_sight: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return the LLRs of the motion from segments of these ranks to others; 0 where nothing is followed."""

        def llr(rank: int, index: int) -> float:
            earlier = self._segments[self._by_rank[(rank - 1) % len(self._by_rank)]]
            return motion_llr(earlier, self._segments[index], self._topology)

        llrs = _looked_up(self._motion_llrs, ranks, later, llr)
        return np.where(in_sight & (ranks <= len(self._by_rank)), np.maximum(llrs, 0.0), llrs)

    def _meetings(
        self, known: NDArray[np.float64], ours: NDArray[np.intp], theirs: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return for each of their segments the LLR of its meetings with ours."""

        def llr(one: int, two: int) -> float:
            return co_location_llr(self._segments[min(one, two)], self._segments[max(one, two)])

        ours, theirs = np.broadcast_arrays(ours[:, None], theirs)
        found: NDArray[np.float64] = _looked_up(known, ours, theirs, llr).sum(axis=0)
        return found


def _looked_up(
    known: NDArray[np.float64], rows: NDArray[np.intp], columns: NDArray[np.intp], value: Callable[[int, int], float]
) -> NDArray[np.float64]:
    """Return values of a table, and put in those that are asked for the first time."""
    found: NDArray[np.float64] = known[rows, columns]
    unknown = np.isnan(found)
    if unknown.any():
        for row, column in set(zip(rows[unknown].tolist(), columns[unknown].tolist(), strict=True)):
            known[row, column] = value(row, column)
        found = known[rows, columns]
    return found


def _unknown_meetings(
    segments: Sequence[TrackSegment], overlapping: Sequence[Sequence[int]]
) -> NDArray[np.float64] | None:
    """Return a table with NaN where two cameras may have placed two segments on the ground at once; None: nowhere."""
    table = np.zeros((len(segments), len(segments)))
    for one, two in overlapping:
        first, second = segments[one], segments[two]
        if first.camera_id != second.camera_id and len(first.trajectory) and len(second.trajectory):
            table[one, two] = table[two, one] = np.nan
    return table if np.isnan(table).any() else None
