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

from connectors.sources.ffmpeg_words import error_words
from connectors.sources.hardware_decoding import NONE, decoder_of
from connectors.sources.missing_pictures import Hole
from connectors.sources.picture_stream import picture_stream
from connectors.sources.recordings.hidden_pictures import HiddenPictures
from connectors.sources.recordings.packets import Packets
from connectors.sources.recordings.streams_watch import BrokenError, StreamsChangedError, StreamsWatch
from connectors.sources.recordings.unread import num_breaks, what_is_unread
from connectors.sources.recordings.video_files import VideoFile
from pipeline.core.interfaces import PacketTap

USUAL_FPS = Fraction(25)
"""Frames a second that are assumed if the container does not say."""

FORMATS_WITH_DURATION = ("matroska,webm", "flv", "asf", "nut")
"""Formats whose header holds one duration, for pictures and sound. Of others FFmpeg guesses it, unless each has one."""

FORMATS_WITHOUT_PROMISE = ("mpegts", "mpeg", "mpegvideo", "h264", "hevc", "mjpeg")
"""Formats without a header that says how long the file is. What FFmpeg says is a guess from the last packets."""

FORMATS_WITHOUT_STAMPS = ("h264", "hevc", "vvc", "mjpeg", "mpegvideo", "m4v", "dv", "obu")
"""Raw streams. What is missing in them, nothing shows."""

FORMATS_WITHOUT_SIGNS = ("asf",)
"""Formats in which pictures may be missing without a sign: encoders leave some out where nothing moves."""

FORMATS_THAT_COUNT = ("mxf",)
"""Formats whose header has the number of all pictures, also of those that show nothing new."""

ONE_PICTURE_A_PACKET = ("h264", "hevc", "mpeg1video", "mpeg2video")
"""Codecs of which each packet with a time of its own is one picture; others have packets that show nothing."""

MAX_MISSING_SHARE = 0.02
MAX_MISSING_FRAMES = 3
"""A file may be shorter than its header says by the larger of the two, because headers are rounded.

Larger values accept files that were cut off near the end.
"""

MIN_MPEG4_BYTES = 20
"""Bytes of an MPEG-4 packet from which it holds a picture; others say that the one before is shown again."""

THEORA_HEADER = 0x80
"""Bit of a packet of Theora that is no picture, as behind the seam of joined files. Theora specification, 6.1."""

HIDDEN = "the picture says that it is not shown"
NO_PICTURE = "the decoder returned no picture"
NO_KEY = "the recording begins between two key frames"

MAX_AWAITED = 64
"""Pictures that a decoder holds at most; of more, it may be another codec. Larger finds that later."""

LOST = "the container lost it"


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
        self._watch = StreamsWatch(file, container.format.name, stream.id)
        self._stream.codec_context.thread_count = threads
        self._stream.codec_context.thread_type = "AUTO"
        self.decoder = decoder_of(stream, hwaccel)
        # One of the two is often the rate of the clock, which is higher.
        rates = [rate for rate in (self._stream.average_rate, self._stream.guessed_rate) if rate]
        self.frame_s = float(1 / min(rates, default=USUAL_FPS))
        self._packets = Packets(container, stream, self._watch, self.frame_s)
        self._hidden = HiddenPictures(stream.codec_context.name, self.frame_s)
        self._first_pts: int | None = None
        self._num_bad = self._num_pictures = 0
        self._last_s = 0.0
        self._bad: list[tuple[int, str]] = []
        self._has_key = False
        self._num_mpeg4 = 0
        self._before_key: list[int] = []
        self._awaited: Counter[int] = Counter()
        self._last_pts: float = -inf

    @property
    def why_blind(self) -> str:
        """Why pictures that are missing in the file cannot be noticed, in words; empty if they can."""
        if self._container.format.name in FORMATS_WITHOUT_STAMPS:
            return "is a raw stream without times"
        is_blind = self._container.format.name in FORMATS_WITHOUT_SIGNS
        return "is ASF, which does not tell a pause from a loss" if is_blind else ""

    @property
    def num_interruptions(self) -> int:
        """Places so far where packets are missing."""
        return self._packets.num_interruptions

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
        for packet in self._packets.read():
            if isinstance(packet, Hole):
                self._num_bad += len(packet.stamps)
                for stamp in packet.stamps:
                    heapq.heappush(self._bad, (stamp, LOST))
                continue
            if self._stream.codec_context.name == "theora" and memoryview(packet)[0] & THEORA_HEADER:
                continue
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
                self._packets.num_damages += 1
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
                self._packets.num_damages += picture.is_corrupt
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
        if self._packets.broken is not None:
            raise self._packets.broken

    def _bad_before(self, pts: int | None) -> Iterator[BadPicture]:
        """Yield the bad pictures that would be shown before a time; None for all."""
        while self._bad and (pts is None or self._bad[0][0] < pts):
            bad_pts, reason = heapq.heappop(self._bad)
            known = self._first_pts is not None and bad_pts >= self._first_pts and self._stream.time_base is not None
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
            for _ in range(self._num_mpeg4 - self._num_pictures - self._num_bad + self._packets.num_lost):
                self._num_bad += 1
                yield BadPicture(None, NO_PICTURE)

    def _check_end(self) -> Iterator[BadPicture]:
        """Yield what damage took out of the container as a whole.

        Raises:
            BrokenError: If the header promised clearly more than there was, both by number and by time, as far as it
                says.
        """
        if self._packets.num_read == 0 or self._num_pictures == 0:
            raise BrokenError("no picture")
        if self._container.format.name in FORMATS_WITHOUT_PROMISE:
            return
        self._packets.num_interruptions += num_breaks(self._container)
        if (unread := what_is_unread(self._container, self._packets.read_until)) and not self.num_interruptions:
            raise BrokenError(unread)
        # Of a recording of uneven times, the rate in the header may be that of its clock.
        frame_s = max(self.frame_s, self._last_s / self._num_pictures)
        promises: list[tuple[float, float]] = []
        if self._stream.frames > 0:
            promises.append((self._packets.num_read + self._packets.num_lost, self._stream.frames))
        if self._container.duration is not None and self._container.format.name in FORMATS_WITH_DURATION:
            promised_s = self._container.duration / av.time_base
            if self._container.format.name == "nut":  # says when the last picture begins
                promised_s += frame_s
            promises.append((self._packets.ends_at_s / frame_s, promised_s / frame_s))
        elif self._stream.duration is not None and self._stream.time_base is not None:
            promised_s = float(self._stream.duration * self._stream.time_base)
            promises.append((self._last_s / frame_s + 1, promised_s / frame_s))
        # Where an index says how many there are, and some are missing inside, it was not cut off.
        if (
            promises
            and not self._packets.may_miss
            and all(
                there < promised - max(MAX_MISSING_FRAMES, MAX_MISSING_SHARE * promised) for there, promised in promises
            )
        ):
            raise BrokenError(f"the end where the header promises {promises[0][1]:.0f} frames,")
        is_damaged = self._num_bad or self.num_interruptions or self._packets.may_miss
        if is_damaged or self._container.format.name in FORMATS_THAT_COUNT:
            for _ in range(self._num_promised() - self._packets.num_read - self._packets.num_lost):
                yield BadPicture(None, LOST)

    def _num_promised(self) -> int:
        """Return how many pictures the index has, or the header counts; 0 if neither does, or only the seconds."""
        rate, duration = self._stream.average_rate, self._stream.duration
        counts = rate is not None and self._stream.time_base is not None and rate * self._stream.time_base == 1
        return self._packets.num_indexed or self._stream.frames or (duration if counts and duration is not None else 0)
