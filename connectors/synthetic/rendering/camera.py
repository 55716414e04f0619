"""A pinhole camera in world coordinates."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.places.primitives import Point3
from connectors.synthetic.rendering.effects import CameraEffects
from pipeline.core.arrays import freeze
from pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Camera:
    """Position, view and image quality of a camera.

    Attributes:
        name: Unique in its place.
        position: Metres.
        target: World point at the image centre, metres.
        focal_px: Focal length in pixels; the principal point is the image centre.
        size_hw: Height and width, pixels.
        effects: From light to pixels.
        clock_offset_s: Seconds by which its clock is ahead.
    """

    name: str
    position: Point3
    target: Point3
    focal_px: float
    size_hw: tuple[int, int]
    effects: CameraEffects
    clock_offset_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.focal_px > 0 or min(self.size_hw) <= 0:
            raise ConfigError(
                f"camera {self.name}: expected focal length and size above 0, got {self.focal_px}, {self.size_hw}; "
                "enlarge them"
            )
        if math.dist(self.position[:2], self.target[:2]) < 1e-6:
            raise ConfigError(
                f"camera {self.name}: expected a target beside the point below it, got {self.target}; move it"
            )

    @property
    def rotation(self) -> NDArray[np.float64]:
        """World to camera, shape ``(3, 3)``: rows are right, down and forward."""
        return _rotation(self.position, self.target)

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """Camera to pixels, shape ``(3, 3)``; the centre of the upper left pixel is at (0.5, 0.5)."""
        height, width = self.size_hw
        return np.array([[self.focal_px, 0, width / 2], [0, self.focal_px, height / 2], [0, 0, 1]], np.float64)

    @property
    def to_ground(self) -> NDArray[np.float64]:
        """Homography from pixels to x, y on the ground in metres, shape ``(3, 3)``; lower right element 1."""
        rotation = self.rotation
        shift = -rotation @ np.asarray(self.position)
        to_pixels = self.intrinsics @ np.column_stack([rotation[:, 0], rotation[:, 1], shift])
        inverse: NDArray[np.float64] = np.linalg.inv(to_pixels)
        return inverse / inverse[2, 2]

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Project world points into the image.

        Args:
            points: Shape ``(N, 3)``, metres.

        Returns:
            Shape ``(N, 3)``: x and y in pixels, depth along the optical axis in metres. A point with
            a depth of 0 or less is behind the camera; its pixels are meaningless.
        """
        seen = (np.asarray(points, np.float64) - self.position) @ self.rotation.T
        depth = seen[:, 2:]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        height, width = self.size_hw
        return np.hstack([seen[:, :2] / safe * self.focal_px + (width / 2, height / 2), depth])

    def scaled(self, factor: float) -> "Camera":
        """Return the same view with ``factor`` times as many pixels along each side."""
        height, width = (round(side * factor) for side in self.size_hw)
        return replace(self, focal_px=self.focal_px * factor, size_hw=(height, width))


@lru_cache(maxsize=256)
def _rotation(position: Point3, target: Point3) -> NDArray[np.float64]:
    forward = np.subtract(target, position)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    freeze(rotation)
    return rotation
