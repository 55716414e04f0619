"""Colours and lettering of annotated pictures. All images are RGB."""

import colorsys
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
import supervision as sv
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Shape ``(H, W, 3)``, RGB."""

INK = (32, 34, 40)
GREY = (128, 132, 140)
WHITE = (255, 255, 255)

GOLDEN_RATIO = 0.618033988749895
SATURATIONS = (0.72, 0.88, 0.58)
BRIGHTNESSES = (0.92, 0.74, 1.0)

SUPERSAMPLING = 3
"""Text is drawn this many times larger and scaled down, for smooth round corners. More takes longer."""


FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
"""Latin, Greek, Cyrillic, Hebrew and Arabic letters. Other scripts, such as Chinese, are boxes.

supervision brings matplotlib, and that this font, which may be passed on freely (a Bitstream Vera licence). The font
of Pillow has only the letters of English.
"""


class Stamp(NamedTuple):
    """A small image with transparency.

    Attributes:
        image: Shape ``(h, w, 3)``, uint8, RGB.
        opacity: Shape ``(h, w, 1)``, float32 in [0, 1].
    """

    image: Image
    opacity: NDArray[np.float32]


def person_color(person_id: int) -> tuple[int, int, int]:
    """Return the colour of a person, RGB: always the same, and unlike that of neighbouring numbers.

    Example:
        >>> person_color(1) == person_color(1) != person_color(2)
        True
    """
    hue = (0.58 + person_id * GOLDEN_RATIO) % 1
    shade = person_id % len(SATURATIONS)
    red, green, blue = colorsys.hsv_to_rgb(hue, SATURATIONS[shade], BRIGHTNESSES[shade])
    return round(red * 255), round(green * 255), round(blue * 255)


def readable_on(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the text colour that is easy to read on a colour: dark or white."""
    red, green, blue = color
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 160 else WHITE


def lettering(
    text: str,
    *,
    font_px: int,
    ink: tuple[int, int, int],
    background: tuple[int, int, int] | None = None,
    padding_px: int = 0,
) -> Stamp:
    """Return a line of text, on a rounded tag if it has a background.

    Args:
        text: One line.
        font_px: Size of the font, pixels.
        ink: Colour of the letters, RGB.
        background: Colour of the tag, RGB; None: no tag.
        padding_px: Space between the text and the edge of the tag, pixels.
    """
    scale = SUPERSAMPLING
    size = font_px * scale
    padding = padding_px * scale
    # The annotator has no transparency. Its drawings on black and on white differ where they are transparent.
    canvas_hw = (size * 2 + 2 * padding, int(len(text) * size * 0.9) + size + 2 * padding)
    middle = np.array([[0, 0, canvas_hw[1], canvas_hw[0]]], np.float64)
    place = sv.Detections(xyxy=middle, class_id=np.zeros(1, int))
    drawn = []
    for ground in (0, 255):
        annotator = sv.RichLabelAnnotator(
            color=sv.Color(*(background or (ground, ground, ground))),
            text_color=sv.Color(*ink),
            font_path=str(FONT),
            font_size=size,
            text_padding=padding,
            text_position=sv.Position.CENTER,
            border_radius=(size + 2 * padding) // 3,
        )
        scene = np.full((*canvas_hw, 3), ground, np.uint8)
        # The annotator takes and gives BGR.
        drawn.append(annotator.annotate(scene=scene, detections=place, labels=[text])[:, :, ::-1])
    on_black, on_white = (image.astype(np.float32) for image in drawn)
    opacity = 1 - (on_white - on_black).mean(axis=2) / 255
    used = cv2.boundingRect((opacity > 0.02).astype(np.uint8))
    left, top, width, height = used
    part = np.s_[top : top + height, left : left + width]
    small = (max(1, round(width / scale)), max(1, round(height / scale)))
    alpha = cv2.resize(opacity[part], small, interpolation=cv2.INTER_AREA)[:, :, None]
    premultiplied = cv2.resize(on_black[part], small, interpolation=cv2.INTER_AREA)
    image = np.divide(premultiplied, alpha, out=np.zeros_like(premultiplied), where=alpha > 1e-3)
    return Stamp(np.clip(image, 0, 255).astype(np.uint8), alpha.astype(np.float32))


def number_tag(person_id: int, *, font_px: int) -> Stamp:
    """Return a person's number on a tag of their colour."""
    color = person_color(person_id)
    return lettering(str(person_id), font_px=font_px, ink=readable_on(color), background=color, padding_px=font_px // 3)


def paste(image: Image, stamp: Stamp, *, left: int, top: int) -> None:
    """Draw a stamp on an image, in place; parts outside the image are cut off."""
    height, width = stamp.opacity.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, image.shape[1]), min(top + height, image.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    source = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = stamp.opacity[source]
    place = image[y0:y1, x0:x1]
    place[:] = place * (1 - alpha) + stamp.image[source] * alpha + 0.5


def rounded(image: Image, *, radius_px: int) -> Stamp:
    """Return an image as a stamp with round corners."""
    height, width = image.shape[:2]
    scale = SUPERSAMPLING
    mask = np.zeros((height * scale, width * scale), np.uint8)
    radius = min(radius_px, height // 2, width // 2) * scale
    right, bottom = width * scale - 1, height * scale - 1
    cv2.rectangle(mask, (radius, 0), (right - radius, bottom), 255, -1)
    cv2.rectangle(mask, (0, radius), (right, bottom - radius), 255, -1)
    for x in (radius, right - radius):
        for y in (radius, bottom - radius):
            cv2.circle(mask, (x, y), radius, 255, -1)
    alpha = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return Stamp(image, alpha[:, :, None])
