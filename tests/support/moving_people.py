"""A detector that costs next to nothing: whatever differs from the empty place of a fixed camera."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from scipy import ndimage

from pipeline.core import Detections, LetterboxedFrame

DEMO = Path(__file__).resolve().parents[2] / "connectors/synthetic/demo"
MIN_CHANGE = 30
"""Sum of three channels from which a pixel shows somebody. Of a larger one dark clothes have holes."""
MIN_PIXELS = 60
"""Of a person, in a picture of half the width. Fewer let noise through."""


class MovingPeopleDetector:
    """People of the cameras of the demo; takes and ignores the options of other detectors."""

    input_hw = (384, 640)
    calls = 0

    def __init__(self, **_: Any) -> None:
        self._empty = {path.stem: _empty_place(path) for path in DEMO.glob("*.mp4")}

    @staticmethod
    def preflight(**_: Any) -> None: ...

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        return [self._people(frame) for frame in frames]

    def _people(self, frame: LetterboxedFrame) -> Detections:
        empty = self._empty[frame.stamp.camera_id]
        small = frame.image[: 2 * len(empty) : 2, ::2].astype(np.int16)
        is_somebody = ndimage.binary_closing(np.abs(small - empty).sum(axis=2) > MIN_CHANGE, np.ones((9, 3)))
        labels, _ = ndimage.label(is_somebody)
        sizes = np.bincount(labels.ravel())
        boxes = [
            (2 * across.start, 2 * down.start, 2 * across.stop, 2 * down.stop)
            for number, (down, across) in enumerate(ndimage.find_objects(labels), 1)
            if sizes[number] >= MIN_PIXELS and down.stop - down.start > across.stop - across.start
        ]
        xyxy = np.array(boxes, np.float32).reshape(-1, 4) / np.float32(frame.scale)
        return Detections(frame.stamp, xyxy, np.full(len(boxes), 0.9, np.float32))


def _empty_place(path: Path) -> np.ndarray:
    """Return the median of some pictures at half the width, shape ``(h, w, 3)``, int16."""
    with av.open(str(path)) as file:
        pictures = [
            frame.to_ndarray(format="rgb24")[::2, ::2] for i, frame in enumerate(file.decode(video=0)) if i % 20 == 0
        ]
    return np.median(np.stack(pictures), axis=0).astype(np.int16)
