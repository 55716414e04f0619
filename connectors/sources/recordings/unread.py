"""Finds what FFmpeg did not read of a file of this machine, because it is damaged or was cut off there."""

from pathlib import Path

from av.container import InputContainer

from connectors.sources.recordings.checked_blocks import MAX_TAIL_BYTES, end_of_gif, ogg_breaks
from connectors.sources.recordings.joined_files import EBML_BEGIN, SEGMENT, end_of_element

FRAGMENT = b"moof"
"""Box that every fragment begins with. ISO/IEC 14496-12, 8.8.4."""

CHUNK_BYTES = 2**20
"""Bytes that are searched at once. More cost memory."""

ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""Number of the object that holds the size of an ASF file. Advanced Systems Format, 10.1."""

HEAD_BYTES = 2**16
"""Bytes at the beginning of a file in which its size is looked for."""


def what_is_unread(container: InputContainer, read_until: int) -> str:
    """Return what should have been read behind the last byte of any packet, in words; empty if nothing.

    Args:
        container: An open file, read to its end.
        read_until: Where the last packet ends, bytes.
    """
    path, name = _path(container), container.format.name
    if path is None:
        return ""
    size = path.stat().st_size
    if "mp4" in name and (found := _fragments(path, read_until)):
        return f"a damaged fragment, and {found} behind it that FFmpeg does not find"
    if name == "apng" and size - read_until > MAX_TAIL_BYTES:
        return f"damage, and {size - read_until} bytes behind it that FFmpeg does not read"
    if name == "yuv4mpegpipe" and size - read_until > MAX_TAIL_BYTES:
        return "an incomplete picture at the end"
    with path.open("rb") as file:
        if name == "gif":
            end = end_of_gif(file)
            if end is not None and end >= size:
                return "no end"
            return "" if end is None else f"damage at byte {end} of {size}"
        promised = _promised_bytes(file.read(HEAD_BYTES))
    return f"{size} bytes where the header promises {promised}" if size < promised else ""


def num_breaks(container: InputContainer) -> int:
    """Return at how many places parts of an Ogg file are missing or damaged; of others, 0."""
    path = _path(container)
    if path is None or container.format.name != "ogg":
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in ogg_breaks(file))


def _path(container: InputContainer) -> Path | None:
    return Path(container.name.removeprefix("file:")) if container.name.startswith("file:") else None


def _fragments(path: Path, begin: int) -> int:
    found, tail = 0, b""
    with path.open("rb") as file:
        file.seek(begin)
        while data := file.read(CHUNK_BYTES):
            found += (tail + data).count(FRAGMENT)
            tail = data[1 - len(FRAGMENT) :]
    return found


def _promised_bytes(head: bytes) -> int:
    """Return how long a file of Matroska or ASF should be, as its beginning says; 0 if it does not."""
    if head.startswith(EBML_BEGIN) and (at := head.find(SEGMENT)) > 0:
        length = end_of_element(head[at : at + 12])
        return 0 if length is None else at + length
    if (at := head.find(ASF_PROPERTIES)) > 0:
        return int.from_bytes(head[at + 40 : at + 48], "little")
    return 0
