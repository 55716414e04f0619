"""Colours: sRGB, linear light, and the perceived difference of two."""

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.people.person import Colour


def linear(colour: Colour) -> NDArray[np.float32]:
    """Return linear light in [0, 1], shape ``(3,)``, of an sRGB colour.

    Example:
        >>> linear((0.0, 255.0, 128.0)).round(3).tolist()
        [0.0, 1.0, 0.21600000560283661]
    """
    value = np.asarray(colour, np.float64) / 255
    light: NDArray[np.float32] = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(
        np.float32
    )
    return light


def to_srgb(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return linear light, clipped to [0, 1], as sRGB of the same shape."""
    light = np.clip(image, 0, 1)
    return np.round(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


def lab(colour: Colour) -> NDArray[np.float64]:
    """Return CIE L*a*b* under D65, shape ``(3,)``."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ linear(colour) / (0.9505, 1.0, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(first: Colour, second: Colour) -> float:
    """Return the distance of two colours in L*a*b* (CIE 1976); 2 is just noticeable.

    Example:
        >>> round(contrast((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)))
        100
    """
    return float(np.linalg.norm(lab(first) - lab(second)))
