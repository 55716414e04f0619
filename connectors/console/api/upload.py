"""Pictures that people upload: of few types, bounded, and drawn anew before anything else looks at them."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.core.errors import DataError

MAX_UPLOAD = 8_000_000
"""Bytes."""
MAX_PIXELS = 40_000_000
MAX_SIDE_PX = 1600
"""Larger pictures are scaled down to this."""
MIN_SIDE_PX = 16
SIZE = f"picture: expected at least {MIN_SIDE_PX} pixels a side and {MAX_PIXELS} in all"
TYPES = ("JPEG", "PNG", "WEBP")


def redrawn(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of an uploaded picture, the right way up; nothing else of the file is kept.

    Args:
        data: A file of one of ``TYPES``.

    Returns:
        Shape ``(h, w, 3)``, RGB, no side longer than ``MAX_SIDE_PX``.

    Raises:
        DataError: If it is no such picture, or too large or too small.
    """
    try:
        with Image.open(io.BytesIO(data), formats=TYPES) as opened:
            width, height = opened.size
            if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE_PX:
                raise DataError(f"{SIZE}, got {width}x{height}; scale it")
            opened.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
            upright.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
            return np.array(upright, np.uint8)
    except Image.DecompressionBombError as error:
        raise DataError(f"{SIZE}, got far more; scale it") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError("picture: expected a JPEG, PNG or WebP file, got something else; choose another") from error
