"""Pictures to the tensor that a network takes."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError


class PixelScaling:
    """Brings pictures into the colour order and the range that a network was trained with.

    Args:
        colour_order: rgb or bgr.
        mean: Of the three channels, in that order and in the range [0, 255]; subtracted.
        std: Of the three channels, likewise; divided by.

    Raises:
        ConfigError: If the order is another, there are not three numbers, or a ``std`` is not above 0.
    """

    def __init__(self, *, colour_order: str, mean: Sequence[float], std: Sequence[float]) -> None:
        if colour_order not in ("rgb", "bgr"):
            raise ConfigError(f"colour_order: expected rgb or bgr, got {colour_order!r}")
        if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
            raise ConfigError(
                f"mean, std: expected three numbers each, std above 0, got {list(mean)} and {list(std)}; "
                "give them per channel, in the range of pixels (0 to 255)"
            )
        self._step = 1 if colour_order == "rgb" else -1
        self._scale = [np.float32(1 / value) for value in std]
        self._shift = [np.float32(-a / b) for a, b in zip(mean, std, strict=True)]

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 ``(N, 3, h, w)`` of uint8 RGB ``(N, h, w, 3)``."""
        number, height, width, _ = images.shape
        pixels_NCHW = np.empty((number, 3, height, width), np.float32)
        for image, planes in zip(images, pixels_NCHW, strict=True):
            channels = cv2.split(np.ascontiguousarray(image))[:: self._step]
            for channel, plane, scale, shift in zip(channels, planes, self._scale, self._shift, strict=True):
                if scale == 1:
                    plane[...] = channel
                else:
                    np.multiply(channel, scale, out=plane)
                if shift:
                    plane += shift
        return pixels_NCHW
