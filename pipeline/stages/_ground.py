"""Where people stand: from the feet of their boxes to metres on the ground that cameras share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.core import TrackPath

EVERY_S = 0.5
"""Between two points of a trail."""
VELOCITY_S = 2.5
"""Over which a velocity is measured."""
BORDER_PX = 2.0
"""Whose box ends this near to the lower border stands somewhere below it."""

Trail = NDArray[np.float64]
"""Shape ``(N, 3)``: Unix seconds, x and y in metres; times ascend. Empty where nothing is known of the ground."""


@dataclass(frozen=True, slots=True)
class Ground:
    """How the pictures of cameras lie on one ground.

    Attributes:
        homographies: By camera, shape ``(3, 3)``: pixels to metres, as of four points that were measured on site.
    """

    homographies: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def trail(self, camera_id: str, path: TrackPath) -> Trail:
        """Return where a track went on the ground."""
        homography = self.homographies.get(camera_id)
        times = path.captured_at
        if homography is None or not len(times):
            return np.empty((0, 3))
        steps = np.floor((times - times[0]) / EVERY_S)
        whole = path.boxes_xyxy[:, 3] < path.frame_hw[0] - BORDER_PX
        # The first of each half second, and the last of all.
        rows = np.flatnonzero(whole)[np.unique(steps[whole], return_index=True)[1]]
        if whole.any():
            rows = np.union1d(rows, np.flatnonzero(whole)[-1:])
        boxes_xyxy = path.boxes_xyxy[rows].astype(np.float64)
        feet = np.stack([(boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2, boxes_xyxy[:, 3], np.ones(len(rows))])
        x, y, scale = homography @ feet
        return np.column_stack([times[rows], x / scale, y / scale])


def apart_m(first: Trail, second: Trail) -> tuple[float, float]:
    """Return how far two people were apart while both were seen, median metres, and for how many seconds that was.

    Example:
        >>> still = np.array([[0.0, 1.0, 1.0], [2.0, 1.0, 1.0]])
        >>> apart_m(still, still + [1.0, 0.0, 3.0])
        (3.0, 1.0)
    """
    if not len(first) or not len(second):
        return 0.0, 0.0
    began, ended = max(first[0, 0], second[0, 0]), min(first[-1, 0], second[-1, 0])
    if ended < began:
        return 0.0, 0.0
    times = np.linspace(began, ended, 2 + int((ended - began) / EVERY_S))
    one, two = (np.stack([np.interp(times, t[:, 0], t[:, axis]) for axis in (1, 2)]) for t in (first, second))
    return float(np.median(np.hypot(*(one - two)))), float(ended - began)


def missed_by_m(earlier: Trail, later: Trail, *, straight_s: float) -> float:
    """Return how far the second trail begins from where the first one led to, or the other way round, metres.

    The smaller of both counts: who is far from one camera, and badly measured there, is often near the other.

    Args:
        earlier: At least one point.
        later: At least one point.
        straight_s: For how long people are taken to go on as they went.
    """
    ahead_s = min(max(float(later[0, 0] - earlier[-1, 0]), 0.0), straight_s)
    forward = earlier[-1, 1:] + _velocity(earlier[::-1]) * ahead_s - later[0, 1:]
    backward = later[0, 1:] - _velocity(later) * ahead_s - earlier[-1, 1:]
    return float(min(np.hypot(*forward), np.hypot(*backward)))


def _velocity(trail: Trail) -> NDArray[np.float64]:
    """Return metres a second near the first point of a trail, which may run backwards."""
    near = trail[np.abs(trail[:, 0] - trail[0, 0]) <= VELOCITY_S]
    span_s = near[-1, 0] - near[0, 0]
    return (near[-1, 1:] - near[0, 1:]) / span_s if span_s else np.zeros(2)


def can_stride(earlier: Trail, later: Trail, *, max_m_s: float, slack_m: float) -> bool:
    """Tell whether somebody at the end of one trail can be where the other one begins in the time between."""
    gap_s = max(float(later[0, 0] - earlier[-1, 0]), 0.0)
    return float(np.hypot(*(later[0, 1:] - earlier[-1, 1:]))) <= slack_m + max_m_s * gap_s
