"""Which links between track segments are ruled out, whatever their appearance.

Two questions are answered here and nowhere else: are two track segments certainly two people, and can one person have
made the transits from each segment to the next?
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.association.chain import MAX_SHARED_S, camera_transitions
from pipeline.association.geometry.ground_plane import can_move, separation_m
from pipeline.association.geometry.sampled_boxes import separated_s
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment

MAX_SPEED_M_S = 3.0
"""Metres a second that a person moves at most; a jog. Larger: fewer transits are ruled out."""
MOTION_SLACK_M = 2.4
"""Metres by which two places on the ground may be off together. Larger: fewer transits are ruled out."""
TWO_PEOPLE_M = 5.0
"""Metres apart from which two people seen by two cameras at once are two, however wrong the boxes.

Larger: fewer pairs are kept apart. Smaller: one person with a badly measured place becomes two.
"""
MIN_SHARED_S = 0.4
"""Seconds on the ground that two cameras must share before the distance between the places counts."""
MIN_SEPARATED_S = 0.3
"""Seconds for which two boxes of one camera must be at two places before they are two people.

Larger: fewer pairs are kept apart. Smaller: two boxes that a detector drew on one person make two.
"""


@dataclass(frozen=True, slots=True)
class LinkConstraints:
    """What rules a link out.

    Attributes:
        topology: Of the site.
        leave_after_s: Seconds. A person who leaves a picture over its border, is seen nowhere else for longer than
            this, and comes back to the same camera begins a new visit with a new number. Infinite: a person who
            returns keeps the old number.
        clock_error_s: Seconds by which the times of two cameras may be apart: those of live pictures are as late as
            network and decoder make them. 0 for recordings.
    """

    topology: Topology
    leave_after_s: float
    clock_error_s: float = 0.0

    def clocks_apart_s(self, one: TrackSegment, two: TrackSegment) -> float:
        """Return by how many seconds the times of two segments may be apart; 0 in one camera."""
        return 0.0 if one.camera_id == two.camera_id else self.clock_error_s


def are_two_people(first: TrackSegment, second: TrackSegment, constraints: LinkConstraints) -> bool:
    """Tell whether two track segments are certainly two people, wherever else these were seen."""
    if first.shared_s(second) <= MAX_SHARED_S + constraints.clocks_apart_s(first, second):
        return False
    within = first.shared_spans(second)
    if first.camera_id == second.camera_id:
        return separated_s(first.sampled_boxes, second.sampled_boxes, within) > MIN_SEPARATED_S
    distance_m, shared_s = separation_m(first.trajectory, second.trajectory, within)
    if shared_s >= MIN_SHARED_S:
        return distance_m > TWO_PEOPLE_M  # a place on the ground says more than a list of overlapping cameras
    return not constraints.topology.may_coincide(first.camera_id, second.camera_id)


def impossible_transit(segments: Sequence[TrackSegment], constraints: LinkConstraints) -> str | None:
    """Return why one person cannot have been seen in these track segments in turn; None if that is possible."""
    topology = constraints.topology
    for one, two in camera_transitions(segments):
        earlier, later = segments[one], segments[two]
        gap_s, apart_s = later.first.at - earlier.last.at, constraints.clocks_apart_s(earlier, later)
        if earlier.must_links & later.must_links:
            continue  # a person at the console linked them
        is_other_camera = earlier.camera_id != later.camera_id
        if not is_other_camera and earlier.last.is_leaving and gap_s > constraints.leave_after_s:
            return "left and came back: a new visit"
        if (earlier.camera_id, later.camera_id) in topology.no_transit:
            return f"no transit from {earlier.camera_id} to {later.camera_id}"
        if len(earlier.trajectory) and len(later.trajectory):
            slack_m = MOTION_SLACK_M + MAX_SPEED_M_S * apart_s
            if not can_move(earlier.trajectory, later.trajectory, max_m_s=MAX_SPEED_M_S, slack_m=slack_m):
                return f"too far to walk from {earlier.camera_id} to {later.camera_id} in {gap_s:.1f} s"
        elif (
            is_other_camera
            and gap_s > 0
            and not topology.can_transit(earlier.camera_id, later.camera_id, gap_s, apart_s)
        ):
            return f"cannot walk from {earlier.camera_id} to {later.camera_id} in {gap_s:.1f} s"
    return None
