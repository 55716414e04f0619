"""The track segments of one person in order of time: which one follows which."""

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
    for later, segment in enumerate(segments):
        before = [
            (other.last.at, index)
            for index, other in enumerate(segments)
            if index != later and other.last.at <= segment.first.at + MAX_SHARED_S and other.first.at < segment.first.at
        ]
        if before:
            yield max(before)[1], later


def last_sightings(segments: Sequence[TrackSegment]) -> Iterator[tuple[int, int, bool]]:
    """Yield after which track segment of one person another began, for cameras that may see one person at once.

    Other than in ``camera_transitions``, a segment goes on from the one just before it in its own camera, whatever
    other cameras saw since.

    Args:
        segments: Of one person, in any order.

    Yields:
        Two indices, earlier and later, and whether the person was in sight elsewhere when the later one began: then the
        time between the two is no absence.
    """
    for one, two in camera_transitions(segments):
        later = segments[two]
        own = [
            (other.last.at, index)
            for index, other in enumerate(segments)
            if other.camera_id == later.camera_id
            and other.first.at < later.first.at
            and other.last.at <= later.first.at + MAX_SHARED_S
            and later.first.at - other.last.at <= OWN_CAMERA_S
        ]
        is_in_sight = any(
            other.first.at < later.first.at and other.last.at > later.first.at + MAX_SHARED_S for other in segments
        )
        yield (max(own)[1] if own else one), two, is_in_sight and not own
