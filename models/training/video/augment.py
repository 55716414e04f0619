"""What is done to training clips: the same to all frames, but for what hides a part of one.

Clips are uint8 ``(T, h, w, 3)``, keypoints ``(T, 17, 3)`` with x, y in [0, 1] of the crop.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.distortions import distort_colour
from models.training.pictures import Image
from models.training.video.sources import Keypoints
from pipeline.core.errors import ConfigError

MIRRORED = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
"""Keypoints after left and right are swapped."""
_MARGIN_PX = 10
_SCALE = 1.125
_MEAN_RGB = (124, 116, 104)
_ERASED_AREA, _ERASED_ASPECT, _ATTEMPTS = (0.02, 0.4), (0.3, 3.33), 100


def mirror(images: Image, keypoints: Keypoints) -> tuple[Image, Keypoints]:
    """Return a clip as in a mirror; left keypoints become right ones."""
    mirrored = keypoints[:, MIRRORED].copy()
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return images[:, :, ::-1], mirrored


def crop_padded(images: Image, keypoints: Keypoints, rng: np.random.Generator) -> tuple[Image, Keypoints]:
    """Return a clip moved by up to ten pixels each way, black behind it."""
    down, right = (int(v) for v in rng.integers(-_MARGIN_PX, _MARGIN_PX + 1, 2))
    return _warp(images, keypoints, scale=1.0, down=down, right=right)


def crop_scaled(images: Image, keypoints: Keypoints, rng: np.random.Generator) -> tuple[Image, Keypoints]:
    """Return, every other time, a piece of a clip that was made an eighth larger."""
    if rng.random() < 0.5:
        return images, keypoints
    height, width = images.shape[1:3]
    down, right = (-int(rng.integers(0, round(side * (_SCALE - 1)) + 1)) for side in (height, width))
    return _warp(images, keypoints, scale=_SCALE, down=down, right=right)


def erase(image: Image, rng: np.random.Generator) -> Image:
    """Return a picture, every other time with a rectangle of the mean colour somewhere in it.

    Reference:
        Zhong et al., "Random Erasing Data Augmentation", AAAI 2020, Algorithm 1.
    """
    if rng.random() < 0.5:
        return image
    height, width = image.shape[:2]
    for _ in range(_ATTEMPTS):
        area = rng.uniform(*_ERASED_AREA) * height * width
        aspect = rng.uniform(*_ERASED_ASPECT)
        rows, columns = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if rows < height and columns < width:
            top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
            erased = image.copy()
            erased[top : top + rows, left : left + columns] = _MEAN_RGB
            return erased
    return image


def augment(
    images: Image,
    keypoints: Keypoints,
    rng: np.random.Generator,
    *,
    flip: bool,
    crop: str,
    erasing: bool,
    colour: float = 0.0,
) -> tuple[Image, Keypoints]:
    """Return a clip as it is learnt from.

    Args:
        images: The clip.
        keypoints: On it.
        rng: Decides.
        flip: Mirror every other clip.
        crop: none; pad: move by up to ten pixels; scale: pieces of a larger one.
        erasing: Hide a rectangle of every other frame.
        colour: How far light and colours change, the same in all frames: 1 as between cameras, 0 not at all.

    Raises:
        ConfigError: If there is no such crop.
    """
    if crop not in ("none", "pad", "scale"):
        raise ConfigError(f"crop: expected none, pad or scale, got {crop!r}")
    if flip and rng.random() < 0.5:
        images, keypoints = mirror(images, keypoints)
    if crop != "none":
        images, keypoints = (crop_padded if crop == "pad" else crop_scaled)(images, keypoints, rng)
    if colour:
        # One tall picture is distorted alike everywhere.
        images = distort_colour(images.reshape(-1, *images.shape[2:]), rng, strength=colour).reshape(images.shape)
    return (np.stack([erase(image, rng) for image in images]) if erasing else images), keypoints


def _warp(images: Image, keypoints: Keypoints, *, scale: float, down: int, right: int) -> tuple[Image, Keypoints]:
    height, width = images.shape[1:3]
    # Pixel centres lie half a pixel in.
    half = (scale - 1) / 2
    matrix: NDArray[np.float64] = np.array([[scale, 0, right + half], [0, scale, down + half]])
    moved = [cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height)) for image in images]
    points = keypoints.copy()
    points[..., :2] = points[..., :2] * scale + np.array([right / width, down / height], np.float32)
    return np.stack(moved).astype(np.uint8), points
