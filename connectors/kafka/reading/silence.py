"""How long a camera has been silent, and what came in its place."""

import time

from connectors.kafka.reading.message_form import MessageForm
from pipeline.core.errors import SourceLostError


class Silence:
    """Ends the reading of a camera that has been silent for too long.

    Args:
        expected: What is read, for messages: the topic and the camera.
        form: Counts the messages.
        timeout_s: Seconds without a message of the camera after which it counts as lost.
    """

    def __init__(self, expected: str, form: MessageForm, timeout_s: float) -> None:
        self._expected = expected
        self._form = form
        self._timeout_s = timeout_s
        self._num_messages = 0
        self._heard_at = time.monotonic()

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
        self._heard_at = time.monotonic()
        self._num_messages = self._form.num_messages

    def check(self) -> None:
        """Raise if the camera has been silent for too long.

        Raises:
            SourceLostError: It says what came instead.
        """
        if self.is_too_long:
            instead = self._form.instead(self._form.num_messages - self._num_messages)
            raise SourceLostError(f"{self._expected}, got none in {self._timeout_s:g} s; {instead}")
