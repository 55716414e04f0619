"""Finds fragments of an mp4 file that FFmpeg did not read, because one before them is damaged."""

from pathlib import Path

from av.container import InputContainer

FRAGMENT = b"moof"
"""Box that every fragment begins with. ISO/IEC 14496-12, 8.8.4."""

CHUNK_BYTES = 2**20
"""Bytes that are searched at once. More cost memory."""


def unread_fragments(container: InputContainer, read_until: int) -> int:
    """Return how many fragments begin behind the last byte of any packet; 0 for what is no file of this machine.

    Args:
        container: An open file, read to its end.
        read_until: Where the last packet ends, bytes.
    """
    if "mp4" not in container.format.name or not container.name.startswith("file:"):
        return 0
    found, tail = 0, b""
    with Path(container.name.removeprefix("file:")).open("rb") as file:
        file.seek(read_until)
        while data := file.read(CHUNK_BYTES):
            found += (tail + data).count(FRAGMENT)
            tail = data[1 - len(FRAGMENT) :]
    return found
