"""The best picture of each track of one camera."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core import Frame, TrackId, boxes

Image = NDArray[np.uint8]
Rectangle = tuple[float, float, float, float]

HEAD = 0.22
"""Share of a person's box, from the top, that holds head and face; a larger share blurs more of the shoulders."""

BETTER = 1.15
"""Factor by which a new picture's quality must exceed the current one to replace it; a larger one copies less often."""

LOOK_EVERY_S = 0.25
"""Seconds of event time between two looks at known tracks. A track without a picture is looked at in every frame."""

MAX_HEIGHT_PX = 320
"""Height of a picture, pixels; larger cut-outs are scaled down. A larger value needs more disk space."""

MAX_TRACKS = 400
"""Tracks whose pictures are held at once; the oldest are dropped, which bounds memory at about 50 MB."""

MARGIN = 0.04
"""Share of a person's height that is shown around the box."""


@dataclass(frozen=True, slots=True)
class BestPicture:
    """A cut-out of one person.

    Attributes:
        captured_at: Unix seconds, event time.
        quality: Higher is better.
        image: Shape ``(h, w, 3)``, uint8, RGB.
        heads_xyxy: Heads of other people in the picture, each side in [0, 1] of its size.
    """

    captured_at: float
    quality: float
    image: Image
    heads_xyxy: tuple[Rectangle, ...]


@dataclass(slots=True)
class BestPictures:
    """Looks at each track a few times a second, and copies only a picture that is better than the one it has."""

    _best: dict[TrackId, BestPicture] = field(default_factory=dict)
    _looked_at: float = -inf
    _order: deque[TrackId] = field(default_factory=deque)

    def see(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Look at one frame.

        Args:
            frame: The frame.
            people: By track, a box of shape ``(4,)``, float32, pixels.
        """
        now = frame.stamp.captured_at
        if not people or (now < self._looked_at + LOOK_EVERY_S and people.keys() <= self._best.keys()):
            return
        self._looked_at = now
        boxes_xyxy = np.stack(list(people.values()))
        for row, (track_id, quality) in enumerate(zip(people, _qualities(boxes_xyxy, frame.size_hw), strict=True)):
            best = self._best.get(track_id)
            if best is not None and quality < best.quality * BETTER:
                continue
            picture = _cut(frame, boxes_xyxy, row, float(quality))
            if picture is None:
                continue
            if best is None:
                self._order.append(track_id)
            self._best[track_id] = picture
        while len(self._order) > MAX_TRACKS:
            self._best.pop(self._order.popleft(), None)

    def take(self, track_id: TrackId) -> BestPicture | None:
        """Return the best picture since the last call for this track, and drop it; None if there is none."""
        best = self._best.pop(track_id, None)
        if best is not None:
            self._order.remove(track_id)
        return best


def head_of(box_xyxy: Sequence[float]) -> Rectangle:
    """Return the rectangle of a person's head, pixels of the frame.

    Example:
        >>> head_of((0, 0, 10, 100))
        (0.0, 0.0, 10.0, 22.0)
    """
    left, top, right, bottom = (float(side) for side in box_xyxy)
    return left, top, right, top + HEAD * (bottom - top)


def blurred(image: Image, rectangles_xyxy: Sequence[Rectangle]) -> Image:
    """Return a copy in which these rectangles, in pixels, are unrecognisable."""
    result = image.copy()
    height, width = image.shape[:2]
    for left, top, right, bottom in rectangles_xyxy:
        part = np.s_[max(0, int(top)) : min(height, int(bottom) + 1), max(0, int(left)) : min(width, int(right) + 1)]
        inside = result[part]
        if inside.size:
            # Nine colours replace a face, because a mere blur can be inverted.
            few = cv2.resize(inside, (3, 3), interpolation=cv2.INTER_AREA)
            result[part] = cv2.resize(few, inside.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return result


def encoded(image: Image, quality: int) -> bytes:
    """Return an RGB image as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def _qualities(boxes_xyxy: NDArray[np.float32], frame_hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return the quality of each box as a picture: high if it is large, inside the frame and not covered."""
    area = boxes.area(boxes_xyxy)
    inside = boxes.area(boxes.clip(boxes_xyxy, frame_hw)) / np.maximum(area, 1)
    overlap = boxes.intersection_matrix(boxes_xyxy, boxes_xyxy)
    np.fill_diagonal(overlap, 0)
    covered = np.clip(overlap.max(axis=1) / np.maximum(area, 1), 0, 1)
    at_border = (boxes_xyxy[:, :2] <= 1).any(axis=1) | (boxes_xyxy[:, 2:] >= np.array(frame_hw[::-1]) - 1).any(axis=1)
    quality: NDArray[np.float32] = (
        np.sqrt(np.maximum(area, 1)) * inside * (1 - 0.8 * covered) * np.where(at_border, 0.5, 1)
    )
    return quality


def _cut(frame: Frame, boxes_xyxy: NDArray[np.float32], row: int, quality: float) -> BestPicture | None:
    left, top, right, bottom = (float(side) for side in boxes_xyxy[row])
    margin = MARGIN * (bottom - top)
    height, width = frame.size_hw
    x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
    x1, y1 = min(width, int(right + margin) + 1), min(height, int(bottom + margin) + 1)
    if x1 - x0 < 4 or y1 - y0 < 8:
        return None
    inside = frame.image[y0:y1, x0:x1]
    scale = MAX_HEIGHT_PX / inside.shape[0]
    if scale < 1:
        size = (max(1, round(inside.shape[1] * scale)), MAX_HEIGHT_PX)
        image = np.asarray(cv2.resize(np.ascontiguousarray(inside), size, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        image = inside.copy()
    heads = []
    for other, box in enumerate(boxes_xyxy):
        a, b, c, d = head_of(box.tolist())
        a, c = ((side - x0) / (x1 - x0) for side in (a, c))
        b, d = ((side - y0) / (y1 - y0) for side in (b, d))
        if other != row and a < 1 and b < 1 and c > 0 and d > 0:
            heads.append((max(a, 0.0), max(b, 0.0), min(c, 1.0), min(d, 1.0)))
    return BestPicture(frame.stamp.captured_at, quality, image, tuple(heads))
