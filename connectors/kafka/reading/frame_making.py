"""Makes frames from the messages of one camera."""

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from kafka.consumer.fetcher import ConsumerRecord
from numpy.typing import NDArray

from connectors.kafka.frame_message import Fault, FaultyMessageError, FrameNumbering
from connectors.kafka.reading.dead_letters import DeadLetters
from connectors.kafka.reading.message_form import MessageForm, SentFrame
from connectors.kafka.reading.offsets import Offsets
from connectors.kafka.reading.sent_time import SentClock
from connectors.kafka.reading.time_merge import TimeMerge
from connectors.pictures.encoded_image import Encoding, decode_image
from connectors.pictures.h264 import H264Decoder, is_key_frame
from connectors.sources.damage import DamageLog
from connectors.sources.stream_clock import StreamClock
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import FrameDecodeError
from pipeline.core.records.source_report import SourceReport

logger = logging.getLogger(__name__)

NUM_RECENT = 64
"""Newest frames among which a frame that was sent twice is recognised: twice what ``passerby publish`` has in flight.

More take a short film that is sent again and again for repeats.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A message and the frame in it, with the picture still encoded."""

    message: ConsumerRecord
    frame: SentFrame


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A message in its turn.

    Attributes:
        sent: The message.
        image: Its picture; None: not decoded yet.
        key_frame: Offset of the key frame that a unit of H.264 needs; None for other pictures.
    """

    sent: Sent
    image: NDArray[np.uint8] | None
    key_frame: int | None


class FrameMaking:
    """Turns messages into frames with ascending indices and times. Faulty messages are dead-lettered and counted.

    ``StreamClock`` says what is made of times that do not ascend; the broker's timestamps of the messages confirm
    pauses. A live camera decodes only the pictures that it yields.

    Args:
        camera_id: The camera.
        form: Reads its messages.
        live: Whether it is a live camera.
        max_ahead_s: Seconds that the time of a frame may be ahead of this machine's clock before that is told.
        max_bad_in_a_row: Faulty messages in a row after which the camera is given up; None: never.

    Attributes:
        faults: Messages that were dead-lettered or, without a topic for that, only counted, by reason.
        first_fault: What was wrong with the first of them; empty if there is none.
    """

    def __init__(
        self, camera_id: str, form: MessageForm, *, live: bool, max_ahead_s: float, max_bad_in_a_row: int | None
    ) -> None:
        self._camera_id = camera_id
        self._form = form
        self._live = live
        self._max_ahead_s = max_ahead_s
        self._damage = DamageLog(camera_id, max_in_a_row=max_bad_in_a_row)
        self._resumed: FrameStamp | None = None
        self._numbering = FrameNumbering()
        self._times = self._new_times()
        self._decoder = H264Decoder()
        self._key_frames: dict[int, int] = {}
        self._is_ahead = False
        self.faults: Counter[str] = Counter()
        self.first_fault = ""

    @property
    def num_bad(self) -> int:
        """Messages that were dead-lettered or, without a topic for that, only counted."""
        return self._damage.num_bad

    def report(self, left_out: Mapping[str, int]) -> SourceReport:
        """Return what was repaired and left out.

        Args:
            left_out: Further messages that gave no frame, by reason.
        """
        counts = {name: count for name, count in {**self.faults, **left_out}.items() if count}
        clock = self._times.clock
        return SourceReport(self._damage.times, clock.num_repaired, clock.gaps, counts, shift_s=clock.shift_s)

    def resume(self, stamp: FrameStamp) -> None:
        """Continue after a frame that another process reached."""
        self._resumed = stamp
        self._numbering = FrameNumbering(stamp)
        if self._live:
            self._times.clock.go_on(stamp.captured_at)

    def begin(self) -> None:
        """Begin a recording from its start: indices and times as the first time."""
        self.lose_units()
        self._times = self._new_times()
        if self._resumed is None:
            self._numbering = FrameNumbering()

    def lose_units(self) -> None:
        """Forget the units of H.264 so far, because some are missing: go on at the next key frame."""
        self._decoder = H264Decoder()

    def put(self, message: ConsumerRecord, merge: TimeMerge[Sent], letters: DeadLetters) -> None:
        """Let a message wait for its turn; a faulty one is dead-lettered."""
        try:
            frame = self._form.read(message)
        except FaultyMessageError as error:
            self._dead_letter(message, error, None, letters)
            return
        now = time.monotonic()
        is_logged = not self._live and message.timestamp is not None and message.timestamp > 0
        merge.put(
            message.partition,
            frame.captured_at,
            Sent(message, frame),
            offset=message.offset,
            arrived=min(now, now - time.time() + message.timestamp / 1000) if is_logged else now,
            num_bytes=len(frame.picture),
        )

    def take(self, sent: Sent, offsets: Offsets, letters: DeadLetters) -> Iterator[tuple[Taken, float]]:
        """Take the next message of the camera; yield those whose time is now decided, with that time, Unix seconds.

        Units of H.264 are decoded, because the next one needs them. Other pictures are decoded in a recording: a faulty
        message may claim any time. Those that are known or live are not, which saves time.
        """
        frame, message = sent.frame, sent.message
        image, key_frame = None, None
        try:
            if self._times.is_repeat(frame):
                raise FaultyMessageError(Fault.REPEAT, f"frame {frame.index}: expected once, got it twice")
            if frame.encoding is Encoding.H264:
                if self._live and not (self._decoder.has_begun or is_key_frame(frame.picture)):
                    yield Taken(sent, None, None), frame.captured_at
                    return
                image = self._decoder.decode(frame.picture, frame.size_hw)
                if is_key_frame(frame.picture):
                    self._key_frames[message.partition] = message.offset
                key_frame = self._key_frames.get(message.partition)
            elif not (self._live or self._is_known(sent, frame.captured_at, offsets)):
                image = _decoded(frame)
        except FrameDecodeError as error:
            self._dead_letter(message, FaultyMessageError(Fault.IMAGE, str(error)), frame.captured_at, letters)
        except FaultyMessageError as error:
            self._dead_letter(message, error, frame.captured_at, letters)
        else:
            yield from self._times.push(Taken(sent, image, key_frame))

    def is_late(self, sent: Sent) -> bool:
        """Return whether a live frame was overtaken by a newer one in another partition; asked once for each.

        It has nothing to do with the sender's clock, which stands in its partition as before.
        """
        is_late = self._times.is_late(sent)
        if is_late and sent.frame.encoding is Encoding.H264:
            self.lose_units()
        return is_late

    def rest(self) -> Iterator[tuple[Taken, float]]:
        """Yield the messages that still wait for their time: nothing more will come."""
        yield from self._times.flush()

    def end(self) -> None:
        """Learn that a recording ended; the next one may begin with the same times."""
        self._times.recent.clear()

    def held(self) -> Mapping[int, int]:
        """Return the offset of the first message that waits for its time, by partition."""
        return self._times.first_held()

    def is_decodable(self, taken: Taken) -> bool:
        """Return whether all units of H.264 that a frame needs were there."""
        return taken.sent.frame.encoding is not Encoding.H264 or taken.image is not None

    def frame(self, taken: Taken, at: float, offsets: Offsets, letters: DeadLetters) -> Frame | None:
        """Return the frame; None if it was processed before, or is no picture."""
        sent = taken.sent
        self._tell_ahead(at)
        if self._is_known(sent, at, offsets):
            return None
        try:
            image = _decoded(sent.frame) if taken.image is None else taken.image
        except FrameDecodeError as error:
            self._dead_letter(sent.message, FaultyMessageError(Fault.IMAGE, str(error)), at, letters)
            return None
        index = self._numbering.next_index if sent.frame.index is None else sent.frame.index
        stamp = self._numbering.stamp(self._camera_id, FrameStamp(self._camera_id, index, at))
        self._damage.good()
        if not self._live:
            self._resumed = None
        return Frame(stamp, image)

    def _is_known(self, sent: Sent, at: float, offsets: Offsets) -> bool:
        return offsets.is_known(sent.message.partition, sent.message.offset) or (
            not self._live and self._resumed is not None and at <= self._resumed.captured_at
        )

    def _new_times(self) -> "_Times":
        return _Times(StreamClock(self._camera_id, is_absolute=True))

    def _tell_ahead(self, at: float) -> None:
        ahead_s = at - time.time()
        if not self._is_ahead and ahead_s > self._max_ahead_s:
            self._is_ahead = True
            logger.warning(
                "camera %s: its times are %.1f s ahead of this machine's clock; its frames are read all the same; set "
                "the sender's clock (a time without a zone counts as UTC)",
                self._camera_id,
                ahead_s,
            )

    def _dead_letter(
        self, message: ConsumerRecord, error: FaultyMessageError, at: float | None, letters: DeadLetters
    ) -> None:
        self.faults[error.fault.value] += 1
        self.first_fault = self.first_fault or str(error)
        letters.put(message, error)
        self._damage.bad(at, str(error))


class _Times:
    """The times of one reading of a camera.

    Attributes:
        clock: Decides them.
        held: Messages whose times are not decided yet.
        recent: Index and time of the newest frames.
    """

    def __init__(self, clock: StreamClock[Taken]) -> None:
        self.clock = clock
        self.held: deque[Taken] = deque()
        self._coarse = SentClock()
        self._logged: float | None = None
        self._newest_at = self._newest_logged = -math.inf
        self._logged_in: dict[int, float] = {}
        self.recent: deque[tuple[int | None, float]] = deque(maxlen=NUM_RECENT)

    def push(self, taken: Taken) -> Iterator[tuple[Taken, float]]:
        """Take a message, and yield those whose time is now decided."""
        frame, timestamp = taken.sent.frame, taken.sent.message.timestamp
        logged = timestamp / 1000 if timestamp is not None and timestamp > 0 else None
        elapsed_s = None if logged is None or self._logged is None else logged - self._logged
        self._logged = logged
        at = frame.captured_at if frame.is_own else self._coarse.at(frame.captured_at, logged or 0.0)
        self.held.append(taken)
        yield from self._released(self.clock.push(taken, at, elapsed_s=elapsed_s))

    def is_late(self, sent: Sent) -> bool:
        """Return whether a message is older than the newest in time, though not than the one before in its partition.

        Where a clock was set back, the messages of each partition go back as well.
        """
        partition, at, logged = sent.message.partition, sent.frame.captured_at, (sent.message.timestamp or 0) / 1000
        before = self._logged_in.get(partition, -math.inf)
        self._logged_in[partition] = logged
        if at <= self._newest_at and before <= logged < self._newest_logged:
            return True
        self._newest_at, self._newest_logged = at, logged
        return False

    def flush(self) -> Iterator[tuple[Taken, float]]:
        """Yield the messages that are held; nothing more will come."""
        yield from self._released(self.clock.flush())

    def _released(self, decided: Sequence[tuple[Taken, float]]) -> Iterator[tuple[Taken, float]]:
        for each in decided:
            self.held.popleft()
            yield each

    def first_held(self) -> Mapping[int, int]:
        """Return the offset of the first message that is held, by partition."""
        found: dict[int, int] = {}
        for taken in self.held:
            found.setdefault(taken.sent.message.partition, taken.sent.message.offset)
        return found

    def is_repeat(self, frame: SentFrame) -> bool:
        """Return whether a frame with the same index and time came just before; notes it."""
        if not frame.is_own:
            return False
        if (frame.index, frame.captured_at) in self.recent:
            return True
        self.recent.append((frame.index, frame.captured_at))
        return False


def _decoded(frame: SentFrame) -> NDArray[np.uint8]:
    assert frame.encoding is not None
    return decode_image(frame.picture, frame.encoding, frame.size_hw)
