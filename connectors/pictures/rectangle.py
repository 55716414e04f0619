"""The part of a recorded picture that one camera sees: the option ``crop_xyxy``."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""


def checked_rectangle(camera_id: str, crop_xyxy: Sequence[int]) -> Rectangle:
    """Return the option ``crop_xyxy`` of a camera.

    Raises:
        ConfigError: If it is not a rectangle with an area.
    """
    if len(crop_xyxy) == 4:
        left, top, right, bottom = (int(side) for side in crop_xyxy)
        if 0 <= left < right and 0 <= top < bottom:
            return left, top, right, bottom
    raise ConfigError(
        f"site.cameras.{camera_id}.crop_xyxy: expected [left, top, right, bottom], at least one pixel wide and high, "
        f"got {list(crop_xyxy)}; correct it"
    )


def check_inside(camera_id: str, crop_xyxy: Rectangle | None, image: NDArray[np.uint8]) -> None:
    """Raise ``ConfigError`` if the rectangle is not inside an image of shape ``(H, W, 3)``."""
    height, width = image.shape[:2]
    if crop_xyxy is not None and (crop_xyxy[2] > width or crop_xyxy[3] > height):
        raise ConfigError(
            f"site.cameras.{camera_id}.crop_xyxy: expected a rectangle inside {width}x{height} pixels, "
            f"got {list(crop_xyxy)}; correct it"
        )


def size_hw(rectangle: Rectangle) -> tuple[int, int]:
    """Return height and width, pixels."""
    left, top, right, bottom = rectangle
    return bottom - top, right - left


def cut(image: NDArray[np.uint8], crop_xyxy: Rectangle | None) -> NDArray[np.uint8]:
    """Return the part of an image of shape ``(H, W, 3)``, C-contiguous; None: all of it."""
    if crop_xyxy is not None:
        left, top, right, bottom = crop_xyxy
        image = image[top:bottom, left:right]
    return np.ascontiguousarray(image)
