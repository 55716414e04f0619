"""Uploaded pictures: few types, bounded, and re-encoded before any other code reads them."""

import io

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.core.errors import DataError

MAX_UPLOAD = 8_000_000
"""Bytes of an uploaded file: a photograph of a phone fits."""

MAX_PIXELS = 40_000_000
"""Pixels of an uploaded picture; a small file may hold very many, which would exhaust memory."""

MAX_SIDE_PX = 1600
"""Longer side that is kept, pixels; larger pictures are scaled down. A larger value slows detection."""

MIN_SIDE_PX = 16
"""Shortest side of an uploaded picture, pixels."""

SIZE = f"picture: expected at least {MIN_SIDE_PX} pixels a side and {MAX_PIXELS} in all"
TYPES = ("JPEG", "PNG", "WEBP")
ACCEPTED = f"JPEG, PNG or WebP of at most {MAX_UPLOAD // 10**6} MB"
"""What a route says that it takes."""

UPLOADED = {
    "required": True,
    "content": {
        each: {"schema": {"type": "string", "format": "binary"}} for each in ("image/jpeg", "image/png", "image/webp")
    },
}
"""Body of a route that takes a picture, for the description of the API."""


def read_upload(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of the body of a request, as ``decode_upload``; 415 if it is no such picture."""
    try:
        return decode_upload(data)
    except DataError as error:
        raise HTTPException(415, str(error)) from error


def decode_upload(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of an uploaded picture, rotated as its EXIF data says; all other data is dropped.

    Args:
        data: A file of one of ``TYPES``.

    Returns:
        Shape ``(h, w, 3)``, uint8, RGB, no side longer than ``MAX_SIDE_PX``.

    Raises:
        DataError: If it is no such picture, or too large or too small.
    """
    try:
        with Image.open(io.BytesIO(data), formats=TYPES) as opened:
            width, height = opened.size
            if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE_PX:
                raise DataError(f"{SIZE}, got {width}x{height}; scale it")
            opened.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))
            rotated = _on_white(ImageOps.exif_transpose(opened))
            rotated.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
            return np.array(rotated, np.uint8)
    except Image.DecompressionBombError as error:
        raise DataError(f"{SIZE}, got far more; scale it") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError("picture: expected a JPEG, PNG or WebP file, got something else; choose another") from error


def _on_white(image: Image.Image) -> Image.Image:
    """Return a picture without transparency: drawings have black lines on nothing."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    whole = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
