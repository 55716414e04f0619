"""Messages that wait for one service, sent by a thread of its own."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 2.0
MAX_RETRY_S = 60.0
"""Seconds before the next attempt after a refusal; they double with each one in a row up to the second."""

STOP_S = 10.0
"""Seconds after the end within which waiting messages are still sent; a longer time delays the end of a run."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a person is sent.

    Attributes:
        title: One line.
        text: The rest.
        kind: How urgent, in the words of the library that sends it.
        files: Names and JPEGs.
    """

    title: str
    text: str
    kind: str
    files: tuple[tuple[str, bytes], ...]


class MessageQueue:
    """Sends messages in order.

    Args:
        send: Sends one, and returns why it was not taken, empty if it was; may block.
        name: Of the service, for the log.
        max_waiting: Messages that wait, at most; the oldest of more are dropped.
        max_tries: Times that a message is tried; at least 1.

    Attributes:
        num_sent: Messages that the service took.
        num_dropped: Messages that it did not get.
        why_dropped: Why it did not take the newest of them; empty where too many waited.
    """

    def __init__(self, send: Callable[[Message], str], *, name: str, max_waiting: int, max_tries: int) -> None:
        self._send, self._name, self._max_waiting, self._max_tries = send, name, max_waiting, max_tries
        self._waiting: deque[Message] = deque()
        self._changed = threading.Condition()
        self._stop_at: float | None = None
        self.num_sent = 0
        self.num_dropped = 0
        self.why_dropped = ""
        self._thread = threading.Thread(target=self._run, name=f"messages to {name}", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Messages that wait."""
        return len(self._waiting)

    def put(self, message: Message) -> None:
        """Queue a message; returns at once."""
        with self._changed:
            if len(self._waiting) >= self._max_waiting:
                self._waiting.popleft()
                self._count_dropped("too many wait")
            self._waiting.append(message)
            self._changed.notify_all()

    def stop(self) -> None:
        """Ask the thread to send what waits, and to end."""
        with self._changed:
            if self._stop_at is None:
                self._stop_at = time.monotonic() + STOP_S
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until the thread has ended, as long as ``stop`` allows; idempotent."""
        assert self._stop_at is not None
        self._thread.join(max(0.0, self._stop_at - time.monotonic()))
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
            self.num_dropped += left
        if left:
            logger.error("%s: the run ends with %d messages not sent", self._name, left)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stop_at is not None)
                if not self._waiting:
                    return
                message = self._waiting.popleft()
            self._deliver(message)

    def _deliver(self, message: Message) -> None:
        for attempt in range(self._max_tries):
            try:
                why = self._send(message)
            except Exception as error:  # a library of a hundred services: none may end this thread
                logger.debug("%s: %s", self._name, error)
                why = "it was not taken"
            if not why:
                self.num_sent += 1
                return
            with self._changed:
                pause_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2**attempt)
                if self._stop_at is not None:
                    pause_s = min(pause_s, self._stop_at - time.monotonic())
                if pause_s <= 0 or attempt + 1 == self._max_tries:
                    break
                self._changed.wait_for(lambda: self._stop_at is not None, pause_s)
        with self._changed:
            self.why_dropped = f"{self._name}: {why}"
            self._count_dropped(why)

    def _count_dropped(self, why: str) -> None:
        self.num_dropped += 1
        if self.num_dropped & (self.num_dropped - 1) == 0:  # 1, 2, 4, 8 …: a dead service must not fill the log
            logger.error("%s: %d messages dropped so far; the newest because %s", self._name, self.num_dropped, why)
