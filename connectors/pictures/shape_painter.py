"""Draws the zones and lines of alert rules into the frames of one camera."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.pictures.drawing import INK, WHITE, Image, Stamp, lettering, paste
from pipeline.alerts.zones import Crossing, Line, Zone

ZONE_COLOR, LINE_COLOR = (255, 196, 0), (255, 64, 64)
"""RGB."""
OPACITY = 0.14
"""Of the area of a zone, 0 to 1. Higher values hide more of the picture."""
ARROW = 0.18
"""Length of an arrow over a line, as a fraction of the line."""

SIDES = {
    Crossing.LEFT_TO_RIGHT: (1,),
    Crossing.RIGHT_TO_LEFT: (-1,),
    Crossing.BOTH: (1, -1),
    Crossing.NEITHER: (),
}
"""Arrows over a line, by its forbidden directions: 1 points to the right, looking from its first end to the second."""


class ShapePainter:
    """Draws zones as tinted areas, and lines with an arrow for each forbidden direction; both with their names.

    Args:
        camera_id: The camera; shapes that it does not see are left out.
        zones: Of the site.
        lines: Of the site.
    """

    def __init__(self, camera_id: str, zones: Sequence[Zone], lines: Sequence[Line]) -> None:
        self._camera_id = camera_id
        self._zones = [zone for zone in zones if camera_id in zone.frame.camera_ids]
        self._lines = [line for line in lines if camera_id in line.frame.camera_ids]
        self._names: dict[tuple[str, int], Stamp] = {}

    def paint(self, image: Image, *, scale: float, unit: float) -> None:
        """Draw into an image, in place.

        Args:
            image: Shape ``(H, W, 3)``, RGB, writable: the scaled frame.
            scale: Pixels of the image per pixel of the frame.
            unit: Thickness of a line, pixels.
        """
        frame_hw = (round(image.shape[0] / scale), round(image.shape[1] / scale))
        for zone in self._zones:
            self._draw_zone(image, zone.frame.pixels(self._camera_id, zone.polygon, frame_hw) * scale, zone.name, unit)
        for line in self._lines:
            self._draw_line(image, line.frame.pixels(self._camera_id, line.ends, frame_hw) * scale, line, unit)

    def _draw_zone(self, image: Image, corners: NDArray[np.float64], name: str, unit: float) -> None:
        if not np.isfinite(corners).all():
            return  # it reaches behind the camera
        points = corners.round().astype(np.int32)
        tinted = image.copy()
        cv2.fillPoly(tinted, [points], ZONE_COLOR)
        cv2.addWeighted(tinted, OPACITY, image, 1 - OPACITY, 0, dst=image)
        cv2.polylines(image, [points], True, ZONE_COLOR, round(unit), cv2.LINE_AA)
        self._write(image, name, corners[corners[:, 1].argmin()], unit)

    def _draw_line(self, image: Image, ends: NDArray[np.float64], line: Line, unit: float) -> None:
        if not np.isfinite(ends).all():
            return
        along = ends[1] - ends[0]
        # On the screen, y points down: this is the right-hand side, looking from the first end to the second.
        right = np.array([-along[1], along[0]]) * ARROW
        middle = ends.mean(axis=0)
        start, end = ends.round().astype(int).tolist()
        cv2.line(image, start, end, LINE_COLOR, round(2 * unit), cv2.LINE_AA)
        for side in SIDES[line.forbidden]:
            tail, head = np.array([middle, middle + side * right]).round().astype(int).tolist()
            cv2.arrowedLine(image, tail, head, LINE_COLOR, round(2 * unit), cv2.LINE_AA, tipLength=0.35)
        self._write(image, line.name, ends[0], unit)

    def _write(self, image: Image, name: str, at: NDArray[np.float64], unit: float) -> None:
        font_px = round(12 * unit)
        stamp = self._names.get((name, font_px))
        if stamp is None:
            letters = lettering(name, font_px=font_px, ink=WHITE, background=INK, padding_px=font_px // 3)
            stamp = self._names[name, font_px] = Stamp(letters.image, letters.opacity * 0.7)
        height, width = stamp.image.shape[:2]
        left = min(max(round(float(at[0])), 0), max(image.shape[1] - width, 0))
        top = min(max(round(float(at[1])) - height, 0), max(image.shape[0] - height, 0))
        paste(image, stamp, left=left, top=top)
