"""The packets of one recording: whole ones in order, those behind damage too, and what is missing between them."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from connectors.sources.ffmpeg_words import error_words
from connectors.sources.missing_pictures import Hole, MissingPictures
from connectors.sources.recordings.packet_holes import PacketHoles
from connectors.sources.recordings.streams_watch import BrokenError, StreamsChangedError, StreamsWatch
from connectors.sources.stream_clock import MIN_GAP_S, NEAR

FORMATS_WITH_INDEX = ("mov,mp4,m4a,3gp,3g2,mj2", "avi")
"""Formats whose index names every picture, so that the stamps need not be looked at."""

EVEN_FORMATS = ("mpeg", "mxf")
"""Formats whose pictures have one rate. In others a leap of the stamps is a pause, unless damage was seen near it."""

AVI_HEAD_BYTES = 8
"""Length of the head of a chunk: AVI's index has the place of the head, a packet that of what follows."""

MAX_READ_ERRORS = 20
"""Errors of the container in a row after which it is given up. More search longer for the next packet."""


class Packets:
    """Reads one stream of an open file.

    Args:
        container: The file.
        stream: The pictures.
        watch: Notices other streams.
        frame_s: Seconds of one frame, as the header says.

    Attributes:
        broken: Why the file ended early; None if it did not. Known once ``read`` has ended.
        num_interruptions: Places so far where packets are missing.
        num_damages: Pictures so far of which the decoder told that they are damaged.
        num_read: Whole packets so far.
        num_lost: Pictures in holes so far.
        read_until: Where the last packet of any stream ends, bytes.
        ends_at_s: When the last picture or sound ends, seconds.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, watch: StreamsWatch, frame_s: float) -> None:
        self._container, self._stream, self._watch = container, stream, watch
        self._seen: set[int] = set()
        self._holes = PacketHoles(container.format.name)
        self._is_even = container.format.name in EVEN_FORMATS
        self._missing: MissingPictures | None = None
        if container.format.name not in FORMATS_WITH_INDEX and stream.time_base is not None:
            longest_s = max(MIN_GAP_S, NEAR * frame_s)
            self._missing = MissingPictures(longest_s / float(stream.time_base), needs_damage=not self._is_even)
        entries = list(stream.index_entries) if container.format.name == "avi" else []
        numbers = [entry.timestamp for entry in entries]
        if numbers != sorted(set(numbers)) or numbers[-1:] != [stream.frames - 1]:
            entries = []  # damaged, or not of one chunk a picture; FFmpeg leaves out empty chunks, but counts them
        self._index = {entry.pos + AVI_HEAD_BYTES: entry.timestamp for entry in entries}
        self._with_data = [entry.timestamp for entry in entries if entry.size]
        self._next_in_index = self._shift = 0
        self.broken: BrokenError | None = None
        self.num_interruptions = self.num_damages = self.num_read = self.num_lost = self.read_until = 0
        self.ends_at_s = 0.0

    @property
    def num_indexed(self) -> int:
        """Pictures that the index of an AVI has; 0 if there is none, or it is damaged."""
        return len(self._with_data)

    @property
    def may_miss(self) -> bool:
        """In a format with an index, there was a hole or a part of the index, or the index is not there."""
        return self._holes.may_miss or (self._container.format.name == "avi" and not self._index)

    def read(self) -> Iterator[av.Packet | Hole]:
        """Yield whole packets and, before what is behind it, each hole. Where the file ends early, set ``broken``.

        Raises:
            StreamsChangedError: If it goes on with other streams; some packets before were not yielded then.
        """
        held: deque[av.Packet] = deque()
        num_damages = 0
        try:
            for packet in self._whole():
                yield from self._before_in_index(packet)
                if self._missing is not None:
                    is_damaged = self.num_damages + self.num_interruptions > num_damages
                    num_damages = self.num_damages + self.num_interruptions
                    yield from self._counted(self._missing.push(packet.pts, is_damaged=is_damaged))
                held.append(packet)
                # Where a leap may be a pause, nothing is waited for before there is damage.
                is_sound = self._missing is None or (num_damages == 0 and not self._is_even)
                while held and (is_sound or self._missing is None or len(held) > self._missing.ahead):
                    self.num_read += 1
                    yield held.popleft()
            yield from self._lost_in_index(len(self._index))
        except StreamsChangedError:
            raise
        except BrokenError as error:
            self.broken = error
        if self._missing is not None:
            yield from self._counted(self._missing.flush())
        self.num_read += len(held)
        yield from held

    def _counted(self, holes: list[Hole]) -> list[Hole]:
        self.num_lost += sum(len(hole.stamps) for hole in holes)
        return holes

    def _before_in_index(self, packet: av.Packet) -> list[Hole]:
        """Give a packet of AVI the number that the index has, and return those before it that did not come.

        FFmpeg counts the packets that it finds.
        """
        if not self._index or packet.dts is None:
            return []
        number = self._index.get(packet.pos or 0)
        if number is not None and number >= packet.dts:
            self._shift = number - packet.dts
        if packet.pts is not None:
            packet.pts += self._shift
        packet.dts += self._shift
        return self._lost_in_index(packet.dts)

    def _lost_in_index(self, number: int) -> list[Hole]:
        """Return what the index has between the newest packet and that of a number; go on behind that."""
        begin, end = self._next_in_index, bisect_left(self._with_data, number)
        self._next_in_index = max(begin, bisect_right(self._with_data, number))
        return self._counted([Hole(tuple(self._with_data[begin:end]))] if begin < end else [])

    def _whole(self) -> Iterator[av.Packet]:
        """Yield packets; raise if the last one is incomplete."""
        corrupt: list[av.Packet] = []
        for packet in self._all():
            if packet.pts is not None:
                self.ends_at_s = max(self.ends_at_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != self._stream.index:
                continue
            if packet.is_corrupt and not self._watch.is_joined(packet.pos or 0):
                corrupt.append(packet)
                continue
            # Inside a transport stream, a packet that is marked as corrupt may still hold a complete picture.
            self.num_interruptions += len(corrupt)
            yield from corrupt
            corrupt.clear()
            yield packet
        if corrupt:
            raise BrokenError("an incomplete picture at the end")

    def _all(self) -> Iterator[av.Packet]:
        """Yield the packets of all streams; where the container is damaged, those after the damage."""
        num_errors = 0
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets, None)
            except IndexError:  # PyAV's, for a stream that it did not find when it was opened
                self._watch.check_streams()
                packets = self._container.demux()
                continue
            except (av.error.FFmpegError, OSError) as error:
                num_errors += 1
                if num_errors > MAX_READ_ERRORS or isinstance(error, av.error.EOFError):
                    raise BrokenError(error_words(error)) from error
                packets = self._container.demux()
                continue
            if packet is None:
                return
            if packet.size:
                # What the container reported and is behind one, lost something; an index tells what.
                self.num_interruptions += num_errors > 0 and self._container.format.name not in FORMATS_WITH_INDEX
                num_errors = 0
                self.read_until = max(self.read_until, (packet.pos or 0) + packet.size)
                self.num_interruptions += self._holes.is_behind_one(packet)
                if packet.stream_index == self._stream.index:
                    self._watch.read_until(packet.pos or 0)
                elif self.num_read and packet.stream_index not in self._seen and packet.stream.type == "video":
                    self._watch.check_streams()
                self._seen.add(packet.stream_index)
                yield packet
