"""How probable it is, appearance aside, that two track segments show one person: the spatio-temporal cue.

The cue is a log-likelihood ratio (LLR), natural logarithm: above 0 speaks for one person, below 0 for two. What is
impossible, and not only improbable, is decided in ``constraints``.
"""

from math import log, pi

import numpy as np
from numpy.typing import NDArray

from pipeline.association.chain import MAX_SHARED_S
from pipeline.association.constraints import MIN_SHARED_S
from pipeline.association.geometry.ground_plane import align_in_time, log_density, prediction_errors
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment
from pipeline.core.records.track import ENROLLED

MOTION_MAX_GAP_S = 3.0
"""Seconds between two segments of one camera after which the place of the first says nothing about the second."""
MIN_MOTION, MAX_MOTION = -6.0, 4.0
"""LLR between which the motion inside one camera stays."""
MAX_CUE_LLR = 6.0
"""Largest LLR of the spatio-temporal cue, for or against. Larger: it overrules appearance more often."""
GROUND_MAX_GAP_S = 6.0
"""As ``MOTION_MAX_GAP_S``, between cameras whose ground plane is known."""
GROUND_M2 = 150.0
"""Square metres of ground in sight: another person stands anywhere on it. Larger: a place that fits says more."""
NEWCOMERS = 5.0
"""How many times less often another person appears at that very time. Larger: each transit speaks more for one person.
"""
MISJUDGED = 0.03
"""Fraction of boxes that say nothing about where a person stands, such as those with hidden feet.

Larger: a place that does not fit speaks less against one person.
"""
DRIFT_M_S = 0.5
"""Metres a second by which people stray from a straight course. Larger: places say less after a longer gap."""


def motion_llr(earlier: TrackSegment, later: TrackSegment, topology: Topology, *, is_in_sight: bool = False) -> float:
    """Return the LLR of the motion from one segment to the next.

    Args:
        earlier: The one that ended first.
        later: The other one.
        topology: Of the site.
        is_in_sight: Another camera saw the person when the later one began: a long time between the two does not speak
            against one person.
    """
    llr = _motion_llr(earlier, later, topology)
    return max(0.0, llr) if is_in_sight else llr


def _motion_llr(earlier: TrackSegment, later: TrackSegment, topology: Topology) -> float:
    gap_s = later.first.at - earlier.last.at
    if gap_s < -MAX_SHARED_S or earlier.camera_id == ENROLLED:
        return 0.0
    if earlier.camera_id != later.camera_id:
        if len(earlier.trajectory) and len(later.trajectory) and gap_s <= GROUND_MAX_GAP_S:
            return _ground_motion_llr(earlier, later)
        return topology.transit_llr(earlier.camera_id, later.camera_id, max(gap_s, 0.0))
    return _image_motion_llr(earlier, later, max(gap_s, 0.05)) if gap_s <= MOTION_MAX_GAP_S else 0.0


def _ground_motion_llr(earlier: TrackSegment, later: TrackSegment) -> float:
    """Return the LLR of place and velocity on the ground, for segments of two cameras."""
    # Feet come into sight later than the body, and leave it earlier.
    gap_s = max(float(later.trajectory[0, 0] - earlier.trajectory[-1, 0]), 0.0)
    missed = prediction_errors(earlier.trajectory, later.trajectory, straight_s=2.0)
    variances = (
        earlier.trajectory[-1, 3:] + later.trajectory[0, 3:] + (DRIFT_M_S * gap_s) ** 2 * np.array([1.0, 0.0, 1.0])
    )
    llr = log(NEWCOMERS) + float(_place_llrs(missed, np.tile(variances, (2, 1))).max())
    return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, llr))


def co_location_llr(first: TrackSegment, second: TrackSegment) -> float:
    """Return the LLR of how far apart two cameras place, on the ground, whom they see at the same time."""
    if first.camera_id == second.camera_id:
        return 0.0
    one, two, shared_s = align_in_time(first.trajectory, second.trajectory, first.shared_spans(second))
    if shared_s < MIN_SHARED_S:
        return 0.0
    certainty = min(1.5, 0.5 + shared_s / 2)
    llr = certainty * float(_place_llrs((one - two)[:, 1:3], (one + two)[:, 3:]).mean())
    return min(MAX_CUE_LLR, max(-MAX_CUE_LLR, llr))


def _place_llrs(off: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the LLR of places: a normal density around the expected one over a uniform one on the ground in sight.

    Args:
        off: Shape ``(N, 2)``, metres from the expected place.
        variances: Shape ``(N, 3)``: xx, xy, yy, square metres.

    Returns:
        Shape ``(N,)``. A fraction ``MISJUDGED`` of the places is taken to say nothing.
    """
    llrs: NDArray[np.float64] = np.log((1 - MISJUDGED) * GROUND_M2 * np.exp(log_density(off, variances)) + MISJUDGED)
    return llrs


def _image_motion_llr(earlier: TrackSegment, later: TrackSegment, gap_s: float) -> float:
    """Return the LLR of position and velocity, for two segments of one camera.

    The density of a normal distribution around the place that the first velocity leads to, wider after a longer gap,
    over a uniform density in the picture. Distances are in heights of the person.
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
