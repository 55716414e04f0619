"""From a decoded picture of FFmpeg to the array that a frame holds."""

import av
import numpy as np
from numpy.typing import NDArray

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom; pixels; right and bottom are outside."""


def rgb_image(picture: av.VideoFrame, crop_xyxy: Rectangle | None = None) -> NDArray[np.uint8]:
    """Return a picture upright, as it is meant to be shown; the conversion runs without the GIL.

    Args:
        picture: As decoded.
        crop_xyxy: Part to cut out, pixels of the upright picture; None: all.

    Returns:
        Shape ``(H, W, 3)``, uint8, RGB, C-contiguous.
    """
    image: NDArray[np.uint8] = picture.to_ndarray(format="rgb24")
    if picture.rotation:
        image = np.rot90(image, round(picture.rotation / 90) % 4)
    if crop_xyxy is not None:
        left, top, right, bottom = crop_xyxy
        image = image[top:bottom, left:right]
    return np.ascontiguousarray(image)
