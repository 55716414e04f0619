"""When a receiver that refused is tried again."""

import time


class RetryPause:
    """Pauses between attempts; they double with each refusal in a row.

    Args:
        first_s: Seconds after the first refusal; above 0.
        max_s: Seconds at most.
    """

    def __init__(self, *, first_s: float, max_s: float) -> None:
        self._first_s, self._max_s = first_s, max_s
        self._num_refusals = 0
        self._until = 0.0

    @property
    def left_s(self) -> float:
        """Seconds until the next attempt; 0 or less if it is due."""
        return self._until - time.monotonic()

    def refused(self, pause_s: float | None = None) -> float:
        """Begin a pause and return its seconds; they are ``pause_s`` where the receiver asked for so many."""
        if pause_s is None:
            pause_s = min(self._max_s, self._first_s * 2 ** min(self._num_refusals, 16))
        self._num_refusals += 1
        self._until = time.monotonic() + pause_s
        return pause_s

    def accepted(self) -> None:
        """Note that the receiver took something: the next pause is the first again."""
        self._num_refusals = 0
