"""Makes frames from the messages of one camera."""

import time
from dataclasses import dataclass

from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.dead_letters import DeadLetters
from connectors.kafka.frame_message import Fault, FaultyMessageError, FrameNumbering
from connectors.kafka.message_form import MessageForm, SentFrame
from connectors.kafka.offsets import Offsets
from connectors.kafka.sent_time import SentClock
from connectors.pictures.encoded_image import Encoding, decode_image
from connectors.pictures.h264 import H264Decoder, is_key_frame
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import FrameDecodeError


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """A message and the frame in it, with the picture still encoded."""

    message: ConsumerRecord
    frame: SentFrame


class FrameMaking:
    """Turns messages into frames with increasing indices and times. Faulty messages are dead-lettered and counted.

    Args:
        camera_id: The camera.
        form: Reads its messages.
        max_ahead_s: Seconds that the time of a frame may be ahead of this machine's clock.

    Attributes:
        num_bad: Messages that were dead-lettered or, without a topic for that, only counted.
    """

    def __init__(self, camera_id: str, form: MessageForm, *, max_ahead_s: float) -> None:
        self._camera_id = camera_id
        self._form = form
        self._max_ahead_s = max_ahead_s
        self._resumed: FrameStamp | None = None
        self._numbering = FrameNumbering()
        self._clock = SentClock()
        self._decoder = H264Decoder()
        self.num_bad = 0

    def resume(self, stamp: FrameStamp) -> None:
        """Continue after a frame that another process reached."""
        self._resumed = stamp
        self._numbering = FrameNumbering(stamp)

    def begin(self) -> None:
        """Begin a recording from its start: indices and times as the first time."""
        self.lose_units()
        self._clock = SentClock()
        if self._resumed is None:
            self._numbering = FrameNumbering()

    def lose_units(self) -> None:
        """Forget the units of H.264 so far, because some are missing: go on at the next key frame."""
        self._decoder = H264Decoder()

    def is_decodable(self, sent: Sent) -> bool:
        """Return whether all units of H.264 that a frame needs are there."""
        return sent.frame.encoding is not Encoding.H264 or (self._decoder.has_begun or is_key_frame(sent.frame.picture))

    def sent(self, message: ConsumerRecord, letters: DeadLetters) -> Sent | None:
        """Return what a message holds; None if it is faulty."""
        try:
            frame = self._form.read(message)
            ahead_s = frame.captured_at - time.time()
            if frame.encoding is not None and ahead_s > self._max_ahead_s:
                raise FaultyMessageError(
                    Fault.FUTURE,
                    f"captured_at: expected the past, got {ahead_s:.1f} s in the future; set the sender's clock "
                    "(a time without a zone counts as UTC)",
                )
        except FaultyMessageError as error:
            self._dead_letter(message, error, letters)
            return None
        return Sent(message, frame)

    def frame(self, sent: Sent, offsets: Offsets, letters: DeadLetters) -> Frame | None:
        """Return the frame; None if it was processed before, or is faulty (not a picture, or too early)."""
        message, frame = sent.message, sent.frame
        assert frame.encoding is not None
        at = frame.captured_at if frame.is_own else self._clock.at(frame.captured_at, (message.timestamp or 0) / 1000)
        is_known = offsets.is_known(message.partition, message.offset) or (
            self._resumed is not None and at <= self._resumed.captured_at
        )
        try:
            if frame.encoding is Encoding.H264:
                image = self._decoder.decode(frame.picture, frame.size_hw)
                if is_key_frame(frame.picture):
                    offsets.key_frames[message.partition] = message.offset
            elif not is_known:
                image = decode_image(frame.picture, frame.encoding, frame.size_hw)
            if is_known:
                return None
            # Not before decoding: a faulty message may claim any time, and the next frames would count as too late.
            index = self._numbering.next_index if frame.index is None else frame.index
            stamp = self._numbering.stamp(self._camera_id, FrameStamp(self._camera_id, index, at))
        except FrameDecodeError as error:
            self._dead_letter(message, FaultyMessageError(Fault.IMAGE, str(error)), letters)
            return None
        except FaultyMessageError as error:
            self._dead_letter(message, error, letters)
            return None
        self._resumed = None
        return Frame(stamp, image)

    def _dead_letter(self, message: ConsumerRecord, error: FaultyMessageError, letters: DeadLetters) -> None:
        self.num_bad += 1
        letters.put(message, error)
