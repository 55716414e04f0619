"""Frames of a camera from a Kafka topic: ``kafka://broker:9092/topic?camera=east``.

Needs: kafka-python (extra ``kafka``).
Guarantee: at-least-once by ``ack``, which commits the offset for the group. Messages that are not frames are
dead-lettered.
When slow: a recording waits; a live camera yields the newest frame, and the frames that it dropped are counted.
Secrets: from the environment variables or files that ``security`` names.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing

from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from connectors.kafka.client import client_options, reason, split_uri
from connectors.kafka.dead_letters import DeadLetters
from connectors.kafka.frame_message import Fault, FaultyMessageError, FrameHeader, FrameNumbering, from_headers
from connectors.kafka.partition_reading import PartitionReading, ReadUpTo, TopicMissingError, timestamp_ms
from connectors.pictures.encoded_image import Encoding, decode_image
from connectors.pictures.h264 import H264Decoder, is_key_frame
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, FrameDecodeError, SourceLostError

logger = logging.getLogger(__name__)

POLL_S = 0.1
"""Seconds that one request to the broker waits for messages. Larger values delay ``close``."""


class KafkaSource:
    """Frames of one camera, sent by ``passerby publish`` or any program that follows ``passerby.asyncapi.yaml``.

    The key of a camera's messages is its name, so they are in one partition, in order. The partition may hold messages
    of other cameras, which are skipped. If the URI names the ``partition``, it belongs to the camera alone, and a
    message with another key is faulty.

    Indices are those of the sender. When the sender starts again from 0, they continue from the last one. Times must
    increase in any case.

    H.264 units before the first key frame, and units from a broken one up to the next key frame, cannot be decoded. In
    a recording they are dead-lettered. Live they count as dropped.

    Args:
        camera_id: The camera.
        uri: ``kafka://host:9092,host:9092/topic?camera=NAME&partition=N``; the part from ``?`` may be left out.
        live: True: begin with the newest frame and drop older ones when frames arrive too fast. False: every frame, to
            the end mark of the recording.
        start: Where a recording begins if the group has committed nothing: ``earliest``, ``latest``, an offset, or an
            ISO 8601 time at which a message was written.
        group: Consumer group that ``ack`` commits for; None: nothing is committed.
        dead_letters: Topic for messages that are not frames; None: they are only counted.
        security: See ``connectors.kafka.client.Security``.
        max_ahead_s: Seconds that the time of a frame may be ahead of this machine's clock.
        max_image_px: Pixels of a picture, at most.
        open_timeout_s: Seconds within which a broker must answer.
        read_timeout_s: Seconds without a message after which the camera counts as lost.
        commit_every_s: Seconds between two commits.

    Attributes:
        num_dropped: Frames that were dropped.
        num_bad: Messages that were dead-lettered or, without a topic for that, only counted.

    Raises:
        ConfigError: If the URI or an option cannot be used.
    """

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        live: bool,
        start: int | str,
        group: str | None,
        dead_letters: str | None,
        security: Mapping[str, object],
        max_ahead_s: float,
        max_image_px: int,
        open_timeout_s: float,
        read_timeout_s: float,
        commit_every_s: float,
    ) -> None:
        self.camera_id = camera_id
        self.live = live
        self.num_dropped = 0
        self.num_bad = 0
        key = f"site.cameras.{camera_id}"
        servers, self._topic, query = split_uri(uri, key)
        self._sender = query.pop("camera", camera_id)
        self._partition = _partition(query.pop("partition", None), key)
        if query:
            raise ConfigError(
                f"{key}: expected nothing but camera and partition after the ?, got {', '.join(sorted(query))}"
            )
        self._options = client_options(servers, security, key)
        self._address = f"kafka://{servers}/{self._topic}"
        self._start = _checked_start(start, key)
        self._group = group
        self._dead_letters = dead_letters
        self._max_ahead_s = max_ahead_s
        self._max_image_px = max_image_px
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._commit_every_s = commit_every_s
        self._closed = threading.Event()
        self._next_offset: int | None = None
        self._resume_at: int | None = None
        self._numbering = FrameNumbering()
        self._resumed: FrameStamp | None = None
        self._decoder = H264Decoder()
        self._key_offset = self._known_before = 0
        self._acks = threading.Lock()
        self._is_reading = False
        self._unacked: deque[tuple[int, ReadUpTo]] = deque()
        self._safe: ReadUpTo | None = None
        self._committed: ReadUpTo | None = None

    def check(self) -> None:
        """Ask the broker for the camera's partition.

        Raises:
            ConfigError: If the broker does not answer, or has no such partition.
        """
        try:
            self._open().close()
        except (KafkaError, TopicMissingError) as error:
            raise ConfigError(
                f"site.cameras.{self.camera_id}: expected a topic at {self._address}, got {_words(error)}; "
                "check the address, that the broker is up, and that the topic exists"
            ) from error

    def frames(self) -> Iterator[Frame]:
        """Yield frames; after an error, continue after the last one yielded.

        Raises:
            SourceLostError: If the broker cannot be reached, has lost the messages, or sends no frame for too long.
        """
        if self._closed.is_set():
            return
        try:
            with ExitStack() as stack:
                reading = stack.enter_context(closing(self._open()))
                letters = stack.enter_context(closing(DeadLetters(self._options, self._dead_letters)))
                with self._acks:
                    self._is_reading = True
                stack.callback(self._end_reading, reading, letters)
                reading.seek(self._first_offset(reading))
                yield from self._newest(reading, letters) if self.live else self._all(reading, letters)
        except SourceLostError:
            self._resume_at = self._next_offset
            raise
        except (KafkaError, TopicMissingError) as error:
            self._resume_at = self._next_offset
            raise SourceLostError(
                f"{self._address}: expected frames of {self._sender}, got {_words(error)}; check the broker"
            ) from error

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``: a recording is read from its start, and known frames are skipped."""
        self._resumed = stamp
        self._numbering = FrameNumbering(stamp)

    def ack(self, stamp: FrameStamp) -> None:
        """Let the group continue after ``stamp``: committed soon while frames are read, later by ``close``."""
        with self._acks:
            while self._unacked and self._unacked[0][0] <= stamp.index:
                self._safe = self._unacked.popleft()[1]

    def close(self) -> None:
        """End ``frames`` for good and commit what was acknowledged; idempotent, from any thread."""
        self._closed.set()
        with self._acks:
            if self._is_reading or self._safe == self._committed:
                return
        try:
            with closing(self._open()) as reading:
                self._commit(reading)
        except (KafkaError, TopicMissingError) as error:
            logger.warning(
                "%s: the last offset was not committed, and its frames will be read again: %s",
                self._address,
                _words(error),
            )

    def _open(self) -> PartitionReading:
        return PartitionReading(
            self._options,
            self._topic,
            partition=self._partition,
            key=self._sender.encode(),
            group=self._group,
            open_timeout_s=self._open_timeout_s,
        )

    def _first_offset(self, reading: PartitionReading) -> int | str:
        self._next_offset, self._resume_at = self._resume_at, None
        if self._next_offset is not None and not self.live:
            return self._next_offset
        self._decoder = H264Decoder()
        if self.live:
            return "latest"
        if self._resumed is None:
            self._numbering = FrameNumbering()
        committed = reading.committed()
        if committed is None:
            return self._start
        self._known_before = committed.known_before
        return committed.offset

    def _all(self, reading: PartitionReading, letters: DeadLetters) -> Iterator[Frame]:
        """Yield every frame up to the end mark; never drops one."""
        for messages in self._polls(reading, letters):
            for message in messages:
                header = self._header(message, letters)
                if header is not None and header.encoding is None:
                    self._next_offset = None
                    return
                frame = None if header is None else self._frame(message, header, letters)
                self._next_offset = message.offset + 1
                if frame is not None:
                    yield frame
                if self._closed.is_set():
                    return

    def _newest(self, reading: PartitionReading, letters: DeadLetters) -> Iterator[Frame]:
        """Yield the newest frame whenever there is one."""
        newest: tuple[ConsumerRecord, FrameHeader] | Frame | None = None
        for messages in self._polls(reading, letters):
            for message in messages:
                header = self._header(message, letters)
                if header is None or header.encoding is None:
                    continue
                found: tuple[ConsumerRecord, FrameHeader] | Frame | None = (message, header)
                if header.encoding is Encoding.H264:  # each unit must be decoded, because the next one needs it
                    if not (self._decoder.has_begun or is_key_frame(message.value or b"")):
                        self.num_dropped += 1
                        continue
                    found = self._frame(message, header, letters)
                if found is not None:
                    self.num_dropped += newest is not None
                    newest = found
            if newest is not None and not reading.is_behind():
                frame = newest if isinstance(newest, Frame) else self._frame(*newest, letters)
                newest = None
                if frame is not None:
                    yield frame

    def _polls(self, reading: PartitionReading, letters: DeadLetters) -> Iterator[list[ConsumerRecord]]:
        """Yield messages as they arrive and commit in between; end when the source is closed."""
        heard_at = committed_at = time.monotonic()
        while not self._closed.is_set():
            messages = list(reading.poll(POLL_S))
            now = time.monotonic()
            if messages:
                yield messages
                heard_at = now = time.monotonic()
            elif now - heard_at > self._read_timeout_s:
                raise SourceLostError(
                    f"{self._address}: expected a message of {self._sender}, got none in {self._read_timeout_s:g} s; "
                    "check that it is published"
                )
            if now - committed_at >= self._commit_every_s:
                letters.flush()
                self._commit(reading)
                committed_at = now

    def _header(self, message: ConsumerRecord, letters: DeadLetters) -> FrameHeader | None:
        """Return the headers of a message; None if it is of another camera, or faulty."""
        try:
            if message.key != self._sender.encode():
                if self._partition is None:
                    return None
                raise FaultyMessageError(Fault.KEY, f"key: expected {self._sender}, got {message.key!r:.60}")
            header = from_headers(message.headers, camera_id=self._sender, max_image_px=self._max_image_px)
            if header.encoding is None:
                return header
            ahead_s = header.stamp.captured_at - time.time()
            if ahead_s > self._max_ahead_s:
                raise FaultyMessageError(
                    Fault.FUTURE, f"captured_at: expected the past, got {ahead_s:.1f} s in the future"
                )
            return header
        except FaultyMessageError as error:
            self._dead_letter(message, error, letters)
            return None

    def _frame(self, message: ConsumerRecord, header: FrameHeader, letters: DeadLetters) -> Frame | None:
        """Return the frame; None if it was processed before, or is faulty (not a picture, or too early)."""
        assert header.encoding is not None
        data: bytes = message.value or b""
        is_known = message.offset < self._known_before or (
            self._resumed is not None and header.stamp.captured_at <= self._resumed.captured_at
        )
        try:
            if header.encoding is Encoding.H264:
                image = self._decoder.decode(data, header.size_hw)
                self._key_offset = message.offset if is_key_frame(data) else self._key_offset
            elif not is_known:
                image = decode_image(data, header.encoding, header.size_hw)
            if is_known:
                return None
            # Not before decoding: a faulty message may claim any time, and the next frames would count as too late.
            stamp = self._numbering.stamp(self.camera_id, header.stamp)
        except FrameDecodeError as error:
            self._dead_letter(message, FaultyMessageError(Fault.IMAGE, str(error)), letters)
            return None
        except FaultyMessageError as error:
            self._dead_letter(message, error, letters)
            return None
        self._resumed = None
        if self._group is not None:
            with self._acks:
                next_offset = message.offset + 1
                begin = self._key_offset if header.encoding is Encoding.H264 else next_offset
                self._unacked.append((stamp.index, ReadUpTo(begin, next_offset)))
        return Frame(stamp, image)

    def _dead_letter(self, message: ConsumerRecord, error: FaultyMessageError, letters: DeadLetters) -> None:
        self.num_bad += 1
        letters.put(message, error)

    def _commit(self, reading: PartitionReading) -> None:
        """Commit the acknowledged offset, if it changed since the last commit."""
        with self._acks:
            safe = self._safe
        if safe is not None and safe != self._committed:
            reading.commit(safe)
            self._committed = safe

    def _end_reading(self, reading: PartitionReading, letters: DeadLetters) -> None:
        with self._acks:
            self._is_reading = False
        try:
            letters.flush()
            self._commit(reading)
        except KafkaError as error:
            logger.warning(
                "%s: the last offset was not committed, and its frames will be read again: %s",
                self._address,
                reason(error),
            )


def _partition(text: str | None, key: str) -> int | None:
    if text is None or (text.isascii() and text.isdigit()):
        return None if text is None else int(text)
    raise ConfigError(f"{key}: expected a number for partition, got {text!r}; correct the address")


def _checked_start(start: int | str, key: str) -> int | str:
    if start in ("earliest", "latest") or (isinstance(start, int) and start >= 0):
        return start
    try:
        timestamp_ms(str(start))
    except ValueError as error:
        raise ConfigError(
            f"{key}.start: expected earliest, latest, an offset or a time like 2026-03-01T08:00:00Z, got {start!r}"
        ) from error
    return str(start)


def _words(error: KafkaError | TopicMissingError) -> str:
    return reason(error) if isinstance(error, KafkaError) else str(error)
