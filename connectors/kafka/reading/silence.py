"""How long a camera has been silent, and what came in its place."""

import logging
import time
from collections.abc import Callable

from connectors.kafka.reading.message_form import MessageForm
from pipeline.core.errors import SourceLostError

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 4.0
"""Seconds of silence after which the broker is asked why, and between two such questions.

kafka-python tries again in silence. Larger values say later why a camera is silent.
"""


class Silence:
    """Says why a camera is silent, and ends its reading when it has been silent for too long.

    Args:
        expected: What is read, for messages: the topic and the camera.
        form: Counts the messages.
        timeout_s: Seconds without a message of the camera after which it counts as lost.
        why_away: Returns why the broker lets nobody in; None if it does. May raise, to connect anew.
    """

    def __init__(self, expected: str, form: MessageForm, timeout_s: float, why_away: Callable[[], str | None]) -> None:
        self._expected = expected
        self._form = form
        self._timeout_s = timeout_s
        self._num_messages = 0
        self._why_away = why_away
        self._why: str | None = None
        self._heard_at = self._looked_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the camera was heard."""
        return time.monotonic() - self._heard_at

    @property
    def is_too_long(self) -> bool:
        """Whether the camera counts as lost."""
        return self.seconds > self._timeout_s

    def heard(self) -> None:
        """Learn that a message of the camera has come."""
        self._heard_at = self._looked_at = time.monotonic()
        self._num_messages = self._form.num_messages
        self._why = None

    def check(self) -> None:
        """Raise if the camera has been silent for too long.

        Raises:
            SourceLostError: It says what came instead.
        """
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._look()
        if self.is_too_long:
            instead = self._why or self._form.instead(self._form.num_messages - self._num_messages)
            raise SourceLostError(f"{self._expected}, got none in {self._timeout_s:g} s; {instead}")

    def _look(self) -> None:
        before, self._why = self._why, self._why_away()
        self._looked_at = time.monotonic()
        if self._why is not None and self._why != before:
            logger.error("%s, got %s; trying again", self._expected, self._why)
