"""Converts pictures that FFmpeg decoded to the arrays that frames hold."""

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from connectors.pictures.rectangle import Rectangle, cut


class ToRgb:
    """Converts the pictures of one stream; the slow part runs without the GIL."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def image(self, picture: av.VideoFrame, crop_xyxy: Rectangle | None = None) -> NDArray[np.uint8]:
        """Return a picture, rotated as its file says.

        Args:
            picture: The decoded picture.
            crop_xyxy: The part to cut out, pixels of the rotated picture; None: all.

        Returns:
            Shape ``(H, W, 3)``, uint8, RGB, C-contiguous.
        """
        # By default FFmpeg takes a thread per core for this, for every camera.
        converted = self._reformatter.reformat(picture, format="rgb24", threads=1)
        image = np.asarray(converted.to_ndarray(), np.uint8)
        if picture.rotation:
            image = np.rot90(image, round(picture.rotation / 90) % 4)
        return cut(image, crop_xyxy)
