"""The track segments of one person in order of time: which one follows which."""

from collections.abc import Iterator, Sequence

from pipeline.association.track_segment import TrackSegment

MAX_SHARED_S = 0.15
"""Seconds that two track segments of one person may share in one camera: a tracker notices a change of person late.

Larger: two people who meet are taken for one more easily. Smaller: a person whose track broke is split into two.
"""


def camera_transitions(segments: Sequence[TrackSegment]) -> Iterator[tuple[int, int]]:
    """Yield which track segment of one person follows which, as pairs of indices (earlier, later).

    A segment follows the one that ended last before it began. Where cameras overlap, several may follow one. A segment
    that had begun before, and still goes on, says nothing about where the person came from.

    Args:
        segments: Of one person, in any order.
    """
    for later, segment in enumerate(segments):
        before = [
            (other.last.at, index)
            for index, other in enumerate(segments)
            if index != later and other.last.at <= segment.first.at + MAX_SHARED_S and other.first.at < segment.first.at
        ]
        if before:
            yield max(before)[1], later
