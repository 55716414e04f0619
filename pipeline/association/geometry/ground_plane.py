"""Ground trajectories: from the boxes of a track to metres on the ground that cameras share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.association.geometry.camera_pose import head_plane
from pipeline.association.geometry.moments import Span, common_moments
from pipeline.core import TrackPath

EVERY_S = 0.5
"""Seconds between two points of a ground trajectory. Larger: less memory, and coarser motion."""
VELOCITY_S = 2.5
"""Seconds over which a velocity is measured. Larger: less noise, and turns are noticed later."""
BORDER_PX = 2.0
"""Pixels from the border of the picture within which a box counts as cut by it."""
BODY_M, BODY_SPREAD_M = 1.7, 0.1
"""Height of people, and its standard deviation, metres."""
SHORT = 0.8
"""Fraction of the expected height of a person below which a box is taken to hide the feet or the head.

Larger: more boxes count as partly hidden, and their places as less certain.
"""
BOX_NOISE, NOISE_PX = 0.04, 1.5
"""Error of the side of a box: a fraction of its height, and pixels. Larger: places are less certain."""
CUT_NOISE = 3.0
"""Factor on that error for a box that the upper border cuts."""
STEP_M = 0.3
"""Metres by which a place is off in any case: feet move apart in a stride, and clocks of cameras differ."""

GroundTrajectory = NDArray[np.float64]
"""Shape ``(N, 6)``, float64: Unix seconds, x and y in metres, and their covariance (xx, xy, yy) in square metres.

Times ascend. Empty for a camera without a homography.
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """How the pictures of cameras map to one ground plane.

    Attributes:
        homographies: By camera, shape ``(3, 3)``: pixels to metres, for instance from four points measured on site.
    """

    homographies: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def trajectory(self, camera_id: str, path: TrackPath) -> GroundTrajectory:
        """Return where a track went on the ground.

        A person stands where the feet are. If the feet are hidden or below the picture, the place follows from the
        head, provided that the camera's pose is known.
        """
        homography = self.homographies.get(camera_id)
        times = path.captured_at
        if homography is None or not len(times):
            return np.empty((0, 6))
        boxes_xyxy = path.boxes_xyxy.astype(np.float64)
        points, known = _places(homography, boxes_xyxy, path.frame_hw)
        steps = np.floor((times - times[0]) / EVERY_S)
        # The first of each EVERY_S, and the last of all.
        rows = np.flatnonzero(known)[np.unique(steps[known], return_index=True)[1]]
        if known.any():
            rows = np.union1d(rows, np.flatnonzero(known)[-1:])
        return np.column_stack([times[rows], points[rows]])


def _places(
    to_ground: NDArray[np.float64], boxes_xyxy: NDArray[np.float64], frame_hw: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the place of each box, shape ``(N, 5)`` as in a trajectory, and whether it is known, shape ``(N,)``."""
    noise_px = BOX_NOISE * (boxes_xyxy[:, 3] - boxes_xyxy[:, 1]) + NOISE_PX
    middle = (boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2
    has_feet = boxes_xyxy[:, 3] < frame_hw[0] - BORDER_PX
    has_head = boxes_xyxy[:, 1] > 2 * noise_px
    noise_px = np.where(has_head, noise_px, CUT_NOISE * noise_px)
    places, spread = _project(to_ground, middle, boxes_xyxy[:, 3], noise_px)
    to_head = head_plane(to_ground, frame_hw, BODY_M)
    if to_head is not None:
        expected = np.linalg.inv(to_head) @ np.stack([*places.T, np.ones(len(middle))])
        tall_px = boxes_xyxy[:, 3] - expected[1] / expected[2]
        is_short = has_head & has_feet & (boxes_xyxy[:, 3] - boxes_xyxy[:, 1] < SHORT * tall_px)
        by_head, head_spread = _project(to_head, middle, boxes_xyxy[:, 1], noise_px)
        taller = head_plane(to_ground, frame_hw, BODY_M + BODY_SPREAD_M)
        assert taller is not None
        head_spread = head_spread + _square(_project(taller, middle, boxes_xyxy[:, 1], noise_px)[0] - by_head)
        # A short box hides either the feet or the head.
        half = (by_head - places) / 2
        both, both_spread = places + half, (spread + head_spread) / 2 + _square(half)
        places = np.where(is_short[:, None], both, np.where(has_feet[:, None], places, by_head))
        spread = np.where(is_short[:, None, None], both_spread, np.where(has_feet[:, None, None], spread, head_spread))
        has_feet |= has_head
    spread = spread + STEP_M**2 * np.eye(2)
    return np.column_stack([places, spread[:, 0, 0], spread[:, 0, 1], spread[:, 1, 1]]), has_feet


def _square(off: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outer product of each row with itself, shape ``(N, 2, 2)``."""
    return off[:, :, None] * off[:, None, :]


def _project(
    homography: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], noise_px: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pixels as metres, shape ``(N, 2)``, and the covariance of their noise, shape ``(N, 2, 2)``."""
    points = homography @ np.stack([x, y, np.ones(len(x))])
    places = (points[:2] / points[2]).T
    slopes = (homography[None, :2, :2] - places[:, :, None] * homography[None, 2:, :2]) / points[2][:, None, None]
    return places, noise_px[:, None, None] ** 2 * (slopes @ slopes.transpose(0, 2, 1))


def separation_m(
    first: GroundTrajectory, second: GroundTrajectory, within: Sequence[Span] | None = None
) -> tuple[float, float]:
    """Return the median distance of two trajectories while both go on, metres, and how long that is, seconds.

    Args:
        first: One.
        second: The other one.
        within: As in ``align_in_time``.

    Example:
        >>> still = np.array([[0.0, 1.0, 1.0, 0.1, 0.0, 0.1], [2.0, 1.0, 1.0, 0.1, 0.0, 0.1]])
        >>> separation_m(still, still + [1.0, 0.0, 3.0, 0.0, 0.0, 0.0])
        (3.0, 1.0)
    """
    one, two, shared_s = align_in_time(first, second, within)
    return (float(np.median(np.hypot(*(one - two)[:, 1:3].T))), shared_s) if len(one) else (0.0, 0.0)


def align_in_time(
    first: GroundTrajectory, second: GroundTrajectory, within: Sequence[Span] | None = None
) -> tuple[GroundTrajectory, GroundTrajectory, float]:
    """Return both trajectories at common moments while both go on, and how long that is, seconds.

    Both are empty if they share no moment.

    Args:
        first: One.
        second: The other one.
        within: Times that count, ascending, where a trajectory has gaps: what is between two points is no place then.
            None: all.
    """
    none = np.empty((0, 6))
    if not len(first) or not len(second):
        return none, none, 0.0
    began, ended = max(first[0, 0], second[0, 0]), min(first[-1, 0], second[-1, 0])
    if ended < began:
        return none, none, 0.0
    times, shared_s = common_moments(began, ended, EVERY_S, within)
    one, two = (
        np.column_stack([times, *(np.interp(times, trajectory[:, 0], trajectory[:, column]) for column in range(1, 6))])
        for trajectory in (first, second)
    )
    return one, two, shared_s


def log_density(off: NDArray[np.float64], variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of a normal density, of shape ``(N,)``, per square metre.

    Args:
        off: Shape ``(N, 2)``, metres from the mean.
        variances: Shape ``(N, 3)``: xx, xy, yy, square metres.
    """
    xx, xy, yy = variances.T
    determinant = xx * yy - xy**2
    square = (yy * off[:, 0] ** 2 - 2 * xy * off[:, 0] * off[:, 1] + xx * off[:, 1] ** 2) / determinant
    density: NDArray[np.float64] = -square / 2 - np.log(2 * np.pi * np.sqrt(determinant))
    return density


def prediction_errors(earlier: GroundTrajectory, later: GroundTrajectory, *, straight_s: float) -> NDArray[np.float64]:
    """Return by how much the first trajectory misses the start of the second, and the second the end of the first.

    Both count: a place that is far from one camera, and badly measured there, is often near the other one.

    Args:
        earlier: At least one point.
        later: At least one point.
        straight_s: Seconds for which a person is assumed to keep the velocity.

    Returns:
        Shape ``(2, 2)``, metres: rows forward and backward, columns x and y.
    """
    ahead_s = min(max(float(later[0, 0] - earlier[-1, 0]), 0.0), straight_s)
    forward = earlier[-1, 1:3] + _velocity(earlier[::-1]) * ahead_s - later[0, 1:3]
    backward = later[0, 1:3] - _velocity(later) * ahead_s - earlier[-1, 1:3]
    return np.stack([forward, backward])


def _velocity(trajectory: GroundTrajectory) -> NDArray[np.float64]:
    """Return the velocity near the first point of a trajectory, metres a second; times may descend."""
    near = trajectory[np.abs(trajectory[:, 0] - trajectory[0, 0]) <= VELOCITY_S]
    span_s = near[-1, 0] - near[0, 0]
    return (near[-1, 1:3] - near[0, 1:3]) / span_s if span_s else np.zeros(2)


def can_move(earlier: GroundTrajectory, later: GroundTrajectory, *, max_m_s: float, slack_m: float) -> bool:
    """Tell whether a person can get from the end of one trajectory to the start of another in the time between."""
    gap_s = max(float(later[0, 0] - earlier[-1, 0]), 0.0)
    return float(np.hypot(*(later[0, 1:3] - earlier[-1, 1:3]))) <= slack_m + max_m_s * gap_s
