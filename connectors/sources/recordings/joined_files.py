"""Several recordings in one file, as ``cat a.mp4 b.mp4`` makes it: FFmpeg would read the first and say nothing.

Of Matroska it would decode all with what the first says, of AVI with the codec of the first. Of other kinds it reads on
behind the first (MPEG-TS, MPEG-PS, Ogg).
"""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

FLV_TAG_BYTES = 11
"""Length of the head of a tag; four bytes with its whole length are behind it. Video File Format 10.1, annex E."""

FLV_TAGS = (8, 9, 18)
"""Kinds of tags: sound, pictures, data."""

SEGMENT = bytes.fromhex("18538067")
"""Element of Matroska that stands behind its beginning and holds the rest. RFC 9559, 5.1."""

EBML_BEGIN, FLV_BEGIN = bytes.fromhex("1a45dfa3"), b"FLV\x01"

FRAGMENT, FRAGMENT_TRACK, FRAGMENT_TIME = b"moof", b"tfhd", b"tfdt"
"""Boxes of a fragment of mp4: itself, the number of its first track, and when it begins. ISO/IEC 14496-12, 8.8."""

HEAD_BYTES = 512
"""Bytes of a box, tag, object or element that are read. The time of a fragment stands in its first 100."""

MAX_BOXES = 1_000_000
"""Boxes, tags or objects that are looked at: an hour of FLV has 250,000. More read longer."""


def recordings_in(path: Path) -> list[tuple[int, int]]:
    """Return where each recording of a file begins and ends, bytes; a file that cannot be looked through is one.

    It is looked through as far as it is mp4, FLV, ASF, AVI or Matroska that says its length; other kinds may follow.
    Fragmented mp4 may repeat its beginning, and is one recording while its times go on.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        begins = _begins(file, size)
    return list(zip(begins, [*begins[1:], size], strict=True)) if begins else [(0, size)]


def _begins(file: BinaryIO, size: int) -> list[int]:
    at, begins, is_first = 0, list[int](), True
    length_of: Callable[[bytes], int | None] = _unknown
    newest: dict[bytes, int] = {}
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(HEAD_BYTES)
        if (begun := _kind(head)) is not None:
            newest = newest if begun is length_of else {}
            length_of, is_first = begun, True
            begins.append(at)
        elif length_of is _mp4 and head[4:8] == FRAGMENT:
            track, time = _fragment(head)
            if is_first and newest and time > newest.get(track, -1):
                begins.pop()
            newest, is_first = newest | {track: time}, False
        length = length_of(head)
        if length is None or at + length >= size:
            break
        at += length
    return begins


def _fragment(head: bytes) -> tuple[bytes, int]:
    """Return the number of the first track in a fragment of mp4, and when it begins, in units of the track."""
    track, time = head.find(FRAGMENT_TRACK) + 8, head.find(FRAGMENT_TIME)
    length = 8 if head[time + 4 : time + 5] == b"\x01" else 4
    return head[track : track + 4], int.from_bytes(head[time + 8 : time + 8 + length]) if time > 0 else 0


def _kind(head: bytes) -> Callable[[bytes], int | None] | None:
    """Return what tells the length of a part of a recording that begins here; None if none does."""
    return next((length_of for at, begin, length_of in KINDS if head[at : at + len(begin)] == begin), None)


def _unknown(head: bytes) -> int | None:
    return None


def _mp4(head: bytes) -> int | None:
    length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4])
    return length if length >= 8 and head[4:8].isalnum() else None


def _flv(head: bytes) -> int | None:
    if head.startswith(FLV_BEGIN):
        return int.from_bytes(head[5:9]) + 4
    is_tag = len(head) >= FLV_TAG_BYTES and head[0] & 0x1F in FLV_TAGS
    return FLV_TAG_BYTES + int.from_bytes(head[1:4]) + 4 if is_tag else None


def _asf(head: bytes) -> int | None:
    length = int.from_bytes(head[16:24], "little")
    return length if length >= 24 else None  # of a live recording it is not known


def _avi(head: bytes) -> int | None:
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + length % 2 if head.startswith(b"RIFF") and length else None


def _matroska(head: bytes) -> int | None:
    return end_of_element(head) if head.startswith((EBML_BEGIN, SEGMENT)) else None


def end_of_element(head: bytes) -> int | None:
    """Return the length of an element of Matroska, its own head included; None if it is not known. RFC 8794, 4.

    Args:
        head: Its first bytes, at least 12; its number has four.
    """
    length = 9 - head[4].bit_length()  # the zeros before the first one count the bytes that follow
    value = int.from_bytes(head[4 : 4 + length]) & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else 4 + length + value


KINDS: tuple[tuple[int, bytes, Callable[[bytes], int | None]], ...] = (
    (4, b"ftyp", _mp4),
    (0, FLV_BEGIN, _flv),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), _asf),
    (8, b"AVI ", _avi),
    (0, EBML_BEGIN, _matroska),
    *((0, begin, _unknown) for begin in (b"OggS", b"GIF8", b"DKIF", b"YUV4MPEG2", b"nut/multimedia", b"\0\0\1\xba")),
)
"""Place and value of the bytes with which a recording begins, and what tells the lengths of its parts.

ISO/IEC 14496-12, 4.3; Video File Format 10.1, annex E; Advanced Systems Format, 10.1; RIFF; RFC 8794; and kinds that
are not looked through, but may stand behind the others.
"""
