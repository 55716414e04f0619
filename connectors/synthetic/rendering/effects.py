"""From light to pixels: exposure, colour, tone, optics, noise and compression."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.places.primitives import Point3
from pipeline.core.errors import ConfigError, ShapeError

_BRIGHTEST = 4.0
"""Linear radiance at which the 8-bit code saturates; the code is the square root of the radiance."""


@dataclass(frozen=True, slots=True)
class CameraEffects:
    """How the images of one camera differ from the light that reaches it.

    Attributes:
        exposure: Factor on radiance, above 0.
        white_balance: Factors on red, green, blue, above 0.
        contrast: Around middle grey; 1: unchanged.
        saturation: 0: grey; 1: unchanged.
        vignette: Share of light lost in the corners, 0 to 1.
        blur_px: Sigma of the lens, pixels; 0: none.
        noise: Standard deviation of the noise in a white patch as a share of full scale, 0 to 1. Darker patches have
            less light but more gain.
        sharpen: Strength of an unsharp mask; 0: none.
        jpeg_quality: 1 to 100; 0: no compression.
        drift: Share by which the exposure drifts slowly, 0 to 1.
    """

    exposure: float = 0.8
    white_balance: Point3 = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.2
    blur_px: float = 0.5
    noise: float = 0.02
    sharpen: float = 0.3
    jpeg_quality: int = 80
    drift: float = 0.02

    def __post_init__(self) -> None:
        if not self.exposure > 0 or not min(self.white_balance) > 0:
            raise ConfigError(f"camera effects: expected exposure and white balance above 0, got {self}; raise them")
        for name in ("contrast", "saturation", "blur_px", "noise", "sharpen", "drift", "vignette"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"camera effects: expected {name} of 0 or more, got {getattr(self, name)}; raise it")
        if self.vignette > 1 or self.drift >= 1 or not 0 <= self.jpeg_quality <= 100:
            raise ConfigError(
                f"camera effects: expected vignette up to 1, drift below 1 and jpeg_quality 0 to 100, got {self}; "
                "lower them"
            )


def develop(
    linear: NDArray[np.float32], effects: CameraEffects, rng: np.random.Generator, *, frame_index: int
) -> NDArray[np.uint8]:
    """Return the image that a camera delivers.

    Args:
        linear: Radiance, shape ``(H, W, 3)``, float32, RGB, at least 0.
        effects: Of the camera.
        rng: Of the noise; the same state gives the same image.
        frame_index: Phase of the drift of the exposure.

    Returns:
        Shape ``(H, W, 3)``, uint8, RGB.

    Raises:
        ShapeError: If ``linear`` is not a float32 image.
    """
    if linear.ndim != 3 or linear.shape[2] != 3 or linear.dtype != np.float32:
        raise ShapeError(f"linear: expected (H, W, 3) float32, got {linear.shape} {linear.dtype}; convert it")
    wander = math.sin(frame_index / 97) * 0.6 + math.sin(frame_index / 41 + 1) * 0.4
    gain = _gain(linear.shape[:2], effects.vignette, effects.white_balance)
    exposed = cv2.multiply(linear, gain, scale=effects.exposure * (1 + effects.drift * wander) / _BRIGHTEST)
    code = cv2.sqrt(exposed, exposed)
    image = cv2.LUT(cv2.convertScaleAbs(code, alpha=255.0), _tone(effects.contrast))
    if effects.saturation != 1:
        image = cv2.transform(image, _saturation(effects.saturation))
    if effects.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), effects.blur_px)
    if effects.noise:
        height, width = linear.shape[:2]
        tile = _noise_tile(height, width)
        top, left = (int(v) for v in rng.integers(0, _NOISE_SPARE, 2))
        noise = cv2.multiply(
            tile[top : top + height, left : left + width], cv2.LUT(image, _noise_strength(effects.noise))
        )
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if effects.sharpen:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = cv2.addWeighted(image, 1 + effects.sharpen, soft, -effects.sharpen, 0)
    if effects.jpeg_quality:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, effects.jpeg_quality])[1]
        image = cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB)
    return np.asarray(image, np.uint8)


_NOISE_SPARE = 256
"""Pixels by which the noise tile is larger than the image. A larger tile repeats less and takes more memory."""


@lru_cache(maxsize=32)
def _gain(size_hw: tuple[int, int], vignette: float, white_balance: Point3) -> NDArray[np.float32]:
    y, x = np.meshgrid(np.linspace(-1, 1, size_hw[0]), np.linspace(-1, 1, size_hw[1]), indexing="ij")
    fall = 1 - vignette * (x * x + y * y) / 2
    return np.asarray(fall[..., None] * np.array(white_balance), np.float32)


@lru_cache(maxsize=64)
def _tone(contrast: float) -> NDArray[np.uint8]:
    x = (np.arange(256) / 255) ** 2 * _BRIGHTEST
    film = x * (1 + 0.18 * x) / (1 + x) * 1.32
    display = np.clip(film, 0, 1) ** (1 / 2.2)
    return (np.clip((display - 0.5) * contrast + 0.5, 0, 1) * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=64)
def _saturation(saturation: float) -> NDArray[np.float32]:
    luma = np.array([0.299, 0.587, 0.114])
    return ((1 - saturation) * np.tile(luma, (3, 1)) + saturation * np.eye(3)).astype(np.float32)


@lru_cache(maxsize=8)
def _noise_tile(height: int, width: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(9)
    shape = (height + _NOISE_SPARE, width + _NOISE_SPARE, 3)
    noise = rng.standard_normal(shape, np.float32)
    # Demosaicing correlates part of the noise over channels and neighbours.
    grey = cv2.GaussianBlur(noise.mean(2), (0, 0), 0.7)[..., None]
    noise = 0.75 * noise + 0.66 * grey / grey.std()
    return np.asarray(noise, np.float32)


@lru_cache(maxsize=64)
def _noise_strength(noise: float) -> NDArray[np.float32]:
    # Shot noise grows with the square root of the light; the display curve amplifies it in dark areas.
    linear = (np.arange(256) / 255) ** 2.2
    slope = np.clip(linear, 0.02, 1) ** (1 / 2.2 - 1) / 2.2
    return np.asarray(255 * noise * np.sqrt(linear * 0.6 + 0.02) * np.minimum(slope, 2.2), np.float32)
