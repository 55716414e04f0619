"""From a decoded picture of FFmpeg to the array that a frame holds."""

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from connectors.pictures.rectangle import Rectangle, cut


class ToRgb:
    """Turns the pictures of one stream into images; without the GIL where it takes long."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def image(self, picture: av.VideoFrame, crop_xyxy: Rectangle | None = None) -> NDArray[np.uint8]:
        """Return a picture converted, as it is meant to be shown.

        Args:
            picture: As decoded.
            crop_xyxy: Part to cut out, pixels of the upright picture; None: all.

        Returns:
            Shape ``(H, W, 3)``, uint8, RGB, C-contiguous.
        """
        # FFmpeg would take a thread a core for this, for every camera.
        converted = self._reformatter.reformat(picture, format="rgb24", threads=1)
        image = np.asarray(converted.to_ndarray(), np.uint8)
        if picture.rotation:
            image = np.rot90(image, round(picture.rotation / 90) % 4)
        return cut(image, crop_xyxy)
