"""Where a transport stream goes on under other numbers or with another codec, as when two were joined by ``cat``.

PyAV does not know streams that FFmpeg finds while it reads, and of those that it finds at once, one is decoded. So the
file is opened once more from there on.
"""

from pathlib import Path

PACKET_BYTES = 188
SYNC = 0x47
CHUNK_PACKETS = 5_000
"""Packets that are read at once: 940 kB. More cost memory."""

MAX_PICTURE_PACKETS = 50_000
"""Packets in which a break of the numbers is looked for: 9 MB, more than some pictures. More read longer."""

PAT_PID = 0
PAT, PMT = 0x00, 0x02
"""Tables that say which programs there are, and which streams a program has. ISO/IEC 13818-1, 2.4.4."""


def where_streams_change(path: Path, after: int, stream_id: int, codec: int | None = None) -> int | None:
    """Return the byte from which a transport stream of one program no longer announces a stream.

    Args:
        path: The file.
        after: The byte at which a packet begins; what is before is not looked at.
        stream_id: The number (PID) of the stream.
        codec: Return instead where the stream is announced with another codec than this one of ``first_streams``.

    Returns:
        Where the table of programs begins; None if the stream is announced to the end, there are several programs, or
        it is no transport stream.
    """
    announced_at: int | None = None
    programs: set[int] = set()
    with path.open("rb") as file:
        file.seek(after)
        at = after
        while chunk := file.read(CHUNK_PACKETS * PACKET_BYTES):
            for begin in range(0, len(chunk) - PACKET_BYTES + 1, PACKET_BYTES):
                packet = chunk[begin : begin + PACKET_BYTES]
                if packet[0] != SYNC:
                    return None
                pid = (packet[1] & 0x1F) << 8 | packet[2]
                if pid == PAT_PID:
                    announced_at, programs = at + begin, _programs(packet) or programs
                    if len(programs) > 1:
                        return None
                elif pid in programs and (streams := _streams(packet)):
                    has_changed = stream_id not in streams if codec is None else streams.get(stream_id, codec) != codec
                    if has_changed:
                        return announced_at
            at += len(chunk)
    return None


def is_joined(path: Path, after: int, stream_id: int) -> bool:
    """Return whether the next break of a stream's numbers is where another whole transport stream was put behind one.

    There the tables and the stream begin at number 0, and the packet begins a picture. By chance that is one loss in
    four thousand.

    Args:
        path: The file.
        after: The byte at which a packet of the stream begins.
        stream_id: The number (PID) of the stream.
    """
    newest: int | None = None
    tables: dict[int, int] = {}
    with path.open("rb") as file:
        file.seek(after)
        for _ in range(MAX_PICTURE_PACKETS):
            packet = file.read(PACKET_BYTES)
            if len(packet) < PACKET_BYTES or packet[0] != SYNC:
                return False
            pid, number = (packet[1] & 0x1F) << 8 | packet[2], packet[3] & 0xF
            if not packet[3] & 0x10:  # it holds nothing, and is not numbered
                continue
            if pid != stream_id:
                tables[pid] = number
                continue
            if newest is not None and number not in (newest, (newest + 1) % 16):
                begins = bool(packet[1] & 0x40) and number == 0
                return begins and PAT_PID in tables and len(tables) > 1 and not any(tables.values())
            newest, tables = number, {}
    return False


def first_streams(path: Path, begin: int) -> dict[int, int]:
    """Return what a transport stream announces first after a byte: the number of each stream, and that of its codec.

    Nothing if it is no transport stream.
    """
    programs: set[int] = set()
    with path.open("rb") as file:
        file.seek(begin)
        for _ in range(CHUNK_PACKETS):
            packet = file.read(PACKET_BYTES)
            if len(packet) < PACKET_BYTES or packet[0] != SYNC:
                break
            pid = (packet[1] & 0x1F) << 8 | packet[2]
            if pid == PAT_PID:
                programs |= _programs(packet)
            elif pid in programs and (streams := _streams(packet)):
                return streams
    return {}


def _programs(packet: bytes) -> set[int]:
    """Return where the streams of each program are announced."""
    table = _table(packet, PAT)
    entries = table[8:-4]
    found = {(int.from_bytes(entries[at : at + 2]), _pid(entries, at + 2)) for at in range(0, len(entries) - 3, 4)}
    return {pid for number, pid in found if number}  # 0 is the network's own table


def _streams(packet: bytes) -> dict[int, int]:
    """Return the streams of a program, each with its codec (``stream_type``)."""
    table = _table(packet, PMT)
    if len(table) < 16:
        return {}
    at, found = 12 + (_pid(table, 10) & 0xFFF), dict[int, int]()
    while at + 5 <= len(table) - 4:
        found[_pid(table, at + 1)] = table[at]
        at += 5 + (int.from_bytes(table[at + 3 : at + 5]) & 0xFFF)
    return found


def _pid(table: bytes, at: int) -> int:
    return int.from_bytes(table[at : at + 2]) & 0x1FFF


def _table(packet: bytes, kind: int) -> bytes:
    """Return a table that begins in a packet, as far as it is there; empty if another or none does."""
    if not packet[1] & 0x40:
        return b""
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    table = packet[at + 1 + packet[at] :] if at < PACKET_BYTES else b""
    return table[: 3 + (int.from_bytes(table[1:3]) & 0xFFF)] if table[:1] == bytes([kind]) else b""
