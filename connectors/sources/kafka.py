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
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, KafkaTimeoutError

from connectors.kafka.client import client_options, reason
from connectors.kafka.dead_letters import DeadLetters
from connectors.kafka.frame_address import checked_start, parse_address
from connectors.kafka.frame_making import FrameMaking, Sent
from connectors.kafka.home_partition import HomePartition
from connectors.kafka.live_reading import POLL_S, WIDEN_AFTER_S, LiveReading, LiveView
from connectors.kafka.message_form import MessageForm
from connectors.kafka.offsets import Offsets
from connectors.kafka.preflight import Needed, why_not
from connectors.kafka.probe import why_unreachable
from connectors.kafka.time_merge import TimeMerge
from connectors.kafka.topic_reading import TopicMissingError, TopicReading
from connectors.kafka.topics import TopicSpec
from connectors.pictures.encoded_image import Encoding
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError

logger = logging.getLogger(__name__)

MARK, LATEST = "mark", "latest"
"""Where a recording ends."""

RETRY_EVERY_S = 2.0
"""Seconds between two attempts to go on with a recording whose broker refuses. Larger values wait longer."""


class KafkaSource:
    """Frames of one camera, sent by ``passerby publish`` or by any program in a form of ``message_form``.

    Every partition of the topic is looked at, because senders choose partitions in their own ways; those in which the
    camera is not found are left unread. Frames in several partitions are put into order of time. If the URI names the
    ``partition``, it belongs to the camera alone, and a message with another key is faulty.

    Indices are those of the sender, or are counted. When the sender starts again from 0, they continue from the last
    one. Times must increase in any case; those of another program that are equal are spread.

    H.264 units before the first key frame, and units from a broken one up to the next key frame, cannot be decoded. In
    a recording they are dead-lettered. Live they count as dropped.

    Live cameras of one process share a consumer. A live camera commits nothing: it begins with the newest frame.

    Args:
        camera_id: The camera.
        uri: ``kafka://host:9092,host:9092/topic?camera=NAME&partition=N``; the part from ``?`` may be left out.
        live: True: begin with the newest frame and drop older ones when frames arrive too fast. False: every frame, to
            the end of the recording.
        message: Form of the messages: ``auto``, ``passerby``, ``image``, ``base64`` or ``json``.
        fields: Names or dotted paths of the JSON fields ``image``, ``camera``, ``time`` and ``index``; None: found by
            themselves.
        camera_by: What names the camera of a message: ``auto``, ``key``, ``header``, ``field``, or ``topic`` if the
            whole topic is the camera.
        start: Where a recording begins if the group has committed nothing: ``earliest``, ``latest``, an offset, or an
            ISO 8601 time at which a message was written.
        end: Where a recording ends: at its ``mark``, or at the ``latest`` message when the run began. Other programs
            send no mark, so their recordings end at the latest message in any case.
        group: Consumer group that ``ack`` commits for; None: nothing is committed.
        dead_letters: Topic for messages that are not frames; None: they are only counted.
        security: See ``connectors.kafka.client.Security``.
        max_ahead_s: Seconds that the time of a frame may be ahead of this machine's clock.
        max_image_px: Pixels of a picture, at most.
        merge_window_s: Seconds that a frame waits for an earlier one in another partition.
        open_timeout_s: Seconds within which a broker must answer.
        read_timeout_s: Seconds without a message of the camera after which it counts as lost.
        commit_every_s: Seconds between two commits.

    Attributes:
        num_dropped: Frames that were dropped.
        num_missed: Messages of the topic that the broker had deleted before they were read.

    Raises:
        ConfigError: If the URI or an option cannot be used.
    """

    def __init__(
        self,
        camera_id: str,
        uri: str,
        *,
        live: bool,
        message: str,
        fields: Mapping[str, object],
        camera_by: str,
        start: int | str,
        end: str,
        group: str | None,
        dead_letters: str | None,
        security: Mapping[str, object],
        max_ahead_s: float,
        max_image_px: int,
        merge_window_s: float,
        open_timeout_s: float,
        read_timeout_s: float,
        commit_every_s: float,
    ) -> None:
        self.camera_id = camera_id
        self.live = live
        self.num_dropped = self.num_missed = 0
        key = f"site.cameras.{camera_id}"
        self._address = parse_address(uri, camera_id, key)
        self._topic, self._sender = self._address.topic, self._address.sender
        self._security = security
        client_options(self._address.servers, security, key)
        self._start = checked_start(start, key)
        if end not in (MARK, LATEST):
            raise ConfigError(f"{key}.end: expected {MARK} or {LATEST}, got {end!r}; correct it")
        self._end = end
        self._group = group
        self._dead_letters = dead_letters
        self._merge_window_s = merge_window_s
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._commit_every_s = commit_every_s
        self._form = MessageForm(
            self._sender,
            form=message,
            fields=fields,
            camera_by=camera_by,
            live=live,
            is_alone=self._address.partition is not None,
            max_image_px=max_image_px,
            key=key,
        )
        self._closed = threading.Event()
        self._resume_at: dict[int, int] | None = None
        self._topic_id: object = None
        self._heard_at, self._logged = 0.0, ""
        self._offsets = Offsets()
        self._making = FrameMaking(camera_id, self._form, max_ahead_s=max_ahead_s)

    @property
    def num_bad(self) -> int:
        """Messages that were dead-lettered or, without a topic for that, only counted."""
        return self._making.num_bad

    def check(self) -> None:
        """Ask the broker for the camera's topic, and whether the user may do what a run does.

        Raises:
            ConfigError: If the broker does not answer, has no such topic or partition, or refuses; with the cause.
        """
        needed = [Needed("topic", self._topic, ("Read", "Describe"))]
        if self._group is not None and not self.live:
            needed.append(Needed("group", self._group, ("Read",)))
        if self._dead_letters is not None:
            needed.append(Needed("topic", self._dead_letters, ("Write",), TopicSpec(self._dead_letters, 1, None)))
        refusal = why_not(self._client_options(), needed, partition=self._address.partition)
        if refusal is not None:
            raise ConfigError(f"site.cameras.{self.camera_id}: expected a topic at {self._address}, got {refusal}")

    def frames(self) -> Iterator[Frame]:
        """Yield frames; after an error, continue after the last one yielded.

        Raises:
            SourceLostError: If the broker cannot be reached, has lost the topic, or sends no frame for too long.
        """
        self._heard_at = time.monotonic()
        while not self._closed.is_set():
            try:
                yield from self._session()
            except (KafkaError, TopicMissingError, ConfigError, SourceLostError) as error:
                self._resume_at = dict(self._offsets.at) or self._resume_at
                if isinstance(error, SourceLostError):
                    raise
                words = f"{self._address}: expected frames of {self._sender}, got {self._words(error)}"
                is_over = self.live or self._resume_at is None
                if is_over or time.monotonic() - self._heard_at > self._read_timeout_s:
                    raise SourceLostError(words) from error
                if words != self._logged:
                    self._logged = words
                    logger.error("%s; trying again every %g s", words, RETRY_EVERY_S)
                self._closed.wait(RETRY_EVERY_S)
            else:
                return

    def _session(self) -> Iterator[Frame]:
        """Yield frames from one opening of the topic."""
        with ExitStack() as stack:
            options = self._client_options()
            letters = stack.enter_context(closing(DeadLetters(options, self._dead_letters)))
            stack.callback(self._form.report, self.camera_id)
            merge: TimeMerge[Sent] = TimeMerge(self._merge_window_s)
            if self.live:
                yield from self._newest(stack.enter_context(closing(self._view(options))), merge, letters)
            else:
                reading = stack.enter_context(closing(self._open(options)))
                stack.callback(self._end_reading, reading, letters)
                self._seek(reading)
                yield from self._all(reading, merge, letters)

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``: a recording is read from its start, and known frames are skipped."""
        self._making.resume(stamp)

    def ack(self, stamp: FrameStamp) -> None:
        """Let the group continue after ``stamp``: committed soon while frames are read, later by ``close``."""
        self._offsets.ack(stamp.index)

    def close(self) -> None:
        """End ``frames`` for good and commit what was acknowledged; idempotent, from any thread."""
        self._closed.set()
        if self.live or self._group is None or self._offsets.is_in_use or not self._offsets.uncommitted():
            return
        try:
            with closing(self._open(self._client_options())) as reading:
                self._offsets.commit(reading)
        except (KafkaError, TopicMissingError, ConfigError) as error:
            self._not_committed(error)

    def _client_options(self) -> dict[str, Any]:
        """Return the options of a client; a password is read anew, because it may have changed."""
        return client_options(self._address.servers, self._security, f"site.cameras.{self.camera_id}")

    def _open(self, options: Mapping[str, Any]) -> TopicReading:
        return TopicReading(
            options,
            self._topic,
            partition=self._address.partition,
            group=self._group,
            camera=self.camera_id,
            open_timeout_s=self._open_timeout_s,
        )

    def _view(self, options: Mapping[str, Any]) -> LiveView:
        self._making.lose_units()
        view = LiveView(self._form.is_of, self._sender.encode(), self._address.partition)
        LiveReading.join(view, options, self._topic, open_timeout_s=self._open_timeout_s)
        return view

    def _seek(self, reading: TopicReading) -> None:
        """Move to where the recording goes on, or begins."""
        self._offsets.begin()
        is_anew, self._topic_id = reading.topic_id != self._topic_id, reading.topic_id
        resume_at, self._resume_at = self._resume_at, None
        if resume_at is not None:
            self._offsets.at = resume_at
            reading.seek("earliest" if is_anew else resume_at)
            return
        self._making.begin()
        committed = reading.committed()
        self._offsets.known_before = {number: read.known_before for number, read in committed.items()}
        reading.seek({number: read.offset for number, read in committed.items()} if committed else self._start)

    def _all(self, reading: TopicReading, merge: TimeMerge[Sent], letters: DeadLetters) -> Iterator[Frame]:
        """Yield every frame up to the end; never drops one."""
        ends = reading.ends()
        home, generation = HomePartition(), reading.generation
        committed_at = time.monotonic()
        num_messages, may_narrow = 0, True
        while not self._closed.is_set():
            messages = reading.poll(POLL_S)
            for message in messages:
                is_own = self._form.is_of(message)
                home.look(message.partition, is_own=is_own, is_keyed=message.key == self._sender.encode())
                if is_own:
                    self._heard_at = time.monotonic()
                    num_messages = self._form.num_messages
                    self._put(message, merge, letters)
            now = time.monotonic()
            if generation != reading.generation:
                generation, ends, home = reading.generation, reading.ends(), HomePartition()
                self._topic_id = reading.topic_id
                self._offsets.begin()
            positions = {number: reading.position(number) for number in reading.partitions}
            drained = {number for number, at in positions.items() if at >= ends.get(number, 0)}
            only = home.found(reading.partitions, drained) if may_narrow else None
            unread = positions.keys() - drained if only is None else set[int]()
            wanted = (set(positions) if only is None else {only}) - merge.full()
            reading.read_only(None if wanted == set(positions) else sorted(wanted))
            ends_at_latest = self._end == LATEST or self._form.is_foreign
            is_over = drained >= positions.keys() and ends_at_latest
            self._offsets.at = {**positions, **merge.offsets()}
            for sent in merge.rest() if is_over else merge.ready(now, unread):
                self._offsets.at = {**positions, **merge.offsets()}
                if sent.frame.encoding is None and self._end == MARK:
                    return
                if sent.frame.encoding is None:
                    continue
                frame = self._making.frame(sent, self._offsets, letters)
                if frame is not None:
                    self._offsets.yielded(sent.message.partition, frame, sent.frame.encoding)
                    yield frame
                    self._heard_at = time.monotonic()
                if self._closed.is_set():
                    return
            if is_over:
                return
            if only in drained and (ends_at_latest or time.monotonic() - self._heard_at > WIDEN_AFTER_S):
                may_narrow = False  # the camera's messages may go on in another partition
            if not messages and not len(merge):
                self._check_silence(self._form.num_messages - num_messages)
            if time.monotonic() - committed_at >= self._commit_every_s:
                self._commit(reading, letters)
                committed_at = time.monotonic()

    def _newest(self, view: LiveView, merge: TimeMerge[Sent], letters: DeadLetters) -> Iterator[Frame]:
        """Yield the newest frame whenever there is one."""
        newest: Sent | Frame | None = None
        num_dropped = num_messages = 0
        while not self._closed.is_set():
            messages = view.poll(min(POLL_S, max(0.0, merge.due_in_s(time.monotonic()))))
            if messages:
                self._heard_at = time.monotonic()
                num_messages = self._form.num_messages
            if view.num_dropped > num_dropped:  # units of H.264 are missing now
                self.num_dropped += view.num_dropped - num_dropped
                num_dropped = view.num_dropped
                self._making.lose_units()
            for message in messages:
                self._put(message, merge, letters)
            for sent in merge.ready(time.monotonic(), set()):
                found: Sent | Frame | None = sent
                if sent.frame.encoding is None:
                    continue
                if not self._making.is_decodable(sent):
                    self.num_dropped += 1
                    continue
                if sent.frame.encoding is Encoding.H264:  # each unit must be decoded, because the next one needs it
                    found = self._making.frame(sent, self._offsets, letters)
                if found is not None:
                    self.num_dropped += newest is not None
                    newest = found
            if newest is not None and not (messages and view.is_behind):
                frame = newest if isinstance(newest, Frame) else self._making.frame(newest, self._offsets, letters)
                newest = None
                if frame is not None:
                    yield frame
                    self._heard_at = time.monotonic()
            letters.settle()
            if not messages and newest is None:
                self._check_silence(self._form.num_messages - num_messages)

    def _put(self, message: ConsumerRecord, merge: TimeMerge[Sent], letters: DeadLetters) -> None:
        """Let a message wait for its turn; a faulty one is dead-lettered."""
        sent = self._making.sent(message, letters)
        if sent is None:
            return
        now = time.monotonic()
        is_logged = not self.live and message.timestamp is not None and message.timestamp > 0
        merge.put(
            message.partition,
            sent.frame.captured_at,
            sent,
            offset=message.offset,
            arrived=min(now, now - time.time() + message.timestamp / 1000) if is_logged else now,
            num_bytes=len(sent.frame.picture),
        )

    def _check_silence(self, num_others: int) -> None:
        """Raise if the camera has been silent for too long; say what came instead."""
        if time.monotonic() - self._heard_at <= self._read_timeout_s:
            return
        got = f"none in {self._read_timeout_s:g} s; {self._form.instead(num_others)}"
        raise SourceLostError(f"{self._address}: expected a message of {self._sender}, got {got}")

    def _commit(self, reading: TopicReading, letters: DeadLetters) -> None:
        """Commit what was acknowledged, once dead letters are safe."""
        if letters.settle() and self._group is not None:
            try:
                self._offsets.commit(reading)
            except KafkaError as error:
                self._not_committed(error)

    def _end_reading(self, reading: TopicReading, letters: DeadLetters) -> None:
        self.num_missed += reading.num_missed
        letters.flush()
        self._commit(reading, letters)
        self._offsets.is_in_use = False

    def _not_committed(self, error: Exception) -> None:
        logger.warning(
            "%s: the last offset was not committed, and its frames may be read again: %s",
            self._address,
            self._words(error),
        )

    def _words(self, error: Exception) -> str:
        if not isinstance(error, KafkaError):
            return str(error)
        found = why_unreachable(self._client_options()) if isinstance(error, KafkaTimeoutError) else None
        return found or f"{reason(error)}; check the broker"
