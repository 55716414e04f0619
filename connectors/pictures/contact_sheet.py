"""One image of all people: a row for each person, a column for each camera."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.pictures.drawing import GREY, INK, Image, lettering, number_tag, paste, person_color, rounded
from pipeline.core import boxes as box_geometry

CROP_HW = (176, 80)
"""Height and width of a crop on the sheet, pixels."""
PAPER = (250, 250, 247)
LINE = (228, 228, 222)
EMPTY = (240, 240, 235)
MARGIN = 40
GAP = 8
COLUMN_GAP = 36
ROW_GAP = 22
NAME_WIDTH = 150
HEADER_HEIGHT = 132
CORNER = 9


@dataclass(frozen=True, slots=True)
class CropPlace:
    """Where in the footage a good crop of a person is.

    Attributes:
        camera_id: The camera.
        index: The frame.
        person_id: The person.
        box_xyxy: Shape ``(4,)``, float32, pixels of the frame.
    """

    camera_id: str
    index: int
    person_id: int
    box_xyxy: NDArray[np.float32]


def choose_crops(
    camera_id: str, boxes: NDArray[np.void], *, frame_hw: tuple[int, int], num_crops: int
) -> list[CropPlace]:
    """Return the best crops of each person in one camera, spread over the time that the person was there.

    A crop is good if its box is large, has a high score, is inside the frame, and shows no other person.

    Args:
        camera_id: The camera.
        boxes: Shape ``(N,)``, dtype ``FINAL``, ordered by frame.
        frame_hw: Height and width of the frames, pixels.
        num_crops: Crops of each person, at most.
    """
    goodness = _goodness(boxes, frame_hw)
    places = []
    for person_id in np.unique(boxes["person_id"]).tolist():
        rows = np.flatnonzero((boxes["person_id"] == person_id) & ~boxes["is_filled"])
        for span in np.array_split(rows, num_crops):
            if len(span):
                best = boxes[span[np.argmax(goodness[span])]]
                places.append(CropPlace(camera_id, int(best["index"]), person_id, best["box_xyxy"].copy()))
    return places


def cut(image: Image, box_xyxy: NDArray[np.float32]) -> Image:
    """Return a box of a frame as a crop for the sheet, shape ``(*CROP_HW, 3)``; widened, never distorted.

    Args:
        image: Shape ``(H, W, 3)``, the whole frame.
        box_xyxy: Shape ``(4,)``, pixels of the frame.
    """
    left, top, right, bottom = (float(side) for side in box_xyxy)
    height = max(bottom - top, (right - left) * CROP_HW[0] / CROP_HW[1], 2.0) * 1.06
    scale = CROP_HW[0] / height
    # One warp cuts, scales, and repeats the edge of the frame where the crop leaves it.
    shift = np.array([[CROP_HW[1] / 2], [CROP_HW[0] / 2]]) - scale * np.array(
        [[(left + right) / 2], [(top + bottom) / 2]]
    )
    matrix = np.hstack([np.eye(2) * scale, shift])
    if scale < 0.7:
        image = cv2.blur(image, (max(1, round(0.7 / scale)),) * 2)
    crop = cv2.warpAffine(image, matrix, CROP_HW[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def draw_sheet(
    crops: Mapping[tuple[int, str], Sequence[Image]],
    camera_ids: Sequence[str],
    seen_s: Mapping[int, float],
    *,
    num_crops: int,
    max_people: int,
) -> Image:
    """Return the sheet, shape ``(H, W, 3)``, uint8, RGB.

    Args:
        crops: Crops by person and camera, each of ``CROP_HW``.
        camera_ids: The columns.
        seen_s: Seconds that each person was seen, all cameras together.
        num_crops: Places for crops in one cell.
        max_people: Rows, at most. People seen in more cameras, and for longer, are preferred.
    """
    cameras_of: dict[int, int] = {}
    for person_id, _ in crops:
        cameras_of[person_id] = cameras_of.get(person_id, 0) + 1
    ranked = sorted(cameras_of, key=lambda person_id: (-cameras_of[person_id], -seen_s[person_id], person_id))
    people = sorted(ranked[:max_people])

    column_width = num_crops * CROP_HW[1] + (num_crops - 1) * GAP
    row_height = CROP_HW[0] + ROW_GAP
    width = 2 * MARGIN + NAME_WIDTH + len(camera_ids) * column_width + (len(camera_ids) - 1) * COLUMN_GAP
    height = HEADER_HEIGHT + len(people) * row_height + MARGIN
    sheet = np.full((height, max(width, 480), 3), PAPER, np.uint8)
    _draw_header(sheet, camera_ids, column_width, len(cameras_of), len(people))

    for row, person_id in enumerate(people):
        top = HEADER_HEIGHT + row * row_height + ROW_GAP // 2
        sheet[top - ROW_GAP // 2, MARGIN : width - MARGIN] = LINE
        sheet[top : top + CROP_HW[0], MARGIN : MARGIN + 5] = person_color(person_id)
        paste(sheet, number_tag(person_id, font_px=30), left=MARGIN + 22, top=top + 40)
        note = lettering(_duration(seen_s[person_id]), font_px=16, ink=GREY)
        paste(sheet, note, left=MARGIN + 24, top=top + 104)
        for column, camera_id in enumerate(camera_ids):
            left = MARGIN + NAME_WIDTH + column * (column_width + COLUMN_GAP)
            _draw_cell(sheet, crops.get((person_id, camera_id), ()), left, top, column_width)
    return sheet


def _goodness(boxes: NDArray[np.void], frame_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return how good the crop of each box would be, shape ``(N,)``; higher is better."""
    boxes_xyxy = boxes["box_xyxy"]
    goodness = boxes["score"] * np.sqrt(np.maximum(box_geometry.area(boxes_xyxy), 1.0)).astype(np.float64)
    inside = box_geometry.clip(boxes_xyxy, (frame_hw[0] - 2, frame_hw[1] - 2))
    is_cut = (boxes_xyxy <= 2).any(axis=1) | (inside[:, 2:] < boxes_xyxy[:, 2:]).any(axis=1)
    goodness[is_cut] *= 0.4
    starts = np.flatnonzero(np.diff(boxes["index"], prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(boxes)], strict=True):
        if end - start > 1:
            overlap = box_geometry.intersection_matrix(boxes_xyxy[start:end], boxes_xyxy[start:end])
            np.fill_diagonal(overlap, 0)
            share = overlap.max(axis=1) / np.maximum(box_geometry.area(boxes_xyxy[start:end]), 1)
            goodness[start:end] *= np.clip(1 - 1.5 * share, 0.05, 1)
    return goodness


def _draw_header(sheet: Image, camera_ids: Sequence[str], column_width: int, num_people: int, num_shown: int) -> None:
    title = f"{num_people} {'person' if num_people == 1 else 'people'}"
    paste(sheet, lettering(title, font_px=34, ink=INK), left=MARGIN, top=MARGIN - 6)
    if num_shown < num_people:
        note = lettering(f"{num_shown} shown", font_px=16, ink=GREY)
        paste(sheet, note, left=MARGIN, top=MARGIN + 44)
    for column, camera_id in enumerate(camera_ids):
        left = MARGIN + NAME_WIDTH + column * (column_width + COLUMN_GAP)
        paste(sheet, lettering(camera_id, font_px=20, ink=INK), left=left, top=HEADER_HEIGHT - 36)


def _draw_cell(sheet: Image, crops: Sequence[Image], left: int, top: int, width: int) -> None:
    """Draw the crops of one person in one camera, or an empty place."""
    if not crops:
        blank = np.full((CROP_HW[0], width, 3), EMPTY, np.uint8)
        paste(sheet, rounded(blank, radius_px=CORNER), left=left, top=top)
    for place, crop in enumerate(crops):
        paste(sheet, rounded(crop, radius_px=CORNER), left=left + place * (CROP_HW[1] + GAP), top=top)


def _duration(seconds: float) -> str:
    """Return a duration as text.

    Example:
        >>> _duration(7.6), _duration(200)
        ('8 s', '3 min 20 s')
    """
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
