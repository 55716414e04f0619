"""Several recordings in one file, as ``cat a.mp4 b.mp4`` makes it: FFmpeg would read the first and say nothing.

Of Matroska it would decode all with what the first says. Of other kinds it reads on behind the first (MPEG-TS, MPEG-PS,
AVI, Ogg).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MP4_BEGIN = b"ftyp"
"""Box that every mp4 recording begins with. ISO/IEC 14496-12, 4.3."""

FLV_BEGIN = b"FLV\x01"
FLV_TAG_BYTES = 11
"""Length of the head of a tag; four bytes with its whole length are behind it. Video File Format 10.1, annex E."""

ASF_BEGIN = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
"""Number of the object that every ASF recording begins with. Advanced Systems Format, 10.1."""

EBML_BEGIN, SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")
"""What every Matroska recording begins with, and the element behind that, which holds the rest. RFC 9559, 5.1."""

MAX_BOXES = 1_000_000
"""Boxes, tags or objects that are looked at: an hour of FLV has 250,000. More read longer."""


def recordings_in(path: Path) -> list[tuple[int, int]]:
    """Return where each recording of a file begins and ends, bytes: of mp4, FLV, ASF and Matroska; another file is one.

    Fragmented mp4 files may repeat their beginning, and are one recording.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        if head.startswith(FLV_BEGIN):
            begins = list(_flv(file, size))
        elif head == ASF_BEGIN:
            begins = list(_asf(file, size))
        elif head.startswith(EBML_BEGIN):
            begins = list(_matroska(file, size))
        else:
            begins = list(_mp4(file))
    return list(zip(begins, [*begins[1:], size], strict=True)) if begins else [(0, size)]


def _mp4(file: BinaryIO) -> Iterator[int]:
    at, begins = 0, list[int]()
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        kind, length = head[4:8], int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:16])
        if kind == b"moof" or (at == 0 and kind != MP4_BEGIN):
            return
        if length < 8 or not kind.isalnum():
            break
        if kind == MP4_BEGIN:
            begins.append(at)
        at += length
    yield from begins


def _flv(file: BinaryIO, size: int) -> Iterator[int]:
    at = 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(FLV_TAG_BYTES)
        if head.startswith(FLV_BEGIN):
            yield at
            at += int.from_bytes(head[5:9]) + 4
        elif len(head) == FLV_TAG_BYTES and head[0] & 0x1F in (8, 9, 18):  # sound, pictures, data
            at += FLV_TAG_BYTES + int.from_bytes(head[1:4]) + 4
        else:
            return
        if at >= size:
            return


def _asf(file: BinaryIO, size: int) -> Iterator[int]:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(24)
        length = int.from_bytes(head[16:24], "little")
        if head.startswith(ASF_BEGIN):
            yield at
        if length < 24:  # of a live recording it is not known
            return
        at += length


def _matroska(file: BinaryIO, size: int) -> Iterator[int]:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        if head.startswith(EBML_BEGIN):
            yield at
        elif not head.startswith(SEGMENT):
            return
        if (end := end_of_element(head)) is None:  # of a live recording it is not known
            return
        at += end


def end_of_element(head: bytes) -> int | None:
    """Return the length of an element of Matroska, its own head included; None if it is not known. RFC 8794, 4.

    Args:
        head: Its first bytes, at least 12; its number has four.
    """
    length = 9 - head[4].bit_length()  # the zeros before the first one count the bytes that follow
    value = int.from_bytes(head[4 : 4 + length]) & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else 4 + length + value
