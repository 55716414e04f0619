"""Images as bytes: JPEG is small, PNG keeps every pixel."""

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from connectors.pictures.image_header import OtherImage, other_kind, other_size
from connectors.pictures.whole_image import UnreadableImageError, decode_whole
from pipeline.core.errors import FrameDecodeError

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of the segments that hold height and width (ITU-T T.81, Table B.1)."""


class Encoding(StrEnum):
    """How the bytes of a picture are encoded."""

    JPEG = "jpeg"
    PNG = "png"
    H264 = "h264"
    """One unit of a stream, not an image by itself: see ``connectors.pictures.h264``."""


def encode_image(image: NDArray[np.uint8], encoding: Encoding, *, quality: int) -> bytes:
    """Return an image as bytes.

    Args:
        image: Shape ``(H, W, 3)``, uint8, RGB.
        encoding: JPEG or PNG, which keeps every pixel.
        quality: Quality of JPEG, 1 to 100.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if encoding is Encoding.JPEG else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    is_done, data = cv2.imencode(f".{encoding}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert is_done, "an image in memory can be encoded"
    return bytes(data)


def decode_image(data: bytes, encoding: Encoding | OtherImage, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a decoded image, shape ``(H, W, 3)``, uint8, RGB.

    The size is checked first, so that a few bytes cannot make the decoder allocate gigabytes.

    Args:
        data: The encoded image.
        encoding: The expected encoding: JPEG, PNG or another kind of image.
        size_hw: The expected height and width, pixels.

    Raises:
        FrameDecodeError: If the image is incomplete, or of another encoding or size.
    """
    if isinstance(encoding, OtherImage):
        return _decode_other(data, encoding, size_hw)
    found_hw = _png_hw(data) if encoding is Encoding.PNG else _jpeg_hw(data)
    if found_hw != size_hw:
        found = "none" if found_hw is None else f"{found_hw[1]}x{found_hw[0]}"
        raise FrameDecodeError(f"image: expected {encoding} of {size_hw[1]}x{size_hw[0]}, got {found}")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise FrameDecodeError(f"image: expected {encoding}, got what cannot be decoded: {error.err}") from error
    if image is None or image.shape[:2] != size_hw:
        raise FrameDecodeError(f"image: expected a whole {encoding}, got {len(data)} bytes that are none")
    return np.asarray(image, np.uint8)


def image_size(data: bytes) -> tuple[Encoding | OtherImage, tuple[int, int]] | None:
    """Return the encoding, height and width that the first bytes of an image state; None if it is no known image."""
    for encoding, found_hw in ((Encoding.JPEG, _jpeg_hw(data)), (Encoding.PNG, _png_hw(data))):
        if found_hw is not None:
            return encoding, found_hw
    return other_size(data)


def is_image(start: bytes) -> bool:
    """Return whether an image begins with these bytes, 32 of them at least."""
    return start.startswith((b"\xff\xd8\xff", b"\x89PNG")) or other_kind(start[:32]) is not None


def _decode_other(data: bytes, kind: OtherImage, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    found = other_size(data)
    if found != (kind, size_hw):
        raise FrameDecodeError(f"image: expected {kind} of {size_hw[1]}x{size_hw[0]}, got {found}")
    try:
        image, _ = decode_whole(data, f".{kind}")
    except UnreadableImageError as error:
        raise FrameDecodeError(f"image: expected a whole {kind}, got {error}") from error
    if image.shape[:2] not in (size_hw, size_hw[::-1]):  # some state how they are turned
        raise FrameDecodeError(f"image: expected {kind} of {size_hw[1]}x{size_hw[0]}, got {image.shape}")
    return image


def _png_hw(data: bytes) -> tuple[int, int] | None:
    """Return height and width; None if the data does not begin like a PNG."""
    if not data.startswith(PNG_START) or len(data) < 24 or data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[20:24]), int.from_bytes(data[16:20])


def _jpeg_hw(data: bytes) -> tuple[int, int] | None:
    """Return height and width; None if the data does not begin like a JPEG."""
    if not data.startswith(JPEG_START):
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker in JPEG_SIZES:
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None
