"""Whether two segments can be, and probably are, one person, looks aside.

Evidence is in natural log-odds: above 0 speaks for one person. What is ruled out is ruled out whatever the looks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import NDArray

from pipeline.association.geometry.ground_plane import at_once, can_move, log_density, prediction_errors, separation_m
from pipeline.association.geometry.sampled_boxes import separated_s
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment
from pipeline.core.track import ENROLLED

MOTION_MAX_GAP_S = 3.0
"""After this long, where somebody was says little about where they are."""
MIN_MOTION, MAX_MOTION = -6.0, 4.0
MAX_CUE_LLR = 6.0
"""The way alone never says more than this, for or against."""
GROUND_MAX_GAP_S = 6.0
"""The same between cameras whose ground is known."""
GROUND_M2 = 150.0
"""Ground that cameras have in sight: anybody else stands anywhere on it."""
NEWCOMERS = 5.0
"""Somebody else would have to appear at the place, and at the time: once in so many times they do."""
MISJUDGED = 0.03
"""How often a box says nothing of where somebody stands."""
DRIFT_M_S = 0.5
"""How far people stray from where they were going, a second."""
MOTION_SLACK_M = 2.4
MAX_SPEED_M_S = 3.0
TWO_PEOPLE_M = 5.0
"""Whom two cameras see this far apart at once are two people, however wrong the boxes."""
MIN_SHARED_S = 0.4
MIN_APART_S = 0.3
"""Two boxes of one camera are two people only if they were at two places for so long."""
SLACK_S = 0.15
"""Two tracks of one person may share this much time: a tracker notices a change late."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What rules a link out.

    Attributes:
        topology: Of the site.
        leave_after_s: Who leaves a picture over its border, is seen nowhere else for this long, and comes back to
            the same camera begins a new visit, with a new number; infinite to give returning people their old one.
    """

    topology: Topology
    leave_after_s: float


def motion_llr(earlier: TrackSegment, later: TrackSegment, topology: Topology) -> float:
    """Return what the way from one segment to the next says for one person, log-odds."""
    gap_s = later.first.at - earlier.last.at
    if gap_s < -SLACK_S or earlier.camera_id == ENROLLED:
        return 0.0
    if earlier.camera_id != later.camera_id:
        if len(earlier.trajectory) and len(later.trajectory) and gap_s <= GROUND_MAX_GAP_S:
            return _ground_motion_llr(earlier, later)
        return topology.transit_llr(earlier.camera_id, later.camera_id, max(gap_s, 0.0))
    return _image_motion_llr(earlier, later, max(gap_s, 0.05)) if gap_s <= MOTION_MAX_GAP_S else 0.0


def _ground_motion_llr(earlier: TrackSegment, later: TrackSegment) -> float:
    """Return what place and velocity on the ground say about segments of two cameras, as ``_image_motion_llr`` does."""
    # Feet are in sight later than bodies, and out of it earlier.
    gap_s = max(float(later.trajectory[0, 0] - earlier.trajectory[-1, 0]), 0.0)
    missed = prediction_errors(earlier.trajectory, later.trajectory, straight_s=2.0)
    variances = (
        earlier.trajectory[-1, 3:] + later.trajectory[0, 3:] + (DRIFT_M_S * gap_s) ** 2 * np.array([1.0, 0.0, 1.0])
    )
    llr = log(NEWCOMERS) + float(_of_places(missed, np.tile(variances, (2, 1))).max())
    return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, llr))


def co_location_llr(first: TrackSegment, second: TrackSegment) -> float:
    """Return what two cameras that see somebody at once say, by how far apart the two stand on the ground."""
    if first.camera_id == second.camera_id:
        return 0.0
    one, two, shared_s = at_once(first.trajectory, second.trajectory)
    if shared_s < MIN_SHARED_S:
        return 0.0
    certainty = min(1.5, 0.5 + shared_s / 2)
    llr = certainty * float(_of_places((one - two)[:, 1:3], (one + two)[:, 3:]).mean())
    return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, llr))


def _of_places(off: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of a normal density around a place over that of anywhere on the ground in sight, shape ``(N,)``.

    Now and then a box tells nothing: its feet are behind something.
    """
    ratio: NDArray[np.float64] = np.log((1 - MISJUDGED) * GROUND_M2 * np.exp(log_density(off, variances)) + MISJUDGED)
    return ratio


def _image_motion_llr(earlier: TrackSegment, later: TrackSegment, gap_s: float) -> float:
    """Return what position and velocity say about two segments of one camera.

    The density of a normal distribution around the place that the first velocity leads to, widening with the gap,
    over that of a place anywhere in the picture. Distances are in heights of the person.
    """
    height = (earlier.last.height + later.first.height) / 2
    error_x, error_y = (
        earlier.last.foot[axis] + earlier.last.velocity[axis] * min(gap_s, 1.0) - later.first.foot[axis]
        for axis in (0, 1)
    )
    variance = (0.25 + 0.5 * gap_s) ** 2
    picture_area = earlier.frame_hw[0] * earlier.frame_hw[1] / height**2
    square_error = (error_x**2 + error_y**2) / height**2
    llr = log(picture_area / (2 * pi * variance)) - square_error / (2 * variance)
    return min(MAX_MOTION, max(MIN_MOTION, llr))


def are_two_people(first: TrackSegment, second: TrackSegment, rules: Rules) -> bool:
    """Tell whether two segments cannot be one person wherever else that person was seen."""
    if first.shared_s(second) <= SLACK_S:
        return False
    if first.camera_id != second.camera_id:
        distance_m, shared_s = separation_m(first.trajectory, second.trajectory)
        if shared_s >= MIN_SHARED_S:
            return distance_m > TWO_PEOPLE_M  # the ground knows better than a list of cameras
    else:
        return (
            separated_s(first.sampled_boxes, second.sampled_boxes) > MIN_APART_S
        )  # else two boxes may be drawn on one person
    return not rules.topology.may_coincide(first.camera_id, second.camera_id)


def camera_transitions(segments: Sequence[TrackSegment]) -> Iterator[tuple[int, int]]:
    """Yield who follows whom in one person's walk, as pairs of indices (earlier, later).

    A segment follows the one that ended last before it began. Where cameras overlap, several may follow one; whoever
    is already in another picture when a segment begins says nothing about where that one came from.
    """
    for later, segment in enumerate(segments):
        before = [
            (other.last.at, index)
            for index, other in enumerate(segments)
            if index != later and other.last.at <= segment.first.at + SLACK_S and other.first.at < segment.first.at
        ]
        if before:
            yield max(before)[1], later


def impossible_transit(segments: Sequence[TrackSegment], rules: Rules) -> str | None:
    """Return why one person cannot have walked these segments in turn; None if they can."""
    for one, two in camera_transitions(segments):
        earlier, later = segments[one], segments[two]
        gap_s = later.first.at - earlier.last.at
        if earlier.must_links & later.must_links:
            continue  # an operator knows that they did
        is_elsewhere = earlier.camera_id != later.camera_id
        if not is_elsewhere and earlier.last.is_leaving and gap_s > rules.leave_after_s:
            return "left and came back: a new visit"
        if (earlier.camera_id, later.camera_id) in rules.topology.no_transit:
            return f"no way from {earlier.camera_id} to {later.camera_id}"
        if len(earlier.trajectory) and len(later.trajectory):
            if not can_move(earlier.trajectory, later.trajectory, max_m_s=MAX_SPEED_M_S, slack_m=MOTION_SLACK_M):
                return f"too far to walk from {earlier.camera_id} to {later.camera_id} in {gap_s:.1f} s"
        elif is_elsewhere and gap_s > 0 and not rules.topology.can_transit(earlier.camera_id, later.camera_id, gap_s):
            return f"cannot walk from {earlier.camera_id} to {later.camera_id} in {gap_s:.1f} s"
    return None
