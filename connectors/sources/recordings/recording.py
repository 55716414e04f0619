"""An open video file: its packets, the pictures in them, and what is damaged."""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import av
import av.error
from av.container import InputContainer

from connectors.sources.hardware_decoding import NONE, decoder_of
from connectors.sources.picture_stream import picture_stream
from connectors.sources.recordings.fragments import unread_fragments
from connectors.sources.recordings.hidden_pictures import HiddenPictures
from connectors.sources.recordings.packet_holes import PacketHoles
from connectors.sources.recordings.streams_watch import BrokenError, StreamsChangedError, StreamsWatch
from connectors.sources.recordings.video_files import VideoFile
from pipeline.core.interfaces import PacketTap

USUAL_FPS = Fraction(25)
"""Frames a second that are assumed if the container does not say."""

FORMATS_WITH_DURATION = ("matroska,webm", "flv", "asf")
"""Formats whose header holds a duration. In others without a duration of each stream, FFmpeg guesses from the size."""

FORMATS_WITHOUT_PROMISE = ("mpegts", "mpeg", "mpegvideo", "h264", "hevc", "mjpeg")
"""Formats without a header that says how long the file is. What FFmpeg says is a guess from the last packets."""

ONE_PICTURE_A_PACKET = ("h264", "hevc", "mpeg1video", "mpeg2video")
"""Codecs of which each packet with a time of its own is one picture; others have packets that show nothing."""

MAX_MISSING_SHARE = 0.02
MAX_MISSING_FRAMES = 3
"""A file may be shorter than its header says by the larger of the two, because headers are rounded.

Larger values accept files that were cut off near the end.
"""

MIN_MPEG4_BYTES = 20
"""Bytes of an MPEG-4 packet from which it holds a picture; others say that the one before is shown again."""

HIDDEN = "the picture says that it is not shown"
NO_PICTURE = "the decoder returned no picture"
NO_KEY = "the recording begins between two key frames"

MAX_AWAITED = 64
"""Pictures that a decoder holds at most; of more, it may be another codec. Larger finds that later."""

MAX_READ_ERRORS = 20
"""Errors of the container in a row after which it is given up. More search longer for the next packet."""


@dataclass(frozen=True, slots=True)
class BadPicture:
    """A picture that cannot be decoded.

    Attributes:
        seconds: Its presentation time, seconds after the first picture; None if it is not known.
        reason: What is wrong with it.
    """

    seconds: float | None
    reason: str


class Recording:
    """An open file.

    Args:
        container: The file.
        threads: Threads of the decoder; at least 1.
        hwaccel: See ``hardware_decoding``.
        tap: Sees each packet before it is decoded.
        file: What the container was opened from; None: nothing that can go on with other streams.

    Attributes:
        frame_s: Seconds of one frame, as the header says.
        decoder: What decodes it.
        num_interruptions: Places so far where packets are missing.

    Raises:
        BrokenError: If it holds no pictures.
        HardwareDecodingError: If the device that ``hwaccel`` names cannot decode it.
    """

    def __init__(
        self,
        container: InputContainer,
        threads: int,
        hwaccel: str = NONE,
        tap: PacketTap | None = None,
        file: VideoFile | None = None,
    ) -> None:
        self._container = container
        self._tap = tap
        stream = picture_stream(container, file.announced if file is not None else ())
        if stream is None:
            raise BrokenError("no pictures that can be decoded, at most sound,")
        self._stream = stream
        self._seen: set[int] = set()
        self._read_until = 0
        self._watch = StreamsWatch(file, container.format.name, stream.id)
        self._holes = PacketHoles(container.format.name)
        self._stream.codec_context.thread_count = threads
        self._stream.codec_context.thread_type = "AUTO"
        self.decoder = decoder_of(stream, hwaccel)
        # One of the two is often the rate of the clock, which is higher.
        rates = [rate for rate in (self._stream.average_rate, self._stream.guessed_rate) if rate]
        self.frame_s = float(1 / min(rates, default=USUAL_FPS))
        self._hidden = HiddenPictures(stream.codec_context.name, self.frame_s)
        self._first_pts: int | None = None
        self._num_packets = self._num_bad = self._num_pictures = 0
        self._last_s = 0.0
        self._ends_at_s = 0.0
        self._bad: list[tuple[int, str]] = []
        self._has_key = False
        self._num_mpeg4 = 0
        self._before_key: list[int] = []
        self._awaited: Counter[int] = Counter()
        self._last_pts: float = -inf
        self.num_interruptions = 0

    def pictures(self) -> Iterator[tuple[int, av.VideoFrame | BadPicture]]:
        """Yield frame numbers and pictures, in presentation order; a damaged one has its number, too.

        Pictures that cannot be decoded because a recording begins between two key frames are bad as well.

        Raises:
            StreamsChangedError: If it goes on with other streams; some pictures before were not yielded then.
            BrokenError: If the file was cut off, after all complete pictures were yielded.
        """
        number = 0
        broken: BrokenError | None = None
        decoded = self._decoded()
        while True:
            try:
                found = next(decoded, None)
            except StreamsChangedError:
                raise
            except BrokenError as error:
                broken = error
                break
            if found is None:
                break
            if isinstance(found, BadPicture):
                yield number, found
                number += 1
                continue
            self._note_undecodable(found.pts)
            self._note_swallowed(found.pts)
            if self._first_pts is None and self._bad and found.pts is not None:
                self._first_pts = min(self._bad[0][0], found.pts)
            for bad in self._bad_before(found.pts):
                yield number, bad
                number += 1
            self._num_pictures += 1
            yield number, found
            number += 1
        for bad in (*self._bad_before(None), *self._never_shown(), *self._lost_of_mpeg4()):
            yield number, bad
            number += 1
        if broken is None:
            for bad in self._check_end():
                yield number, bad
                number += 1
        if broken is not None:
            raise broken

    def seconds(self, picture: av.VideoFrame, number: int) -> float | None:
        """Return the presentation time of a picture, seconds after the first one; None if the file does not say.

        In a file without any times they follow from the frame rate.
        """
        # Not the picture's own time base: pictures that the decoder held to the end have none.
        if picture.pts is None or self._stream.time_base is None:
            if self._first_pts is not None:
                return None
            self._last_s = number * self.frame_s
        else:
            self._last_s = self._since_first(picture.pts)
        return self._last_s

    def length_s(self, picture: av.VideoFrame) -> float | None:
        """Return how long a picture is shown, seconds; None if the file does not say."""
        if not picture.duration or self._stream.time_base is None:
            return None
        return float(picture.duration * self._stream.time_base)

    def _since_first(self, pts: int) -> float:
        assert self._stream.time_base is not None
        if self._first_pts is None:
            self._first_pts = pts
        return float((pts - self._first_pts) * self._stream.time_base)

    def _decoded(self) -> Iterator[av.VideoFrame | BadPicture]:
        """Yield the decoded pictures of all complete packets, and those that are bad and have no time."""
        broken: list[BrokenError] = []
        for packet in self._until_broken(broken):
            self._num_packets += 1
            self._num_mpeg4 += packet.size >= MIN_MPEG4_BYTES
            if self._tap is not None:
                self._tap.packet(packet)
            if (hidden := self._hidden.before(packet)) is not None:
                self._num_bad += 1
                heapq.heappush(self._bad, (hidden, HIDDEN))
            try:
                pictures = packet.decode()
            except av.error.FFmpegError as error:
                self._watch.check_codec()
                self._num_bad += 1
                if packet.pts is None:
                    yield BadPicture(None, error_words(error))
                else:
                    heapq.heappush(self._bad, (packet.pts, error_words(error)))
                continue
            self._has_key = self._has_key or packet.is_keyframe
            if packet.pts is not None and not packet.is_discard:
                self._awaited[packet.pts] += 1
                if not self._has_key:
                    self._before_key.append(packet.pts)
                if len(self._awaited) > MAX_AWAITED:
                    self._watch.check_codec()
            for picture in pictures:
                self._came(picture.pts)
                yield picture
        # The decoder still holds pictures that it reorders.
        try:
            for picture in self._stream.codec_context.decode(None):
                self._came(picture.pts)
                yield picture
        except av.error.FFmpegError:
            pass  # it held none
        if self._awaited:
            self._watch.check_codec()
        if broken:
            raise broken[0]

    def _until_broken(self, broken: list[BrokenError]) -> Iterator[av.Packet]:
        """Yield whole packets; put the error that ends them into ``broken``, so that the decoder is emptied first.

        Not where the streams change: what is read again begins behind the last picture in presentation order.
        """
        try:
            yield from self._whole_packets()
        except StreamsChangedError:
            raise
        except BrokenError as error:
            broken.append(error)

    def _bad_before(self, pts: int | None) -> Iterator[BadPicture]:
        """Yield the bad pictures that would be shown before a time; None for all."""
        while self._bad and (pts is None or self._bad[0][0] < pts):
            bad_pts, reason = heapq.heappop(self._bad)
            known = self._first_pts is not None and self._stream.time_base is not None
            yield BadPicture(self._since_first(bad_pts) if known else None, reason)

    def _came(self, pts: int | None) -> None:
        """Await the picture of a packet no longer; only those in the decoder are kept, however long the file is."""
        self._awaited[pts or 0] -= 1
        if self._awaited[pts or 0] == 0:
            del self._awaited[pts or 0]

    def _note_undecodable(self, pts: int | None) -> None:
        """Take for bad what stands before the first key frame and before the first picture, so that it has its number.

        A recording that is refreshed bit by bit has no key frames, and its pictures are decoded.
        """
        if self._has_key and pts is not None and self._stream.codec_context.name in ONE_PICTURE_A_PACKET:
            for before in [each for each in self._before_key if each < pts and self._awaited[each]]:
                self._came(before)
                self._num_bad += 1
                heapq.heappush(self._bad, (before, NO_KEY))
        self._before_key.clear()

    def _note_swallowed(self, pts: int | None) -> None:
        """Take for bad what the decoder took without a word and should have returned by now, so that it has its number.

        Only in a file that is damaged: elsewhere a decoder may return pictures in another order at first.
        """
        if pts is None:
            return
        if (self._num_bad or self.num_interruptions) and self._stream.codec_context.name in ONE_PICTURE_A_PACKET:
            for missing in [each for each in self._awaited if self._last_pts < each < pts]:
                for _ in range(self._awaited.pop(missing)):
                    self._num_bad += 1
                    heapq.heappush(self._bad, (missing, NO_PICTURE))
        self._last_pts = pts

    def _never_shown(self) -> Iterator[BadPicture]:
        """Yield the pictures that the decoder took and never returned."""
        if self._stream.codec_context.name not in ONE_PICTURE_A_PACKET or self._first_pts is None:
            return
        for pts in sorted(self._awaited):
            for _ in range(self._awaited[pts]):
                self._num_bad += 1
                yield BadPicture(self._since_first(pts), NO_PICTURE)

    def _lost_of_mpeg4(self) -> Iterator[BadPicture]:
        """Yield what the decoder of MPEG-4 dropped; a packet may hold two pictures, so only the sum shows it."""
        if self._stream.codec_context.name == "mpeg4":
            for _ in range(self._num_mpeg4 - self._num_pictures - self._num_bad):
                self._num_bad += 1
                yield BadPicture(None, NO_PICTURE)

    def _whole_packets(self) -> Iterator[av.Packet]:
        """Yield packets; raise if the last one is incomplete."""
        corrupt: list[av.Packet] = []
        for packet in self._packets():
            if packet.pts is not None:
                self._ends_at_s = max(self._ends_at_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != self._stream.index:
                continue
            if packet.is_corrupt:
                corrupt.append(packet)
                continue
            # Inside a transport stream, a packet that is marked as corrupt may still hold a complete picture.
            self.num_interruptions += len(corrupt)
            yield from corrupt
            corrupt.clear()
            yield packet
        if corrupt:
            raise BrokenError("an incomplete picture at the end")

    def _packets(self) -> Iterator[av.Packet]:
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
                num_errors = 0
                self._read_until = max(self._read_until, (packet.pos or 0) + packet.size)
                self.num_interruptions += self._holes.is_behind_one(packet)
                if packet.stream_index == self._stream.index:
                    self._watch.read_until(packet.pos or 0)
                elif self._num_packets and packet.stream_index not in self._seen and packet.stream.type == "video":
                    self._watch.check_streams()
                self._seen.add(packet.stream_index)
                yield packet

    def _check_end(self) -> Iterator[BadPicture]:
        """Yield what damage took out of the container as a whole.

        Raises:
            BrokenError: If the header promised clearly more than there was, both by number and by time, as far as it
                says.
        """
        if self._num_packets == 0 or self._num_pictures == 0:
            raise BrokenError("no picture")
        if self._container.format.name in FORMATS_WITHOUT_PROMISE:
            return
        if (num_unread := unread_fragments(self._container, self._read_until)) > 0:
            raise BrokenError(f"a damaged fragment, and {num_unread} behind it that FFmpeg does not find")
        promises: list[tuple[float, float]] = []
        if self._stream.frames > 0:
            promises.append((self._num_packets, self._stream.frames))
        if self._stream.duration is not None and self._stream.time_base is not None:
            promised_s = float(self._stream.duration * self._stream.time_base)
            promises.append((self._last_s / self.frame_s + 1, promised_s / self.frame_s))
        elif self._container.duration is not None and self._container.format.name in FORMATS_WITH_DURATION:
            promised_s = self._container.duration / av.time_base
            promises.append((self._ends_at_s / self.frame_s, promised_s / self.frame_s))
        # Where an index says how many there are, and some are missing inside, it was not cut off.
        if (
            promises
            and not self._holes.may_miss
            and all(
                there < promised - max(MAX_MISSING_FRAMES, MAX_MISSING_SHARE * promised) for there, promised in promises
            )
        ):
            raise BrokenError(f"the end where the header promises {promises[0][1]:.0f} frames,")
        for _ in range(self._stream.frames - self._num_packets if self._num_bad or self._holes.may_miss else 0):
            yield BadPicture(None, "the container lost it")


def error_words(error: BaseException) -> str:
    """Return what an error says, never nothing."""
    strerror = getattr(error, "strerror", None)
    return str(strerror or error) or type(error).__name__
