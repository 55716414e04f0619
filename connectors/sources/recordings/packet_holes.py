"""Finds places of a file that FFmpeg skipped because they are damaged, without a word."""

import av
from av.packet import PktSideDataT

FORMATS = ("matroska,webm", "flv", "nut")
"""Formats in which packets stand behind one another, with less than 100 bytes between two."""

FORMATS_WITH_INDEX = ("avi",)
"""Formats in which a part of the index may stand between two packets: a hole alone says nothing."""

MIN_HOLE_BYTES = 512
"""Bytes between two packets from which something was skipped. Larger misses small pictures."""

BEHIND_PACKET: PktSideDataT = "matroska_block_additional"
"""What stands behind a packet and belongs to it: transparency, for instance."""


class PacketHoles:
    """Compares where packets end with where the next ones begin.

    Args:
        format_name: The container, as FFmpeg calls it.

    Attributes:
        may_miss: In a format with an index, there was a hole or a part of the index.
    """

    def __init__(self, format_name: str) -> None:
        self._is_looked_at = format_name in FORMATS + FORMATS_WITH_INDEX
        self._is_sure = format_name in FORMATS
        self._end: int | None = None
        self.may_miss = False

    def is_behind_one(self, packet: av.Packet) -> bool:
        """Return whether bytes are surely missing between a packet, of any stream, and the one before it."""
        if not self._is_looked_at or packet.pos is None:
            return False
        is_behind = self._end is not None and packet.pos - self._end >= MIN_HOLE_BYTES
        self._end = None if packet.has_sidedata(BEHIND_PACKET) else packet.pos + packet.size
        self.may_miss = self.may_miss or (is_behind and not self._is_sure)
        return is_behind and self._is_sure
