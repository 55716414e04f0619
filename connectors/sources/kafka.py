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
from contextlib import ExitStack, closing, suppress
from typing import Any

from kafka.errors import KafkaError

from connectors.kafka.client import client_options, reason
from connectors.kafka.preflight import Needed, why_failed, why_not
from connectors.kafka.probe import why_unreachable
from connectors.kafka.reading.dead_letters import DeadLetters
from connectors.kafka.reading.frame_address import checked_start, parse_address
from connectors.kafka.reading.frame_making import FrameMaking, Sent, Taken
from connectors.kafka.reading.live_reading import POLL_S, LiveReading, LiveView
from connectors.kafka.reading.message_form import MessageForm
from connectors.kafka.reading.no_frames import why_no_frames
from connectors.kafka.reading.recording_reading import RecordingReading
from connectors.kafka.reading.silence import Silence
from connectors.kafka.reading.time_merge import TimeMerge
from connectors.kafka.reading.topic_reading import TopicMissingError, TopicReading
from connectors.kafka.topics import TopicSpec
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.records.source_report import SourceReport

logger = logging.getLogger(__name__)

MARK, LATEST = "mark", "latest"
"""Where a recording ends."""

MAX_HELD_S = 1.0
"""Seconds of silence after which a live frame whose time is doubtful is decided without those after it.

Larger values show the last frame before a pause later. Smaller ones decide more times of a slow camera too early.
"""

RETRY_EVERY_S = 2.0
"""Seconds between two attempts to go on with a recording whose broker refuses. Larger values wait longer."""


class KafkaSource:
    """Frames of one camera, sent by ``passerby publish`` or by any program in a form of ``message_form``.

    Every partition of the topic is looked at, because senders choose partitions in their own ways; those in which the
    camera is not found are left unread. Frames in several partitions are put into order of time. If the URI names the
    ``partition``, it belongs to the camera alone, and a message with another key is faulty.

    Indices are those of the sender, or are counted. When the sender starts again from 0, they continue from the last
    one. ``StreamClock`` says what is made of times that do not ascend.

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
        reread: Begin a recording at ``start`` whatever the group has committed: a run that is continued makes the
            tracks of an undisturbed one so, as it does from files.
        dead_letters: Topic for messages that are not frames; None: they are only counted.
        security: See ``connectors.kafka.client.Security``.
        max_ahead_s: Seconds that the time of a frame may be ahead of this machine's clock before that is told.
        max_bad_in_a_row: Faulty messages in a row after which a live camera counts as broken; at least 1.
        max_image_px: Pixels of a picture, at most.
        merge_window_s: Seconds that a frame waits for an earlier one in another partition.
        open_timeout_s: Seconds within which a broker must answer.
        read_timeout_s: Seconds without a message of the camera after which it counts as lost.
        commit_every_s: Seconds between two commits.

    Attributes:
        num_dropped: Frames that were dropped.

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
        reread: bool,
        dead_letters: str | None,
        security: Mapping[str, object],
        max_ahead_s: float,
        max_bad_in_a_row: int,
        max_image_px: int,
        merge_window_s: float,
        open_timeout_s: float,
        read_timeout_s: float,
        commit_every_s: float,
    ) -> None:
        self.camera_id = camera_id
        self.live = live
        self.num_dropped = self._num_missed = self._num_letters_lost = 0
        key = f"site.cameras.{camera_id}"
        self._address = parse_address(uri, camera_id, key)
        self._topic, self._sender = self._address.topic, self._address.sender
        self._security = security
        client_options(self._address.servers, security, key)
        if end not in (MARK, LATEST):
            raise ConfigError(f"{key}.end: expected {MARK} or {LATEST}, got {end!r}; correct it")
        self._group, self._start = group, start
        self._dead_letters = dead_letters
        self._merge_window_s = merge_window_s
        self._open_timeout_s = open_timeout_s
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
        self._logged = ""
        self._made_with: dict[str, Any] = {}
        self._opened: tuple[TopicReading | LiveView, DeadLetters] | None = None
        self._silence = Silence(
            f"{self._address}: expected a message of {self._sender}",
            self._form,
            timeout_s=read_timeout_s,
            why_away=self._why_away,
        )
        self._making = FrameMaking(
            camera_id,
            self._form,
            live=live,
            max_ahead_s=max_ahead_s,
            max_bad_in_a_row=max_bad_in_a_row if live else None,  # every message of a recording is read
        )
        self._recording = RecordingReading(
            self._making,
            self._form,
            self._sender,
            self._silence,
            start=checked_start(start, key),
            reread=reread,
            ends_at_mark=end == MARK,
            merge_window_s=merge_window_s,
            commit_every_s=None if group is None else commit_every_s,
            is_closed=self._closed.is_set,
            not_committed=self._not_committed,
        )

    @property
    def num_bad(self) -> int:
        """Messages that were dead-lettered or, without a topic for that, only counted."""
        return self._making.num_bad

    @property
    def num_missed(self) -> int:
        """Messages of the topic that the broker had deleted before they were read."""
        return self._num_missed + (0 if (opened := self._opened) is None else opened[0].num_missed)

    @property
    def num_read(self) -> int:
        """Messages of the topic that were looked at."""
        return self._form.num_messages

    @property
    def is_open(self) -> bool:
        """Whether the topic is being read."""
        return self._opened is not None

    def report(self) -> SourceReport:
        """Return what was repaired and left out so far."""
        lost = self._num_letters_lost + (0 if (opened := self._opened) is None else opened[1].num_lost)
        others = {"deleted by the broker": self.num_missed, "dead letters lost": lost}
        return self._making.report({**self._form.left_out(), **others})

    def check(self) -> None:
        """Ask the broker for the camera's topic, and whether the user may do what a run does.

        Raises:
            ConfigError: If the broker does not answer, has no such topic or partition, or refuses; with the cause.
        """
        refusal = why_not(self._client_options(), self._needed(), partition=self._address.partition)
        if refusal is not None:
            raise ConfigError(f"site.cameras.{self.camera_id}: expected a topic at {self._address}, got {refusal}")

    def frames(self) -> Iterator[Frame]:
        """Yield frames; after an error, continue after the last one yielded.

        Raises:
            SourceLostError: If the broker cannot be reached, has lost the topic, or sends no frame for too long; or a
                recording has none.
        """
        self._silence.heard()
        while not self._closed.is_set():
            try:
                yield from self._session()
            except (KafkaError, TopicMissingError, ConfigError, SourceLostError) as error:
                self._recording.leave()
                if isinstance(error, SourceLostError):
                    raise
                words = f"{self._address}: expected frames of {self._sender}, got {self._words(error)}"
                if self.live or not self._recording.has_begun or self._silence.is_too_long:
                    raise SourceLostError(words) from error
                if words != self._logged:
                    self._logged = words
                    logger.error("%s; trying again every %g s", words, RETRY_EVERY_S)
                self._closed.wait(RETRY_EVERY_S)
            else:
                if not (self.live or self._recording.has_frames or self._closed.is_set()):
                    why = why_no_frames(self._form, self._making, self._start)
                    raise SourceLostError(f"{self._address}: expected frames of {self._sender}, got none: {why}")
                return

    def _session(self) -> Iterator[Frame]:
        """Yield frames from one opening of the topic."""
        with ExitStack() as stack:
            self._made_with = options = self._client_options()
            letters = stack.enter_context(closing(DeadLetters(options, self._dead_letters)))
            stack.callback(self._form.report, self.camera_id)
            stack.callback(self._keep_counts)
            if self.live:
                view = stack.enter_context(closing(self._view(options)))
                self._opened = view, letters
                yield from self._newest(view, letters)
            else:
                reading = stack.enter_context(closing(self._open(options)))
                self._opened = reading, letters
                stack.callback(self._recording.end, reading, letters)
                yield from self._recording.frames(reading, letters)

    def _keep_counts(self) -> None:
        if self._opened is not None:
            self._num_missed += self._opened[0].num_missed
            self._num_letters_lost += self._opened[1].num_lost
            self._opened = None

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` continue after ``stamp``: a recording is read from its start, and known frames are skipped."""
        self._recording.has_frames = True
        self._making.resume(stamp)

    def ack(self, stamp: FrameStamp) -> None:
        """Let the group continue after ``stamp``: committed soon while frames are read, later by ``close``."""
        self._recording.offsets.ack(stamp.index)

    def close(self) -> None:
        """End ``frames`` for good and commit what was acknowledged; idempotent, from any thread."""
        self._closed.set()
        offsets = self._recording.offsets
        if self.live or self._group is None or offsets.is_in_use or not offsets.uncommitted():
            return
        try:
            with closing(self._open(self._client_options())) as reading:
                offsets.commit(reading)
        except (KafkaError, TopicMissingError, ConfigError) as error:
            self._not_committed(error)

    def _client_options(self) -> dict[str, Any]:
        """Return the options of a client; a password is read anew, because it may have changed."""
        return client_options(self._address.servers, self._security, f"site.cameras.{self.camera_id}")

    def _needed(self) -> list[Needed]:
        """Return what a run does with the topic, the group and the dead letters."""
        needed = [Needed("topic", self._topic, ("Read", "Describe"))]
        if self._group is not None and not self.live:
            needed.append(Needed("group", self._group, ("Read",)))
        if self._dead_letters is not None:
            needed.append(Needed("topic", self._dead_letters, ("Write",), TopicSpec(self._dead_letters, 1, None)))
        return needed

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

    def _newest(self, view: LiveView, letters: DeadLetters) -> Iterator[Frame]:
        """Yield the newest frame whenever there is one; whatever waits at the end counts as dropped."""
        newest: tuple[Taken, float] | None = None
        merge: TimeMerge[Sent] = TimeMerge(self._merge_window_s)
        num_dropped = 0
        try:
            while not self._closed.is_set():
                messages = view.poll(min(POLL_S, max(0.0, merge.due_in_s(time.monotonic()))))
                if messages:
                    self._silence.heard()
                if view.num_dropped > num_dropped:  # units of H.264 are missing now
                    self.num_dropped += view.num_dropped - num_dropped
                    num_dropped = view.num_dropped
                    self._making.lose_units()
                for message in messages:
                    self._making.put(message, merge, letters)
                for found in self._taken(merge, letters):
                    if not self._making.is_decodable(found[0]):
                        self.num_dropped += 1
                        continue
                    self.num_dropped += newest is not None
                    newest = found
                if newest is not None and not (messages and view.is_behind):
                    chosen, newest = newest, None
                    frame = self._making.frame(*chosen, self._recording.offsets, letters)
                    if frame is not None:
                        yield frame
                        self._silence.heard()
                letters.settle()
                if not messages and newest is None:
                    self._silence.check()
        finally:
            view.close()
            self.num_dropped += view.num_waiting + view.num_dropped - num_dropped
            self.num_dropped += sum(sent.frame.encoding is not None for sent in merge.rest())
            self.num_dropped += len(list(self._making.rest())) + (newest is not None)

    def _taken(self, merge: TimeMerge[Sent], letters: DeadLetters) -> Iterator[tuple[Taken, float]]:
        """Yield the messages of a live camera whose turn it is and whose time is decided."""
        for sent in merge.ready(time.monotonic(), set()):
            if sent.frame.encoding is None:
                self._making.end()
            elif self._making.is_late(sent):
                self.num_dropped += 1
            else:
                yield from self._making.take(sent, self._recording.offsets, letters)
        if self._silence.seconds > MAX_HELD_S:
            yield from self._making.rest()

    def _why_away(self) -> str | None:
        """Return why the broker lets nobody in; raise ``ConfigError`` if it would let in those who connect anew."""
        options = self._client_options()
        why = why_unreachable(options)
        if why is None and options != self._made_with:
            raise ConfigError("another user or password in the configuration than it has connected with")
        return why

    def _not_committed(self, error: Exception) -> None:
        logger.warning(
            "%s: the last offset was not committed, and its frames may be read again: %s",
            self._address,
            self._words(error),
        )

    def _words(self, error: Exception) -> str:
        """Return what went wrong: what a look at the broker finds, else what the library says, which is little."""
        if not isinstance(error, KafkaError):
            return str(error)
        with suppress(ConfigError):
            found = why_failed(error, self._client_options(), self._needed())
            if found is not None:
                return found
        return f"{reason(error)}; check the broker"
