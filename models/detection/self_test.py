"""A detector's first picture: people of the demo, to notice pixels of the wrong range before a run."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detection.heads import BGR_255, BGR_IMAGENET, RGB_1, RGB_IMAGENET, PixelRange

SURE_SCORE = 0.3
"""Least score of a person that counts."""

PADDING = 114
"""Grey level of the padding, of 255; the value that YOLO networks are trained with."""

_PICTURE = Path(__file__).with_name("people.jpg")
"""One frame of the demo's camera north, with three people of half the picture's height and more."""


def load_people(input_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture, scaled to fit this height and width and padded with grey: RGB ``(h, w, 3)``."""
    picture = cv2.cvtColor(cv2.imdecode(np.fromfile(_PICTURE, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    scale = min(input_hw[0] / picture.shape[0], input_hw[1] / picture.shape[1])
    height, width = round(picture.shape[0] * scale), round(picture.shape[1] * scale)
    canvas = np.full((*input_hw, 3), PADDING, np.uint8)
    canvas[:height, :width] = cv2.resize(picture, (width, height))
    return canvas


def find_pixel_range(count: Callable[[PixelRange], int], chosen: PixelRange) -> PixelRange | None:
    """Return a range of pixels with which people are found, if with the chosen one none is.

    Colour orders cannot be told apart like this: most networks find as many people in red and blue swapped.

    Args:
        count: How many people the network finds in ``load_people``.
        chosen: What the configuration and the head say.
    """
    if count(chosen):
        return None
    others = [pixels for pixels in (RGB_1, BGR_255, RGB_IMAGENET, BGR_IMAGENET) if pixels != chosen]
    best = max(others, key=count)
    return best if count(best) else None
