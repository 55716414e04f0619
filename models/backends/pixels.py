"""Pictures to the tensor that a network takes."""

from collections.abc import Sequence

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
        self._scale = np.array([1 / value for value in std], np.float32)[:, None, None]
        self._shift = np.array([-a / b for a, b in zip(mean, std, strict=True)], np.float32)[:, None, None]
        self._scales, self._shifts = bool((self._scale != 1).any()), bool(self._shift.any())

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 ``(N, 3, h, w)`` of uint8 RGB ``(N, h, w, 3)``."""
        ordered = images[..., :: self._step]
        pixels_NCHW = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), np.float32)
        if self._scales:
            pixels_NCHW *= self._scale
        if self._shifts:
            pixels_NCHW += self._shift
        return pixels_NCHW
