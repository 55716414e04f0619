"""How tall people look: a camera's pose, as far as the ground in its picture tells it."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def head_plane(to_ground: Matrix, frame_hw: tuple[int, int], height_m: float) -> Matrix | None:
    """Return the homography of pixels to the places above which they lie at a height, metres.

    The focal length follows from the ground being flat and pixels square, with the middle of the picture as the
    principal point (Zhang, "A Flexible New Technique for Camera Calibration", 2000, one plane of it).

    Args:
        to_ground: Shape ``(3, 3)``: pixels to metres on the ground.
        frame_hw: Size of the frames, pixels.
        height_m: Above the ground.

    Returns:
        Shape ``(3, 3)``; None where the picture does not tell: seen from straight above, or cut out of a larger one.
    """
    plane = _to_picture(to_ground.tobytes(), frame_hw)
    if plane is None:
        return None
    to_plane: Matrix = np.linalg.inv(plane[0] + height_m * plane[1]).astype(np.float64)
    return to_plane


@lru_cache(maxsize=1024)
def _to_picture(to_ground: bytes, frame_hw: tuple[int, int]) -> tuple[Matrix, Matrix] | None:
    """Return metres on the ground to pixels, and what a metre upwards adds to that; both of shape ``(3, 3)``."""
    height, width = frame_hw
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    columns = np.linalg.inv(middle) @ np.linalg.inv(np.frombuffer(to_ground, np.float64).reshape(3, 3))
    (x1, x2, _), (y1, y2, _), (w1, w2, _) = columns
    # One column is as long as the other, and at a right angle to it, once the focal length is divided out.
    known = np.array([w1 * w2, w1**2 - w2**2])
    wanted = np.array([x1 * x2 + y1 * y2, x1**2 + y1**2 - x2**2 - y2**2])
    if not known @ known > 0 or (square := -float(known @ wanted) / float(known @ known)) <= 0:
        return None
    focal = np.diag([np.sqrt(square), np.sqrt(square), 1.0])
    pose = np.linalg.inv(focal) @ columns
    pose /= np.linalg.norm(pose[:, 0])
    nearest = np.linalg.inv(columns) @ [0, height / 2, 1]  # the ground in the middle of the lower border
    pose *= np.sign(pose[2] @ nearest / nearest[2])  # is in front of the camera
    up = np.cross(pose[:, 0], pose[:, 1])
    if up @ pose[:, 2] > 0:
        up = -up  # from the ground a camera is upwards
    upward = np.zeros((3, 3))
    upward[:, 2] = middle @ focal @ up
    return middle @ focal @ pose, upward
