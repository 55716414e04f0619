"""A few frames a second of each track of one camera, for the short film of a sighting."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.console.camera.best_pictures import Image, Rectangle, head_of
from pipeline.core import Frame, TrackId

FRAME_HW = (192, 112)
"""Height and width of a frame of a clip, pixels; larger frames need more disk space."""

AROUND = 1.25
"""Height of a frame in heights of the person's box; a larger one shows more of the surroundings."""

MAX_FRAMES = 12
"""Frames of one clip: six seconds at two a second. Longer parts of tracks lack their end."""

MAX_TRACKS = 64
"""Tracks whose clips are held at once; the oldest are dropped, which bounds memory at about 50 MB."""


@dataclass(slots=True)
class FrameClip:
    """Frames of one track.

    Attributes:
        captured_at: Unix seconds, event time, of each frame.
        frames: Each of shape ``(*FRAME_HW, 3)``, uint8, RGB.
        heads_xyxy: Heads of other people in each frame, each side in [0, 1] of the frame's size.
    """

    captured_at: list[float] = field(default_factory=list)
    frames: list[Image] = field(default_factory=list)
    heads_xyxy: list[list[Rectangle]] = field(default_factory=list)


class ClipBuffer:
    """Cuts out each track at a fixed rate.

    Args:
        rate_hz: Frames a second of event time; 0: no clips.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_s = 1 / rate_hz if rate_hz else float("inf")
        self._clips: OrderedDict[TrackId, FrameClip] = OrderedDict()
        self._last_at: dict[TrackId, float] = {}

    def see(self, frame: Frame, people: Mapping[TrackId, NDArray[np.float32]]) -> None:
        """Look at one frame.

        Args:
            frame: The frame.
            people: By track, a box of shape ``(4,)``, float32, pixels.
        """
        if self._period_s == float("inf"):
            return
        now = frame.stamp.captured_at
        self._last_at = {track_id: at for track_id, at in self._last_at.items() if track_id in people}
        for track_id in people:
            if now - self._last_at.get(track_id, -float("inf")) < self._period_s:
                continue
            self._last_at[track_id] = now
            clip = self._clips.setdefault(track_id, FrameClip())
            if len(clip.frames) < MAX_FRAMES:
                image, heads = _cut(frame, people, track_id)
                clip.captured_at.append(now)
                clip.frames.append(image)
                clip.heads_xyxy.append(heads)
        while len(self._clips) > MAX_TRACKS:
            self._clips.popitem(last=False)

    def take(self, track_id: TrackId) -> FrameClip | None:
        """Return the frames since the last call for this track, and drop them; None if there are none."""
        return self._clips.pop(track_id, None)


def _cut(
    frame: Frame, people: Mapping[TrackId, NDArray[np.float32]], track_id: TrackId
) -> tuple[Image, list[Rectangle]]:
    """Return a cut-out of a person with some surroundings, and the heads of others in it."""
    left, top, right, bottom = (float(side) for side in people[track_id])
    high = max(8.0, AROUND * (bottom - top))
    wide = high * FRAME_HW[1] / FRAME_HW[0]
    x0, y0 = (left + right - wide) / 2, (top + bottom - high) / 2
    height, width = frame.size_hw
    inside = frame.image[max(0, int(y0)) : min(height, int(y0 + high)), max(0, int(x0)) : min(width, int(x0 + wide))]
    canvas = np.zeros((*FRAME_HW, 3), np.uint8)
    scale = FRAME_HW[0] / high
    at_x, at_y = round(max(0.0, -x0) * scale), round(max(0.0, -y0) * scale)
    size = (
        min(FRAME_HW[1] - at_x, round(inside.shape[1] * scale)),
        min(FRAME_HW[0] - at_y, round(inside.shape[0] * scale)),
    )
    if inside.size and min(size) > 0:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[at_y : at_y + size[1], at_x : at_x + size[0]] = cv2.resize(inside, size, interpolation=method)
    heads = []
    for other, box in people.items():
        a, b, c, d = head_of(box.tolist())
        a, c = ((side - x0) / wide for side in (a, c))
        b, d = ((side - y0) / high for side in (b, d))
        if other != track_id and a < 1 and b < 1 and c > 0 and d > 0:
            heads.append((max(a, 0.0), max(b, 0.0), min(c, 1.0), min(d, 1.0)))
    return canvas, heads
