"""A camera's pose from the ground in its picture: where a head is above the ground, and how tall a person appears."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def head_plane(to_ground: Matrix, frame_hw: tuple[int, int], height_m: float) -> Matrix | None:
    """Return the homography from pixels at a height above the ground to the place on the ground below them, metres.

    The focal length follows from a flat ground and square pixels, with the principal point in the middle of the
    picture (Zhang, "A Flexible New Technique for Camera Calibration", 2000, for a single plane).

    Args:
        to_ground: Shape ``(3, 3)``: pixels to metres on the ground.
        frame_hw: Size of the frames, pixels.
        height_m: Height above the ground, metres.

    Returns:
        Shape ``(3, 3)``; None where the pose is not defined: a view from straight above, or a crop of a larger picture.
    """
    plane = _to_picture(to_ground.tobytes(), frame_hw)
    if plane is None:
        return None
    to_plane: Matrix = np.linalg.inv(plane[0] + height_m * plane[1]).astype(np.float64)
    return to_plane


@lru_cache(maxsize=1024)
def _to_picture(to_ground: bytes, frame_hw: tuple[int, int]) -> tuple[Matrix, Matrix] | None:
    """Return the homography from metres on the ground to pixels, and what a metre of height adds; both ``(3, 3)``."""
    height, width = frame_hw
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    columns = np.linalg.inv(middle) @ np.linalg.inv(np.frombuffer(to_ground, np.float64).reshape(3, 3))
    (x1, x2, _), (y1, y2, _), (w1, w2, _) = columns
    # Once the focal length is divided out, both columns have one length and are at a right angle.
    known = np.array([w1 * w2, w1**2 - w2**2])
    wanted = np.array([x1 * x2 + y1 * y2, x1**2 + y1**2 - x2**2 - y2**2])
    if not known @ known > 0 or (square := -float(known @ wanted) / float(known @ known)) <= 0:
        return None
    focal = np.diag([np.sqrt(square), np.sqrt(square), 1.0])
    pose = np.linalg.inv(focal) @ columns
    pose /= np.linalg.norm(pose[:, 0])
    nearest = np.linalg.inv(columns) @ [0, height / 2, 1]  # the ground at the middle of the lower border
    pose *= np.sign(pose[2] @ nearest / nearest[2])  # lies in front of the camera
    up = np.cross(pose[:, 0], pose[:, 1])
    if up @ pose[:, 2] > 0:
        up = -up  # the camera is above the ground
    upward = np.zeros((3, 3))
    upward[:, 2] = middle @ focal @ up
    return middle @ focal @ pose, upward
