"""Pictures put side by side on a sheet, with marks, small enough to ship."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.pictures import Image
from pipeline.core.errors import ConfigError

Colour = tuple[int, int, int]

GREEN: Colour = (40, 200, 90)
RED: Colour = (235, 64, 52)
BLUE: Colour = (70, 140, 255)
WHITE: Colour = (255, 255, 255)
PAPER: Colour = (250, 250, 247)
GREY: Colour = (190, 190, 184)
INK: Colour = (40, 42, 48)

_GAP_PX = 8
_QUALITIES = (90, 84, 78, 70, 60, 50)
_SUBPIXEL_BITS = 4


def fit(image: Image, size_hw: tuple[int, int]) -> tuple[Image, float, NDArray[np.float32]]:
    """Return a picture scaled into a cell, undistorted, the scale, and where its corner lies ``(x, y)``."""
    scale = min(size / side for size, side in zip(size_hw, image.shape[:2], strict=True))
    inner_wh = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cell = np.full((*size_hw, 3), PAPER, np.uint8)
    left, top = (size_hw[1] - inner_wh[0]) // 2, (size_hw[0] - inner_wh[1]) // 2
    cell[top : top + inner_wh[1], left : left + inner_wh[0]] = cv2.resize(image, inner_wh, interpolation=interpolation)
    return cell, scale, np.array([left, top], np.float32)


def draw_box(cell: Image, box_xyxy: NDArray[np.float32], colour: Colour, *, thickness: int = 2) -> None:
    """Draw a box into a cell, in place."""
    left, top, right, bottom = np.round(box_xyxy * 2**_SUBPIXEL_BITS).astype(int).tolist()
    cv2.rectangle(cell, (left, top), (right, bottom), colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_line(cell: Image, points_xy: NDArray[np.float32], colour: Colour, *, thickness: int = 2) -> None:
    """Draw a line through points ``(N, 2)`` into a cell, in place."""
    points = np.round(points_xy * 2**_SUBPIXEL_BITS).astype(np.int32)
    cv2.polylines(cell, [points], False, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def frame_cell(cell: Image, colour: Colour, *, note: str = "") -> Image:
    """Return a cell in a coloured frame, with a few words below."""
    framed = cv2.copyMakeBorder(cell, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=colour)
    if note:
        framed = cv2.copyMakeBorder(framed, 0, 20, 0, 0, cv2.BORDER_CONSTANT, value=PAPER)
        place = (2, framed.shape[0] - 5)
        cv2.putText(framed, note, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return np.asarray(framed, np.uint8)


def join(cells: Sequence[Image], *, columns: int) -> Image:
    """Return cells of one size row by row."""
    height, width = cells[0].shape[:2]
    rows = -(-len(cells) // columns)
    sheet_hw = (rows * (height + _GAP_PX) + _GAP_PX, columns * (width + _GAP_PX) + _GAP_PX)
    sheet = np.full((*sheet_hw, 3), PAPER, np.uint8)
    for number, cell in enumerate(cells):
        top = _GAP_PX + number // columns * (height + _GAP_PX)
        left = _GAP_PX + number % columns * (width + _GAP_PX)
        sheet[top : top + height, left : left + width] = cell
    return sheet


def write_jpeg(path: Path, image: Image, *, max_bytes: int) -> None:
    """Write a picture as well as its size allows.

    Args:
        path: Of the file.
        image: Shape ``(H, W, 3)``, uint8, RGB.
        max_bytes: Of the file.

    Raises:
        ConfigError: If it is too large for any quality, or the folder does not take it.
    """
    for quality in _QUALITIES:
        _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(coded) <= max_bytes:
            try:
                path.write_bytes(coded.tobytes())
            except OSError as error:
                raise ConfigError(f"out: expected a folder for {path.name}, got: {error}; name another") from error
            return
    raise ConfigError(f"{path}: expected a picture of at most {max_bytes} bytes, got {len(coded)}; show less")
