"""Draws people into the frames of one camera."""

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
import supervision as sv
from numpy.typing import NDArray

from connectors.pictures.drawing import INK, WHITE, Image, Stamp, lettering, number_tag, paste, person_color
from connectors.pictures.shape_painter import ShapePainter
from pipeline.alerts.zones import Line, Zone
from pipeline.core import FrameStamp

Foot = tuple[float, float, float]
"""Unix seconds, x, y in pixels."""


class PeoplePainter:
    """Draws zones, lines, boxes, numbers and fading trajectories; takes the frames of one camera in order.

    Args:
        camera_id: Written into the corner.
        trail_s: Seconds of a person's trajectory that are drawn.
        max_gap_s: Seconds of absence after which a trajectory starts again.
        zones: Drawn into every frame.
        lines: Drawn into every frame, with an arrow for each forbidden direction.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        trail_s: float,
        max_gap_s: float,
        zones: Sequence[Zone] = (),
        lines: Sequence[Line] = (),
    ) -> None:
        self._shapes = ShapePainter(camera_id, zones, lines)
        self._camera_id = camera_id
        self._trail_s = trail_s
        self._max_gap_s = max_gap_s
        self._trajectories: dict[int, deque[Foot]] = {}
        self._tags: dict[tuple[int, int], Stamp] = {}
        self._caption: tuple[str, Stamp] | None = None

    def paint(self, image: Image, stamp: FrameStamp, boxes: NDArray[np.void], *, scale: float) -> None:
        """Draw into an image, in place.

        Args:
            image: Shape ``(H, W, 3)``, RGB, writable: the scaled frame.
            stamp: Stamp of the frame.
            boxes: Shape ``(N,)``, dtype ``FINAL``: the people in the frame.
            scale: Pixels of the image per pixel of the frame.
        """
        unit = max(1.0, image.shape[0] / 720)
        self._shapes.paint(image, scale=scale, unit=unit)
        boxes_xyxy = boxes["box_xyxy"].astype(np.float64) * scale
        person_ids = boxes["person_id"].tolist()
        for person_id, (left, _, right, bottom) in zip(person_ids, boxes_xyxy.tolist(), strict=True):
            self._step(person_id, (stamp.captured_at, (left + right) / 2, bottom))
        self._draw_trajectories(image, stamp.captured_at, unit)
        if person_ids:
            self._draw_boxes(image, person_ids, boxes_xyxy, unit)
        self._write_caption(image, f"{self._camera_id}   {_minutes(stamp.captured_at)}", unit)

    def _step(self, person_id: int, foot: Foot) -> None:
        """Continue a person's trajectory, or start a new one."""
        trajectory = self._trajectories.setdefault(person_id, deque())
        if trajectory and foot[0] - trajectory[-1][0] > self._max_gap_s:
            trajectory.clear()
        trajectory.append(foot)

    def _draw_trajectories(self, image: Image, now: float, unit: float) -> None:
        """Draw where people walked recently; older parts are fainter."""
        for person_id in list(self._trajectories):
            trajectory = self._trajectories[person_id]
            while trajectory and now - trajectory[0][0] > self._trail_s:
                trajectory.popleft()
            if not trajectory:
                del self._trajectories[person_id]
            elif len(trajectory) > 1:
                self._draw_trajectory(image, trajectory, now, person_color(person_id), unit)

    def _draw_trajectory(
        self, image: Image, trajectory: deque[Foot], now: float, color: tuple[int, int, int], unit: float
    ) -> None:
        points = np.array([(x, y) for _, x, y in trajectory])
        margin = round(4 * unit)
        low = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + margin, (image.shape[1], image.shape[0]))
        if (high <= low).any():
            return
        opacity = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        # Sixteenths of a pixel: on whole pixels, the trajectory of a slow person would jitter.
        fixed = np.round((points - low) * 16).astype(np.int32)
        for (at, _, _), start, end in zip(list(trajectory)[1:], fixed[:-1], fixed[1:], strict=True):
            freshness = max(0.0, 1 - (now - at) / self._trail_s)
            thickness = max(1, round((1 + 2.5 * freshness) * unit))
            cv2.line(opacity, start.tolist(), end.tolist(), round(235 * freshness), thickness, cv2.LINE_AA, 4)
        alpha = opacity[:, :, None].astype(np.float32) / 255
        place = image[low[1] : high[1], low[0] : high[0]]
        place[:] = place * (1 - alpha) + np.array(color, np.float32) * alpha + 0.5

    def _draw_boxes(self, image: Image, person_ids: list[int], boxes_xyxy: NDArray[np.float64], unit: float) -> None:
        """Draw the boxes of one frame with their numbers."""
        # The annotators draw BGR images; red and blue are swapped in the colours instead of in the image.
        palette = sv.ColorPalette([sv.Color(*person_color(person_id)[::-1]) for person_id in person_ids])
        lookup = np.arange(len(person_ids))
        people = sv.Detections(xyxy=boxes_xyxy, class_id=lookup, tracker_id=np.array(person_ids))
        sv.RoundBoxAnnotator(color=palette, thickness=max(1, round(1.5 * unit)), roundness=0.35).annotate(
            image, people, custom_color_lookup=lookup
        )
        for person_id, (left, top, right, _) in zip(person_ids, boxes_xyxy.tolist(), strict=True):
            tag = self._tag(person_id, round(14 * unit))
            height, width = tag.image.shape[:2]
            x = min(max(round((left + right - width) / 2), 0), image.shape[1] - width)
            paste(image, tag, left=x, top=max(round(top) - height - round(3 * unit), 0))

    def _tag(self, person_id: int, font_px: int) -> Stamp:
        """Return the tag with a person's number; made once."""
        tag = self._tags.get((person_id, font_px))
        if tag is None:
            tag = self._tags[person_id, font_px] = number_tag(person_id, font_px=font_px)
        return tag

    def _write_caption(self, image: Image, text: str, unit: float) -> None:
        """Write the camera and the time into the lower left corner."""
        if self._caption is None or self._caption[0] != text:
            font_px = round(15 * unit)
            letters = lettering(text, font_px=font_px, ink=WHITE, background=INK, padding_px=font_px // 2)
            self._caption = (text, Stamp(letters.image, letters.opacity * 0.8))
        caption = self._caption[1]
        margin = round(10 * unit)
        paste(image, caption, left=margin, top=image.shape[0] - margin - caption.image.shape[0])


def _minutes(at: float) -> str:
    """Return the time since the start of a recording, or the time of day (UTC).

    Example:
        >>> _minutes(83.46), _minutes(1.7e9)
        ('1:23', '22:13:20')
    """
    if 0 <= at < 86400:
        return f"{int(at // 60)}:{int(at % 60):02}"
    seconds = int(at) % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
