"""Kind and size of an image, from its first bytes: kinds that other programs send, beside JPEG and PNG.

A size that is known before an image is decoded keeps a few bytes from making the decoder allocate gigabytes.
"""

import io
from enum import StrEnum

from PIL import Image


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
        with Image.open(io.BytesIO(data), formats=[_IN_PILLOW[kind]]) as image:  # decodes nothing yet
            return kind, (image.height, image.width)
    except (OSError, ValueError, Warning, Image.DecompressionBombError):  # Pillow only warns of some damage
        return None


_IN_PILLOW = {
    OtherImage.WEBP: "WEBP",
    OtherImage.BMP: "BMP",
    OtherImage.TIFF: "TIFF",
    OtherImage.GIF: "GIF",
    OtherImage.AVIF: "AVIF",
    OtherImage.JPEG_2000: "JPEG2000",
}
"""Pillow's names."""
