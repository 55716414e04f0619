"""From points in a picture and where they are on the ground to the homography of a camera, with its error."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import DataError

MIN_POINTS = 4
"""A homography has eight unknowns, and each point gives two equations."""

THRESHOLD_M = 0.3
"""RANSAC: metres on the ground within which a point agrees. A larger one believes points that were set wrongly."""

MIN_AREA = 1e-3
"""Area of the points' convex hull, as a share of their bounding square, below which they lie on one line."""


@dataclass(frozen=True, slots=True)
class GroundPlane:
    """The ground plane of a camera.

    Attributes:
        rows: The homography from pixels to metres, three rows of three numbers.
        errors_m: Of each point: metres between where it was said to be and where the homography puts it.
        is_used: Of each point: whether the homography follows it; others were set wrongly, or the ground is not flat.
        back_px: Of each point: where its place on the ground is in the picture, pixels.
    """

    rows: list[list[float]]
    errors_m: list[float]
    is_used: list[bool]
    back_px: list[list[float]]


def ground_plane(pixels: Sequence[Sequence[float]], metres: Sequence[Sequence[float]]) -> GroundPlane:
    """Return the homography that takes points of a picture to their places on the ground.

    Hartley and Zisserman, Multiple View Geometry, 2004, chapter 4; outliers by RANSAC (Fischler and Bolles, 1981).

    Args:
        pixels: Points in the picture, ``(x, y)``.
        metres: Where each is on the ground, ``(x, y)``.

    Raises:
        DataError: If there are too few points, they lie on one line, or no homography fits.
    """
    source, target = np.array(pixels, np.float64), np.array(metres, np.float64)
    if len(source) < MIN_POINTS or source.shape != target.shape:
        raise DataError(
            f"points: expected at least {MIN_POINTS}, each in the picture and on the ground, got {len(source)}"
        )
    for name, points in (("in the picture", source), ("on the ground", target)):
        hull = cv2.contourArea(cv2.convexHull(points.astype(np.float32)))
        if hull <= MIN_AREA * max(float(np.ptp(points, axis=0).max()), 1e-9) ** 2:
            raise DataError(f"points: expected points that do not all lie on one line {name}; spread them")
    found, mask = cv2.findHomography(source, target, cv2.RANSAC, THRESHOLD_M)
    if found is None or mask is None or abs(np.linalg.det(found)) < 1e-12:
        raise DataError("points: no camera sees these points like this; check the numbers")
    errors = np.linalg.norm(_mapped(found, source) - target, axis=1)
    back = _mapped(np.linalg.inv(found), target)
    if not (np.isfinite(errors).all() and np.isfinite(back).all()):
        raise DataError("points: no camera sees these points like this; check the numbers")
    return GroundPlane(
        [[float(f"{value:.9g}") for value in row] for row in found.tolist()],
        errors.round(3).tolist(),
        [bool(used) for used in mask.ravel()],
        back.round(1).tolist(),
    )


def _mapped(homography: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = np.c_[points, np.ones(len(points))] @ homography.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(moved[:, :2] / moved[:, 2:], np.float64)
