"""What real cameras do to pictures, at random: light, colour, softness, noise, compression."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def distort_colour(image: Image, rng: np.random.Generator, *, strength: float = 1.0) -> Image:
    """Return the picture under another light, through another camera: gain, gamma, contrast, hue, saturation.

    Args:
        image: Shape ``(H, W, 3)``, BGR.
        rng: Decides.
        strength: 0 changes nothing, 1 all that cameras do to each other, and more.
    """
    levels = np.linspace(0, 1, 256)[:, None]
    gains = (1 + strength * rng.uniform(-0.35, 0.35)) * (1 + strength * rng.uniform(-0.12, 0.12, 3))
    gamma = np.exp(strength * rng.uniform(-0.35, 0.35))
    contrast = 1 + strength * rng.uniform(-0.4, 0.3)
    curve = (levels**gamma - 0.5) * contrast + 0.5 + strength * rng.uniform(-0.08, 0.08)
    table = np.clip(curve * gains * 255, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None]).astype(np.uint8)
    if rng.random() < 0.08 * strength:
        return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    if rng.random() < 0.7:
        image = np.asarray(cv2.transform(image, _colour_matrix(rng, strength)), np.uint8)
    return image


def _colour_matrix(rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
    """Return a turn of the hue by up to 15 degrees and another saturation, about the grey axis."""
    angle, saturation = np.deg2rad(strength * rng.uniform(-15, 15)), 1 + strength * rng.uniform(-0.65, 0.4)
    grey = np.full((3, 3), 1 / 3)
    # Turning about (1, 1, 1) / sqrt(3): Rodrigues' formula.
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * cross
    matrix: NDArray[np.float32] = (saturation * turn + grey).astype(np.float32)
    return matrix


def distort_detail(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture after a lens, a sensor and a codec: blur or fewer pixels, noise, JPEG.

    Args:
        image: Shape ``(H, W, 3)``.
        rng: Decides.
    """
    height, width = image.shape[:2]
    choice = rng.random()
    if choice < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
    elif choice < 0.3:
        kernel = np.zeros((7, 7), np.float32)
        reach = rng.integers(1, 4)
        kernel[3, 3 - reach : 4 + reach] = 1 / (2 * reach + 1)
        kernel = kernel.T if rng.random() < 0.3 else kernel
        image = np.asarray(cv2.filter2D(image, -1, kernel), np.uint8)
    elif choice < 0.55:
        share = rng.uniform(0.35, 0.85)
        small = cv2.resize(
            image, (max(2, round(width * share)), max(2, round(height * share))), interpolation=cv2.INTER_AREA
        )
        image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.4:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, 0, rng.uniform(1, 9))
        image = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
    if rng.random() < 0.4:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image


def swap_background(image: Image, mask: Image, other: Image) -> Image:
    """Return the person of one picture in front of another.

    Args:
        image: Shape ``(H, W, 3)``.
        mask: Shape ``(H, W)``: 255 where ``image`` shows the person, 0 elsewhere.
        other: Of the shape of ``image``.
    """
    # A pixel at the edge is a mixture, as where a lens sees both.
    share = cv2.GaussianBlur(mask, (3, 3), 0)[..., None].astype(np.float32) / 255
    return np.asarray(np.rint(image * share + other * (1 - share)), np.uint8)


def cover(image: Image, rng: np.random.Generator, *, share: tuple[float, float]) -> Image:
    """Return the picture with a rectangle of noise or of one colour over a part of it.

    Args:
        image: Shape ``(H, W, 3)``.
        rng: Decides.
        share: Least and greatest part of each side.

    Reference:
        Zhong et al., "Random Erasing Data Augmentation", arXiv:1708.04896.
    """
    height, width = image.shape[:2]
    rows, columns = (max(1, int(side * rng.uniform(*share))) for side in (height, width))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    image = image.copy()
    if rng.random() < 0.5:
        image[top : top + rows, left : left + columns] = rng.integers(0, 256, 3)
    else:
        image[top : top + rows, left : left + columns] = rng.integers(0, 256, (rows, columns, 3))
    return image
