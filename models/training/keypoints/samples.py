"""Training crops for the keypoint network: cut as a shaky detector cuts, letter-boxed, distorted."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.distortions import cover, distort_colour, distort_detail
from models.training.pictures import Image, Pictures
from models.training.worlds import World
from pipeline.core.errors import ConfigError

OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2

_MIRRORED = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
_JITTER = 0.09
_CUT_SHARE = 0.15
_COVER_SHARE = 0.3
_MAX_TURN_DEG = 12.0
_MAX_KEPT_HW = (288, 192)


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """A crop made to fit the network, with the keypoints of its person.

    Attributes:
        image: Shape ``(h, w, 3)``, uint8, BGR.
        points_xy: Shape ``(17, 2)``, float32, pixels of the image.
        visible: Shape ``(17,)``, int64: 0 outside, 1 hidden, 2 visible.
        height_px: Of the person's box in the image.
    """

    image: Image
    points_xy: NDArray[np.float32]
    visible: NDArray[np.int64]
    height_px: float


class KeypointSamples:
    """Crops of worlds with keypoints.

    Args:
        worlds: To draw from.
        input_hw: Height and width of the network's input, pixels.
        min_visible: Crops that show less of the person are left out.
        max_bytes: Of decoded crops.

    Raises:
        ConfigError: If nothing is left.
    """

    def __init__(
        self, worlds: Sequence[World], *, input_hw: tuple[int, int], min_visible: float, max_bytes: int
    ) -> None:
        self._input_hw = input_hw
        self._pictures = Pictures(worlds, "crop", max_bytes=max_bytes, fit=_shrink)
        points, boxes, usable = [], [], []
        for world in worlds:
            read = world.read("box_frame", "full_xyxy", "visibility", "keypoints", "crop_box", "crop_xyxy")
            box, cut = read["crop_box"], read["crop_xyxy"]
            # Everything in parts of the cut-out, which has been resized.
            sides = cut[:, 2:] - cut[:, :2]
            keypoints = read["keypoints"][box].copy()
            keypoints[..., :2] = (keypoints[..., :2] - cut[:, None, :2]) / sides[:, None]
            points.append(keypoints)
            boxes.append((read["full_xyxy"][box].reshape(-1, 2, 2) - cut[:, None, :2]) / sides[:, None])
            usable.append(read["visibility"][box] >= min_visible)
        self._points = np.concatenate([*points, np.empty((0, 17, 3), np.float32)])
        self._boxes = np.concatenate([*boxes, np.empty((0, 2, 2), np.float32)])
        self.rows = np.flatnonzero(np.concatenate(usable)) if usable else np.empty(0, np.intp)
        if worlds and not len(self.rows):
            raise ConfigError(f"data: expected crops with a visibility of {min_visible}, got none; lower min_visible")

    def draw(self, rng: np.random.Generator) -> Posed:
        """Return a training crop."""
        row = int(rng.choice(self.rows))
        box = self._boxes[row]
        side = box[1] - box[0]
        low = box[0] - rng.uniform(-_JITTER, _JITTER, 2) * side
        high = box[1] + rng.uniform(-_JITTER, _JITTER, 2) * side
        if rng.random() < _CUT_SHARE:
            high[1] = low[1] + rng.uniform(0.4, 0.75) * (high[1] - low[1])
        posed = self._letterbox(
            row,
            np.stack([low, high]).clip(0, 1),
            margin=rng.uniform(1.0, 1.2),
            turn_deg=rng.uniform(-_MAX_TURN_DEG, _MAX_TURN_DEG) if rng.random() < 0.4 else 0.0,
        )
        image, points, visible = posed.image, posed.points_xy, posed.visible
        if rng.random() < 0.5:
            image = np.ascontiguousarray(image[:, ::-1])
            points = (points * [-1, 1] + [image.shape[1] - 1, 0]).astype(np.float32)[_MIRRORED]
            visible = visible[_MIRRORED]
        image = distort_detail(distort_colour(image, rng), rng)
        if rng.random() < _COVER_SHARE:
            image = cover(image, rng, share=(0.2, 0.5))
        return Posed(image, points, visible, posed.height_px)

    def plain(self, row: int) -> Posed:
        """Return a crop as a perfect detector would have cut it."""
        return self._letterbox(row, self._boxes[row].clip(0, 1), margin=1.0, turn_deg=0.0)

    def _letterbox(self, row: int, window: NDArray[np.floating], *, margin: float, turn_deg: float) -> Posed:
        """Put a window of a crop, parts of it, into the middle of the input; black is what lies outside."""
        image = self._pictures[row]
        size = np.array(image.shape[1::-1], np.float32)
        low, high = np.round(window * size).astype(int)
        high = np.maximum(high, low + 2)
        inner = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        height, width = self._input_hw
        inner_wh = np.array(inner.shape[1::-1])
        scale = min(width / inner_wh[0], height / inner_wh[1]) / margin
        matrix = cv2.getRotationMatrix2D(tuple((inner_wh / 2).tolist()), turn_deg, scale)
        matrix[:, 2] += np.array([width, height]) / 2 - inner_wh / 2
        if scale < 0.5:
            inner = np.asarray(cv2.blur(inner, (int(1 / scale), int(1 / scale))), np.uint8)
        fitted = np.asarray(cv2.warpAffine(inner, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)
        points = self._points[row, :, :2] * size - low
        points = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        inside = ((points >= 0) & (points < [width, height])).all(1) & (
            (self._points[row, :, :2] >= window[0]) & (self._points[row, :, :2] <= window[1])
        ).all(1)
        visible = np.where(inside, self._points[row, :, 2].astype(np.int64), OUTSIDE)
        box = self._boxes[row]
        return Posed(fitted, points, visible, float((box[1, 1] - box[0, 1]) * size[1] * scale))


def _shrink(image: Image) -> Image:
    """Return the crop no larger than is of use."""
    scale = min(1.0, *(most / side for most, side in zip(_MAX_KEPT_HW, image.shape[:2], strict=True)))
    if scale == 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
