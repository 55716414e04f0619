"""Real footage to score with, never to learn from: PETS 2009 S2.L1, View 001.

For re-ID its left and its right half are two cameras. Only people are taken who stand alone, wholly in one half.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.pictures import Image
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError
from pipeline.evaluation.truth import read_pets

_CROPS_EVERY = 5
_MIN_CROPS = 4
_MIDDLE_X = 384.0
_FREE_PX = 10.0
_ALONE = 0.8
CROP_HW = (128, 64)
"""Crops are brought to this size first, as in the published measurements."""


@dataclass(frozen=True, slots=True, eq=False)
class HalfCrops:
    """Crops of people in either half.

    Attributes:
        crops: Shape ``(N, 128, 64, 3)``, uint8, RGB; those of one person in one half lie together.
        boxes_xyxy: Shape ``(N, 4)``, float32, pixels of the frame.
        person_ids: Shape ``(N,)``, int64.
        halves: Shape ``(N,)``, int64: 0 left, 1 right.
        frame_hw: Height and width of the frames, pixels.
    """

    crops: Image
    boxes_xyxy: NDArray[np.float32]
    person_ids: NDArray[np.int64]
    halves: NDArray[np.int64]
    frame_hw: tuple[int, int]


def read_frames(video: Path, *, every: int) -> Iterator[Frame]:
    """Yield every so many frames.

    Raises:
        ConfigError: If there is no such video.
    """
    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise ConfigError(
                f"{video}: expected a video, got none; configs/site/pets.yaml says where it is published and goes"
            )
        index = 0
        while capture.grab():
            if index % every == 0:
                image = np.ascontiguousarray(capture.retrieve()[1][..., ::-1])
                yield Frame(FrameStamp("view_001", index, index / 10), np.asarray(image, np.uint8))
            index += 1
    finally:
        capture.release()


def read_half_crops(video: Path, truth: Path) -> HalfCrops:
    """Return the crops of each person who has at least four in a half.

    Raises:
        ConfigError: If a file is absent.
        DataError: If the truth is none.
    """
    table = read_pets(truth)
    rows_by_frame = table.rows_by_frame()
    found: dict[tuple[int, int], list[tuple[Image, NDArray[np.float32]]]] = {}
    frame_hw = (0, 0)
    for frame in read_frames(video, every=_CROPS_EVERY):
        frame_hw = frame.size_hw
        rows = rows_by_frame.get(frame.stamp.index, np.empty(0, np.intp))
        for row in rows[stand_alone(table.boxes_xyxy[rows])]:
            left, top, right, bottom = np.round(table.boxes_xyxy[row]).astype(int)
            half = 0 if right < _MIDDLE_X - _FREE_PX else 1 if left > _MIDDLE_X + _FREE_PX else None
            if half is None or left < 0 or top < 0 or right >= frame_hw[1] or bottom >= frame_hw[0]:
                continue
            cut = frame.image[top:bottom, left:right]
            crop = np.asarray(cv2.resize(cut, CROP_HW[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            found.setdefault((int(table.ids[row]), half), []).append((crop, table.boxes_xyxy[row]))
    kept = [(*key, *crop) for key, crops in found.items() if len(crops) >= _MIN_CROPS for crop in crops]
    people, halves, crops, boxes = zip(*kept, strict=True)
    return HalfCrops(np.stack(crops), np.stack(boxes), np.array(people), np.array(halves), frame_hw)


def stand_alone(boxes_xyxy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the people who stand apart from all others; boxes may overlap by a fifth."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    near: NDArray[np.bool_] = np.all(
        np.abs(centres[:, None] - centres) < (sides[:, None] + sides) / 2 * _ALONE, axis=-1
    )
    np.fill_diagonal(near, val=False)
    alone: NDArray[np.bool_] = ~np.any(near, axis=1)
    return alone
