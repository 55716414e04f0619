"""Kind and size of an image, from its first bytes: kinds that other programs send, beside JPEG and PNG.

A size that is known before an image is decoded keeps a few bytes from making the decoder allocate gigabytes.
"""

import struct
from collections.abc import Callable
from enum import StrEnum
from typing import Literal

TIFF_WIDTH, TIFF_HEIGHT, TIFF_SHORT = 256, 257, 3
"""Tags of a TIFF, and the type of a number of 16 bits. TIFF 6.0, sections 2 and 8."""

MAX_BOX_BYTES = 4096
"""First bytes in which the box with the size of an AVIF or a JPEG 2000 is looked for. More look longer in vain."""


class OtherImage(StrEnum):
    """Kinds of images that are read, and that ``passerby publish`` does not send; as the suffix of a file's name."""

    WEBP = "webp"
    BMP = "bmp"
    TIFF = "tiff"
    GIF = "gif"
    AVIF = "avif"
    JPEG_2000 = "jp2"


def other_kind(start: bytes) -> OtherImage | None:
    """Return the kind of an image that begins with these bytes, 32 of them at least; None if it is none of these."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return OtherImage.WEBP
    if start[:2] == b"BM" and start[6:10] == bytes(4) and start[15:18] == bytes(3):
        return OtherImage.BMP
    if start[:4] in (b"II*\0", b"MM\0*"):
        return OtherImage.TIFF
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return OtherImage.GIF
    if start[4:12] in (b"ftypavif", b"ftypavis") or (start[4:12] == b"ftypmif1" and b"avif" in start[12:32]):
        return OtherImage.AVIF
    return OtherImage.JPEG_2000 if start[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" else None


def other_size(data: bytes) -> tuple[OtherImage, tuple[int, int]] | None:
    """Return kind, height and width that an image states; None if it is none of these kinds, or states no size."""
    kind = other_kind(data[:32])
    if kind is None:
        return None
    try:
        return kind, _SIZES[kind](data)
    except (struct.error, ValueError):
        return None


def _webp_hw(data: bytes) -> tuple[int, int]:
    """Return height and width. RFC 9649, sections 2.5 to 2.7; RFC 6386, section 9.1."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return height & 0x3FFF, width & 0x3FFF
    raise ValueError(chunk)


def _bmp_hw(data: bytes) -> tuple[int, int]:
    """Return height and width; a negative height says that the first row is the uppermost."""
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == 12 else "<ii", data, 18)
    return abs(height), width


def _gif_hw(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return height, width


def _tiff_hw(data: bytes) -> tuple[int, int]:
    order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    found: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        (found[tag],) = struct.unpack_from(order + ("H" if kind == TIFF_SHORT else "I"), data, entry + 8)
    if TIFF_HEIGHT not in found or TIFF_WIDTH not in found:
        raise ValueError("no size")
    return found[TIFF_HEIGHT], found[TIFF_WIDTH]


def _avif_hw(data: bytes) -> tuple[int, int]:
    """Return the largest height and width of its properties: a grid states those of its tiles as well."""
    sizes, at = [], data.find(b"ispe", 0, MAX_BOX_BYTES)
    while at >= 0:
        width, height = struct.unpack_from(">II", data, at + 8)
        sizes.append((height, width))
        at = data.find(b"ispe", at + 4, MAX_BOX_BYTES)
    return max(sizes, key=lambda hw: hw[0] * hw[1])


def _jpeg_2000_hw(data: bytes) -> tuple[int, int]:
    at = data.find(b"ihdr", 0, MAX_BOX_BYTES)
    height, width = struct.unpack_from(">II", data, at + 4 if at >= 0 else len(data))
    return height, width


_SIZES: dict[OtherImage, Callable[[bytes], tuple[int, int]]] = {
    OtherImage.WEBP: _webp_hw,
    OtherImage.BMP: _bmp_hw,
    OtherImage.TIFF: _tiff_hw,
    OtherImage.GIF: _gif_hw,
    OtherImage.AVIF: _avif_hw,
    OtherImage.JPEG_2000: _jpeg_2000_hw,
}
