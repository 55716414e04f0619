"""One size for all frames of a camera: zones, lines, the ground plane and tracks are in pixels of the first one."""

import logging

import cv2
import numpy as np

from pipeline.camera.detection import PADDING
from pipeline.core import Frame

logger = logging.getLogger(__name__)

SAME_SHAPE = 0.02
"""Relative difference of the aspect ratios up to which a picture only changed its resolution.

More hide that a camera was turned; less take the rounding of odd sizes for that.
"""


class SteadySize:
    """Brings the frames of a camera to the size of its first frame.

    A picture of another resolution is scaled, so zones show the same places. One of another shape is scaled to fit and
    padded with grey, so people keep their proportions, but zones show other places, which is said, once for each size.

    Args:
        camera_id: The camera, for messages.

    Attributes:
        size_hw: Height and width of the first frame, pixels; None before it.
    """

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self.size_hw: tuple[int, int] | None = None
        self._newest_hw: tuple[int, int] | None = None
        self._said: set[tuple[int, int]] = set()

    def keep(self, size_hw: tuple[int, int]) -> None:
        """Learn the size of the first frame, which another process read; height and width, pixels."""
        self.size_hw = size_hw

    def fitted(self, frame: Frame) -> Frame:
        """Return a frame in the size of the first one."""
        if self.size_hw is None:
            self.size_hw = frame.size_hw
        if frame.size_hw != (self._newest_hw or self.size_hw):
            self._state_change(frame.size_hw)
        self._newest_hw = frame.size_hw
        if frame.size_hw == self.size_hw:
            return frame
        height, width = self.size_hw
        scale = min(height / frame.size_hw[0], width / frame.size_hw[1])
        size_wh = (width, height)
        if not self._has_shape(frame.size_hw):
            size_wh = max(1, round(frame.size_hw[1] * scale)), max(1, round(frame.size_hw[0] * scale))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.full((height, width, 3), PADDING, np.uint8)
        image[: size_wh[1], : size_wh[0]] = cv2.resize(frame.image, size_wh, interpolation=interpolation)
        return Frame(frame.stamp, image)

    def _has_shape(self, size_hw: tuple[int, int]) -> bool:
        assert self.size_hw is not None
        ratio = size_hw[1] * self.size_hw[0] / (size_hw[0] * self.size_hw[1])
        return abs(ratio - 1) <= SAME_SHAPE

    def _state_change(self, size_hw: tuple[int, int]) -> None:
        assert self.size_hw is not None
        if size_hw in self._said:
            return
        self._said.add(size_hw)
        (height, width), (first_height, first_width) = size_hw, self.size_hw
        if size_hw == self.size_hw:
            logger.warning("camera %s: the picture is %dx%d again, as at first", self._camera_id, width, height)
            return
        what = (
            "it is scaled to that size, where zones and lines are"
            if self._has_shape(size_hw)
            else "it is fitted into that size, and zones, lines and ground show other places now; draw them again"
        )
        logger.warning(
            "camera %s: the picture is %dx%d now, and was %dx%d at first: %s",
            self._camera_id,
            width,
            height,
            first_width,
            first_height,
            what,
        )
