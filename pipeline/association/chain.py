"""The track segments of one person in order of time: which one follows which."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from pipeline.association.track_segment import TrackSegment

MAX_SHARED_S = 0.15
"""Seconds that two track segments of one person may share in one camera: a tracker notices a change of person late.

Larger: two people who meet are taken for one more easily. Smaller: a person whose track broke is split into two.
"""


OWN_CAMERA_S = 3.0
"""Seconds within which a track segment goes on from the one before it in its own camera, whatever other cameras saw.

Larger: the place in the picture counts for longer, where cameras overlap.
"""


def camera_transitions(segments: Sequence[TrackSegment]) -> Iterator[tuple[int, int]]:
    """Yield which track segment of one person follows which, as pairs of indices (earlier, later).

    A segment follows the one that ended last before it began. Where cameras overlap, several may follow one. A segment
    that had begun before, and still goes on, says nothing about where the person came from.

    Args:
        segments: Of one person, in any order.
    """
    ends = sorted((segment.last.at, index) for index, segment in enumerate(segments))
    for later, segment in enumerate(segments):
        num_ended = bisect_right(ends, (segment.first.at + MAX_SHARED_S, len(segments)))
        for place in range(num_ended - 1, -1, -1):
            index = ends[place][1]
            if index != later and segments[index].first.at < segment.first.at:
                yield index, later
                break


def last_sighting(segments: Sequence[TrackSegment], later: int) -> tuple[int, bool] | None:
    """Return after which track segment of one person another began, for cameras that may see one person at once.

    Other than in ``camera_transitions``, a segment goes on from the one just before it in its own camera, whatever
    other cameras saw since.

    Args:
        segments: Of one person, in any order.
        later: Index of the segment that began.

    Returns:
        Index of the earlier one, and whether the person was in sight elsewhere when the later one began: then the time
        between the two is no absence. None if nothing ended before.
    """
    segment = segments[later]
    earlier = [index for index, other in enumerate(segments) if other.first.at < segment.first.at]
    before = [
        (segments[index].last.at, index)
        for index in earlier
        if segments[index].last.at <= segment.first.at + MAX_SHARED_S
    ]
    if not before:
        return None
    own = [
        (last_at, index)
        for last_at, index in before
        if segments[index].camera_id == segment.camera_id and segment.first.at - last_at <= OWN_CAMERA_S
    ]
    if own:
        return max(own)[1], False
    return max(before)[1], len(before) < len(earlier)
