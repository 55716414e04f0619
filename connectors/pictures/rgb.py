"""Converts pictures that FFmpeg decoded to the arrays that frames hold."""

import struct

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from connectors.pictures.rectangle import Rectangle, cut

UPRIGHT = (1.0, 0.0, 0.0, 1.0)
"""The display matrix of a picture that is stored upright."""


class ToRgb:
    """Converts the pictures of one stream; the slow part runs without the GIL."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._matrix = UPRIGHT

    def image(self, picture: av.VideoFrame, crop_xyxy: Rectangle | None = None) -> NDArray[np.uint8]:
        """Return a picture, rotated and flipped as its file says.

        Args:
            picture: The decoded picture.
            crop_xyxy: The part to cut out, pixels of the upright picture; None: all.

        Returns:
            Shape ``(H, W, 3)``, uint8, RGB, C-contiguous.
        """
        # By default FFmpeg takes a thread per core for this, for every camera.
        converted = self._reformatter.reformat(picture, format="rgb24", threads=1)
        image = np.asarray(converted.to_ndarray(), np.uint8)
        if picture.key_frame:  # it cannot change in between, and reading it costs 7 microseconds
            self._matrix = _display_matrix(picture)
        return cut(_upright(image, self._matrix), crop_xyxy)


def _display_matrix(picture: av.VideoFrame) -> tuple[float, float, float, float]:
    """Return a, b, c, d: a point (x, y) is shown at (a x + c y, b x + d y), but for a shift."""
    found = picture.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(found))
    return a / 65536, b / 65536, c / 65536, d / 65536


def _upright(image: NDArray[np.uint8], matrix: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """Return an image as it is to be shown; turns between quarters are rounded."""
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    return image[::-1] if d < 0 else image
