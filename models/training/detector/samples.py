"""Training pictures for the detector: mosaics of rendered frames at any scale, with people pasted in.

Reference:
    Mosaic: Bochkovskiy et al., "YOLOv4", arXiv:2004.10934; copy and paste: Ghiasi et al., arXiv:2012.07177 (here
    with soft-edged rectangles instead of silhouettes).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.distortions import distort_colour, distort_detail
from models.training.pictures import Image, Pictures
from models.training.worlds import World
from pipeline.camera.detection import PADDING

_HEIGHTS_PX = (15.0, 250.0)
_MAX_SCALE = 2.5
_ELSEWHERE = 0.25
_AT_FALSE_BOXES = 0.15
_MIN_VISIBLE = 0.3
_MIN_LEFT = 0.35
_MIN_HEIGHT_PX = 10.0

PERSON, IGNORED = 1, -1


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A picture with the boxes of all people in it.

    Attributes:
        image: Shape ``(H, W, 3)``, uint8, BGR.
        boxes_xyxy: Shape ``(G, 4)``, float32, pixels.
        kinds: Shape ``(G,)``, int64: 1 a person, -1 too little of one to say.
    """

    image: Image
    boxes_xyxy: NDArray[np.float32]
    kinds: NDArray[np.int64]


class DetectorSamples:
    """Frames of worlds and what training makes of them.

    Args:
        worlds: To draw from.
        input_hw: Height and width of the pictures, pixels.
        max_bytes: Of decoded frames.
        false_boxes: Shape ``(M, 5)``, row of the frame and a box in its pixels: a part of the
            views centre on one, see ``hard_examples``.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        *,
        input_hw: tuple[int, int],
        max_bytes: int,
        false_boxes: NDArray[np.float32] | None = None,
    ) -> None:
        self._pictures = Pictures(worlds, "frame", max_bytes=max_bytes)
        self._input_hw = input_hw
        self._false_boxes = np.empty((0, 5), np.float32) if false_boxes is None else false_boxes
        self._boxes: list[NDArray[np.float32]] = []
        self._kinds: list[NDArray[np.int64]] = []
        for world in worlds:
            arrays = world.read("frame_camera", "box_frame", "full_xyxy", "visibility")
            kinds = np.where(arrays["visibility"] < _MIN_VISIBLE, IGNORED, PERSON)
            for frame in range(len(arrays["frame_camera"])):
                rows = np.flatnonzero(arrays["box_frame"] == frame)
                self._boxes.append(arrays["full_xyxy"][rows])
                self._kinds.append(kinds[rows])

    def __len__(self) -> int:
        return len(self._pictures)

    def frame(self, row: int) -> Labelled:
        """Return a frame as it was rendered."""
        return Labelled(self._pictures[row], self._boxes[row], self._kinds[row])

    def draw(self, rng: np.random.Generator) -> Labelled:
        """Return a training picture: one, two or four pieces, distorted."""
        height, width = self._input_hw
        tiles = [(0, 0, height, width)]
        choice = rng.random()
        if choice < 0.55:
            x = round(width * rng.uniform(0.3, 0.7))
            tiles = [(0, 0, height, x), (0, x, height, width)]
            if choice < 0.35:
                y = round(height * rng.uniform(0.3, 0.7))
                tiles = [
                    piece for _, left, _, right in tiles for piece in ((0, left, y, right), (y, left, height, right))
                ]
        canvas = np.full((height, width, 3), PADDING, np.uint8)
        pieces = [self._place(canvas, tile, rng) for tile in tiles]
        boxes, kinds = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        if rng.random() < 0.3:
            boxes, kinds = self._paste(canvas, boxes, kinds, rng)
        return Labelled(distort_detail(canvas, rng), boxes, kinds)

    def _place(
        self, canvas: Image, tile: tuple[int, int, int, int], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Fill a tile (top, left, bottom, right) of the canvas; return the boxes in it."""
        looked_at = None
        row = int(rng.integers(len(self)))
        if len(self._false_boxes) and rng.random() < _AT_FALSE_BOXES:
            row, looked_at = self._false_box(rng)
        frame = self.frame(row)
        top, left, bottom, right = tile
        scale, (x, y) = self._view(frame, (bottom - top, right - left), looked_at, rng)
        stretch = rng.uniform(0.9, 1.1)
        flip = rng.random() < 0.5
        # Frame to tile: the point x, y of the frame comes to the middle.
        matrix = np.array([[scale * stretch, 0, 0], [0, scale, 0]], np.float32)
        matrix[0, 0] *= -1 if flip else 1
        matrix[:, 2] = (right - left) / 2 - matrix[0, 0] * x, (bottom - top) / 2 - scale * y
        source = distort_colour(frame.image, rng)
        if scale < 0.5:
            # Linear sampling below half size would show moiré that no camera shows.
            shrink = 2.0 * scale
            source = np.asarray(cv2.resize(source, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
            factors = [frame.image.shape[axis] / source.shape[axis] for axis in (1, 0)]
            warp = matrix * np.array([*factors, 1], np.float32)
        else:
            warp = matrix
        canvas[top:bottom, left:right] = cv2.warpAffine(
            source, warp, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3
        )
        corners = frame.boxes_xyxy.reshape(-1, 2, 2) * matrix[[0, 1], [0, 1]] + matrix[:, 2]
        whole = np.concatenate([corners.min(1), corners.max(1)], axis=1)
        limits = np.array([right - left, bottom - top] * 2, np.float32)
        cut = np.clip(whole, 0, limits)
        sides, cut_sides = whole[:, 2:] - whole[:, :2], cut[:, 2:] - cut[:, :2]
        remaining = cut_sides.prod(1) / np.maximum(sides.prod(1), 1e-6)
        unsure = (remaining < _MIN_LEFT) | (cut_sides[:, 1] < _MIN_HEIGHT_PX)
        kinds = np.where(unsure, IGNORED, frame.kinds)
        seen = cut_sides.min(1) > 1
        return (cut + np.array([left, top, left, top], np.float32)).astype(np.float32)[seen], kinds[seen]

    def _false_box(self, rng: np.random.Generator) -> tuple[int, NDArray[np.float32]]:
        """Return a frame and a false box in it."""
        row, *box = self._false_boxes[rng.integers(len(self._false_boxes))]
        return int(row), np.array(box, np.float32)

    def _view(
        self,
        frame: Labelled,
        tile_hw: tuple[int, int],
        looked_at: NDArray[np.float32] | None,
        rng: np.random.Generator,
    ) -> tuple[float, NDArray[np.float64]]:
        """Return a scale that gives a person, or the false box, the height that was drawn, and the centre of the view.

        A quarter of the time the centre is any point, so that places without people are seen as well.
        """
        height, width = frame.image.shape[:2]
        if looked_at is None and (len(frame.boxes_xyxy) == 0 or rng.random() < _ELSEWHERE):
            scale = float(np.exp(rng.uniform(np.log(0.5), np.log(1.5))))
            middle = rng.random(2) * (width, height)
        else:
            box = frame.boxes_xyxy[rng.integers(len(frame.boxes_xyxy))] if looked_at is None else looked_at
            tallest = min(_HEIGHTS_PX[1], 0.9 * tile_hw[0])
            wanted = np.exp(rng.uniform(np.log(_HEIGHTS_PX[0]), np.log(tallest)))
            scale = min(wanted / max(float(box[3] - box[1]), 1.0), _MAX_SCALE)
            middle = (box[:2] + box[2:]) / 2
        shown = np.array(tile_hw[::-1]) / scale
        middle = middle + rng.uniform(-0.4, 0.4, 2) * shown
        # No more beyond the frame's edges than needed.
        size = np.array([width, height])
        low, high = np.minimum(shown / 2, size / 2), np.maximum(size - shown / 2, size / 2)
        return scale, np.clip(middle, low, high)

    def _paste(
        self,
        canvas: Image,
        boxes: NDArray[np.float32],
        kinds: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Paste a person of another frame onto the canvas, or as often a random cut-out."""
        frame = self.frame(int(rng.integers(len(self))))
        whole = np.flatnonzero(frame.kinds == PERSON)
        is_person = len(whole) > 0 and rng.random() < 0.6
        if is_person:
            left, top, right, bottom = np.round(frame.boxes_xyxy[rng.choice(whole)]).astype(int)
        else:
            left, top = (int(rng.integers(side // 2)) for side in frame.image.shape[1::-1])
            right, bottom = left + int(rng.integers(16, 80)), top + int(rng.integers(24, 160))
            overlaps = np.minimum(frame.boxes_xyxy[:, 2:], [right, bottom]) - np.maximum(
                frame.boxes_xyxy[:, :2], [left, top]
            )
            if (overlaps.min(1, initial=1) > 0).any():
                return boxes, kinds
        piece = frame.image[max(top, 0) : bottom, max(left, 0) : right]
        if min(piece.shape[:2]) < 6:
            return boxes, kinds
        scale = min(
            1.5, rng.uniform(20, 0.7 * canvas.shape[0]) / piece.shape[0], 0.7 * canvas.shape[1] / piece.shape[1]
        )
        width, height = (max(2, round(side * scale)) for side in piece.shape[1::-1])
        piece = distort_colour(
            np.asarray(cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA), np.uint8), rng
        )
        x, y = (
            int(rng.integers(whole - part)) for whole, part in zip(canvas.shape[1::-1], (width, height), strict=True)
        )
        mask = np.zeros((height + 2, width + 2), np.float32)
        mask[1:-1, 1:-1] = 1
        edge = max(1.0, 0.06 * min(width, height))
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), edge), np.float32)[1:-1, 1:-1, None]
        region = canvas[y : y + height, x : x + width]
        region[:] = (region * (1 - mask) + piece * mask).astype(np.uint8)
        pasted = np.array([[x, y, x + width, y + height]], np.float32)
        shared = np.minimum(boxes[:, 2:], pasted[:, 2:]) - np.maximum(boxes[:, :2], pasted[:, :2])
        hidden = np.maximum(shared, 0).prod(1) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6)
        kinds = np.where(hidden > 1 - _MIN_VISIBLE, IGNORED, kinds)
        if not is_person:
            return boxes, kinds
        return np.concatenate([boxes, pasted]), np.append(kinds, PERSON if height >= _MIN_HEIGHT_PX else IGNORED)
