"""Several mp4 recordings in one file, as ``cat a.mp4 b.mp4`` makes it: FFmpeg would read the first and say nothing."""

from pathlib import Path

BEGIN = b"ftyp"
"""Box that every recording begins with. ISO/IEC 14496-12, 4.3."""

MAX_BOXES = 100_000
"""Boxes that are looked at: fragmented recordings have two a fragment. More read longer."""


def recordings_in(path: Path) -> list[tuple[int, int]]:
    """Return where each recording of an mp4 file begins and ends, bytes; of any other file, that it is one.

    Fragmented files may repeat their beginning, and are one recording.
    """
    size = path.stat().st_size
    begins: list[int] = []
    with path.open("rb") as file:
        at = 0
        for _ in range(MAX_BOXES):
            file.seek(at)
            head = file.read(16)
            kind, length = head[4:8], int.from_bytes(head[:4])
            if length == 1:
                length = int.from_bytes(head[8:16])
            if kind == b"moof" or (at == 0 and kind != BEGIN):
                return [(0, size)]
            if length < 8 or not kind.isalnum():
                break
            if kind == BEGIN:
                begins.append(at)
            at += length
    return list(zip(begins, [*begins[1:], size], strict=True)) if begins else [(0, size)]
