"""Images that are files: whether all of one is there, and its pixels."""

import zlib
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

DEEP = (".png", ".tif", ".tiff")
"""Suffixes of images that may have 16 bits a channel."""

BEGINS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)
"""First bytes of images, and the suffix of such."""

BIT_DEPTHS = (10, 12, 14, 16)
"""Bits a channel that cameras give, stored in 16."""


class UnreadableImageError(Exception):
    """The bytes are no whole image; the message says what they are."""


def decode_whole(data: bytes, suffix: str, bits: int | None = None) -> tuple[NDArray[np.uint8], int]:
    """Return an image, and the bits a channel that it was taken to have.

    OpenCV would fill the missing part of an image with grey. What other programs append is ignored: padding, or the
    film of a phone.

    Args:
        data: The file.
        suffix: Of its name, in lower case.
        bits: Bits a channel that are used of 16; None: the fewest of 10, 12, 14 and 16 that hold the brightest pixel.
            Ignored for images of 8 bits.

    Returns:
        Shape ``(H, W, 3)``, uint8, RGB; and 8, or the bits used of 16.

    Raises:
        UnreadableImageError: If it is not a whole image, or several.
    """
    suffix = _suffix_of(data) or suffix  # phones and cameras name one kind like another
    if not _is_whole(data, suffix):
        raise UnreadableImageError(f"{len(data)} bytes that are not a whole image")
    if suffix in (".tif", ".tiff") and (num_pages := _num_pages(data)) > 1:
        raise UnreadableImageError(f"{num_pages} pages in one file")
    if _is_film(data):
        raise UnreadableImageError("a film of several images in one file")
    coded = np.frombuffer(data, np.uint8)
    try:
        if suffix in DEEP:
            # Not as RGB: OpenCV 4.14 returns a black image for a TIFF of 16 bits then.
            found = cv2.imdecode(coded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
            found = None if found is None else np.ascontiguousarray(found[:, :, ::-1])
        else:
            found = cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise UnreadableImageError(f"what cannot be decoded ({error.err})") from error
    if found is None:
        raise UnreadableImageError(f"{len(data)} bytes that are not an image")
    if found.dtype == np.uint8:
        return np.asarray(found, np.uint8), 8
    if found.dtype != np.uint16:
        raise UnreadableImageError(f"pixels of {found.dtype}")
    bits = bits or next(depth for depth in BIT_DEPTHS if int(found.max()) < 2**depth)
    return np.minimum(found >> (bits - 8), 255).astype(np.uint8), bits


def is_whole_picture(data: bytes) -> bool:
    """Return whether all of a JPEG or PNG is there that a camera sent, whatever stands before and behind it."""
    suffix = _suffix_of(data)
    return _is_whole(data if suffix else data[data.find(BEGINS[0][0]) :], suffix or BEGINS[0][1])


def _suffix_of(data: bytes) -> str | None:
    """Return the suffix that the image should have; None if it is none of the kinds that are told apart here."""
    return next((suffix for begin, suffix in BEGINS if data.startswith(begin)), None)


def _is_whole(data: bytes, suffix: str) -> bool:
    if suffix in (".jpg", ".jpeg", ".jpe", ".jfif"):
        begin = _jpeg_scan(data)
        return begin is not None and data.find(b"\xff\xd9", begin) >= 0
    if suffix == ".png":
        return _is_whole_png(data)
    return len(data) > 0


def _is_whole_png(data: bytes) -> bool:
    """Return whether all chunks that matter are whole. Of a damaged header, a decoder would allocate gigabytes.

    PNG specification, 5.3 and 5.4.
    """
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body, checksum = data[at + 4 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if kind[:1].isupper() and zlib.crc32(body).to_bytes(4) != checksum:
            return False
        if kind == b"IEND":
            return True
        at += 12 + length
    return False


def _jpeg_scan(data: bytes) -> int | None:
    """Return where the first scan of a JPEG begins: after it, FF D9 is the end of the image and nothing else.

    The preview inside the header has an end of its own. ITU-T T.81, B.1.1.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        elif marker == 0xDA:
            return at
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None


def _is_film(data: bytes) -> bool:
    """Return whether a WebP or PNG is animated. WebP container specification; PNG specification 3, section 11."""
    is_webp = data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X" and int.from_bytes(data[20:21]) & 2 > 0
    is_png = data.startswith(b"\x89PNG") and 0 < data.find(b"acTL") < data.find(b"IDAT")
    return is_webp or is_png


def _num_pages(data: bytes) -> int:
    """Return the number of directories of a TIFF, 1 at least. TIFF 6.0, section 2."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    if int.from_bytes(data[2:4], order) != 42:
        return 1  # BigTIFF, which cameras do not write
    at, seen = int.from_bytes(data[4:8], order), set[int]()
    while 0 < at < len(data) - 2 and at not in seen:
        seen.add(at)
        end = at + 2 + 12 * int.from_bytes(data[at : at + 2], order)
        at = int.from_bytes(data[end : end + 4], order)
    return max(1, len(seen))
