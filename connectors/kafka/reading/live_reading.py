"""One consumer of a topic for all live cameras of this process."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from connectors.kafka.reading.home_partition import HomePartition
from connectors.kafka.reading.topic_reading import TopicMissingError, TopicReading

POLL_S = 0.1
"""Seconds that one request to the broker waits for messages. Larger values delay ``close``."""

MAX_WAITING_BYTES = 64 * 2**20
"""Bytes that wait for a camera that does not take them, at most. More take more memory."""

WIDEN_AFTER_S = 2.0
"""Seconds of silence after which a camera is looked for in every partition again."""


class LiveView:
    """What one live camera sees of a topic: its own messages, from when it joined.

    Args:
        is_of: Returns whether a message is the camera's; called once for every message.
        key: The key by which the camera is known.
        partition: The camera's only partition; None: any.

    Attributes:
        num_dropped: Messages that were dropped because too many waited.
        num_missed: Messages of the topic that the broker had deleted before they were read.
        is_behind: Whether the topic holds messages that are not read yet.
    """

    def __init__(self, is_of: Callable[[ConsumerRecord], bool], key: bytes, partition: int | None) -> None:
        self._is_of = is_of
        self._key = key
        self.partition = partition
        self._home = HomePartition()
        self._heard_at = time.monotonic()
        self._messages: deque[ConsumerRecord] = deque()
        self._num_bytes = 0
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._leave: Callable[[LiveView], None] | None = None
        self.num_dropped = self.num_missed = 0
        self.is_behind = False

    @property
    def num_waiting(self) -> int:
        """Messages with a value that have arrived and were not taken."""
        with self._changed:
            return sum(bool(message.value) for message in self._messages)

    def poll(self, timeout_s: float) -> list[ConsumerRecord]:
        """Return the messages that have arrived; waits up to ``timeout_s`` seconds for the first one.

        Raises:
            KafkaError: If the broker refuses.
            TopicMissingError: If the topic is gone.
        """
        with self._changed:
            if not self._messages and self._error is None:
                self._changed.wait(timeout_s)
            if self._error is not None:
                raise self._error
            taken = list(self._messages)
            self._messages.clear()
            self._num_bytes = 0
        return taken

    def close(self) -> None:
        """Leave the topic; idempotent."""
        if self._leave is not None:
            self._leave(self)

    # What follows is called by the thread that reads.

    def offer(self, messages: list[ConsumerRecord], *, is_behind: bool) -> None:
        """Take the camera's own ones of some messages."""
        own = []
        for message in messages:
            if self.partition is not None and message.partition != self.partition:
                continue
            is_own = self._is_of(message)
            self._home.look(message.partition, is_own=is_own, is_keyed=message.key == self._key)
            if is_own:
                own.append(message)
        if own:
            self._heard_at = time.monotonic()
        with self._changed:
            self.is_behind = is_behind
            self._messages.extend(own)
            self._num_bytes += sum(len(message.value or b"") for message in own)
            while self._num_bytes > MAX_WAITING_BYTES and len(self._messages) > 1:
                self._num_bytes -= len(self._messages.popleft().value or b"")
                self.num_dropped += 1
            if own:
                self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Let ``poll`` raise an error."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def needs(self, partitions: list[int]) -> set[int]:
        """Return the partitions that must be read for this camera."""
        if self.partition is not None:
            return {self.partition}
        home = self._home.found(partitions, ())
        if home is None or time.monotonic() - self._heard_at > WIDEN_AFTER_S:
            return set(partitions)
        return {home}


class LiveReading:
    """Reads a topic in a thread, for the views that joined; ends when the last one leaves.

    Args:
        options: Options of the Kafka client.
        topic: The topic.
        open_timeout_s: Seconds within which a broker must answer.
    """

    _open: ClassVar[dict[str, "LiveReading"]] = {}
    """The readings of this process. It is state of the class, because cameras are built apart from each other."""

    _opening: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def join(cls, view: LiveView, options: Mapping[str, Any], topic: str, *, open_timeout_s: float) -> None:
        """Let a view see a topic from now on.

        Raises:
            KafkaError: If no broker answers.
            TopicMissingError: If there is no such topic or partition.
        """
        name = repr((sorted((key, str(value)) for key, value in options.items()), topic))
        with cls._opening:
            reading = cls._open.get(name)
            if reading is None:
                reading = cls._open[name] = cls(options, topic, name, open_timeout_s=open_timeout_s)
            reading._add(view)

    def __init__(self, options: Mapping[str, Any], topic: str, name: str, *, open_timeout_s: float) -> None:
        self._name = name
        self._topic = topic
        self._reading = TopicReading(
            options, topic, partition=None, group=None, camera="", open_timeout_s=open_timeout_s
        )
        try:
            self._reading.seek("latest")
        except BaseException:
            self._reading.close()
            raise
        self._views: list[LiveView] = []
        self._is_over = False
        self._known = self._needed = set(self._reading.partitions)
        self._thread = threading.Thread(target=self._run, name=f"kafka {topic}", daemon=True)

    def _add(self, view: LiveView) -> None:
        there = self._reading.partitions
        if view.partition is not None and view.partition not in there:
            if not self._views:
                self._end()
            raise TopicMissingError(f"no partition {view.partition} in topic {self._topic}, which has {len(there)}")
        view._leave = self._remove
        self._views.append(view)
        if not self._thread.is_alive():
            self._thread.start()

    def _remove(self, view: LiveView) -> None:
        with self._opening:
            if view in self._views:
                self._views.remove(view)
            if self._views:
                return
            self._is_over = True
            self._open.pop(self._name, None)
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _end(self) -> None:
        self._open.pop(self._name, None)
        self._reading.close()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            while not self._is_over:
                num_missed = self._reading.num_missed
                messages = self._reading.poll(POLL_S)
                is_behind = self._reading.is_behind()
                for view in list(self._views):
                    view.num_missed += self._reading.num_missed - num_missed
                    view.offer(messages, is_behind=is_behind)
                self._read_needed()
        except (KafkaError, TopicMissingError) as caught:
            error = caught
        except Exception as caught:  # a camera must learn that its thread ended, whatever the reason
            error = KafkaError(f"{type(caught).__name__}: {caught}")
        with self._opening:
            if self._open.get(self._name) is self:
                self._open.pop(self._name)
            self._is_over = True
            views = list(self._views)
        self._reading.close()
        for view in views:
            view.fail(error or KafkaError("the reading ended"))

    def _read_needed(self) -> None:
        """Leave partitions unread that no camera needs."""
        every = set(self._reading.partitions)
        new = every - self._known
        needed = set().union(*(view.needs(sorted(every)) for view in list(self._views))) or every
        if needed == self._needed and not new:
            return
        if back := needed - self._needed - new:
            self._reading.skip_to_end(sorted(back))
        self._known, self._needed = every, needed
        self._reading.read_only(sorted(needed))
