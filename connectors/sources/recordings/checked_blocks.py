"""Files of blocks that say where the next one begins: GIF, and Ogg, whose pages are numbered and have a checksum."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

GIF_EXTENSION, GIF_PICTURE, GIF_END = 0x21, 0x2C, 0x3B
"""What a block of GIF begins with. GIF89a, appendix A."""

GIF_BEGIN = b"GIF8"
GIF_HEAD_BYTES = 13
GIF_BLOCK_BYTES = 255
"""Length of a block of a picture that is filled. GIF89a, 15."""

MAX_TAIL_BYTES = 512
"""Bytes behind the last picture that may be no pictures. Larger misses small pictures."""

OGG_PAGE = b"OggS"
OGG_HEAD_BYTES = 27
OGG_BEGINS, OGG_ENDS = 2, 4
"""A page begins with this, then come as many bytes, one of which says whether it is the first or last. RFC 3533, 6."""

CHUNK_BYTES = 2**20
"""Bytes that are searched at once. More cost memory."""

_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def end_of_gif(file: BinaryIO) -> int | None:
    """Return the byte at which a GIF, or several behind one another, stop being such; None if all are whole.

    Most encoders fill each block of a picture but its last one; where the first picture is so, another that is not is
    damaged, because what is a block's length there was something else.
    """
    is_filled: bool | None = None
    file.seek(_table_bytes(file.read(GIF_HEAD_BYTES)[10:11]), 1)
    while True:
        at = file.tell()
        kind = int.from_bytes(file.read(1))
        if kind == GIF_END:
            head = file.read(GIF_HEAD_BYTES)
            if not head.startswith(GIF_BEGIN):
                return at if len(head + file.read(MAX_TAIL_BYTES)) > MAX_TAIL_BYTES else None
            file.seek(_table_bytes(head[10:11]), 1)
            is_filled = None
            continue
        if kind == GIF_EXTENSION:
            file.seek(1, 1)
        elif kind == GIF_PICTURE:
            file.seek(_table_bytes(file.read(9)[8:]) + 1, 1)
        else:
            return at
        lengths = []
        while length := int.from_bytes(file.read(1)):
            file.seek(length, 1)
            lengths.append(length)
        if kind == GIF_PICTURE:
            has_filled = all(length == GIF_BLOCK_BYTES for length in lengths[:-1])
            is_filled = has_filled if is_filled is None and len(lengths) > 1 else is_filled
            if is_filled and not has_filled:
                return at


def _table_bytes(flags: bytes) -> int:
    """Return the length of the table of colours that flags announce."""
    value = int.from_bytes(flags)
    return 3 << (value & 7) + 1 if value & 0x80 else 0


def ogg_breaks(file: BinaryIO) -> Iterator[int]:
    """Yield the byte of each place where pages are missing or damaged, and where the last stream breaks off."""
    newest: dict[bytes, int] = {}
    at, open_streams, is_skipped = 0, set[bytes](), False
    while True:
        file.seek(at)
        head = file.read(OGG_HEAD_BYTES)
        if len(head) < OGG_HEAD_BYTES:
            break
        lengths = file.read(head[26])
        page = head + lengths + file.read(sum(lengths))
        if head[:4] != OGG_PAGE or _ogg_checksum(page) != int.from_bytes(head[22:26], "little"):
            file.seek(at + 1)
            found = file.read(CHUNK_BYTES).find(OGG_PAGE)
            at += 1 + (found if found >= 0 else CHUNK_BYTES - len(OGG_PAGE))
            is_skipped = True
            continue
        stream, number, flags = head[14:18], int.from_bytes(head[18:22], "little"), head[5]
        if is_skipped or (not flags & OGG_BEGINS and number != newest.get(stream, number - 1) + 1):
            yield at
        newest[stream], is_skipped = number, False
        open_streams = open_streams - {stream} if flags & OGG_ENDS else open_streams | {stream}
        at += len(page)
    if is_skipped or open_streams:
        yield at


def _ogg_checksum(page: bytes) -> int:
    """Return the checksum of a page: zlib's polynomial, with the bits in the other order and nothing inverted."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    value = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)
