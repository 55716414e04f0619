"""Throttle of logins, against guessing of passwords."""

import threading
import time
from collections import OrderedDict

FREE_TRIES = 5
"""Failures without a wait; more help a guesser, fewer hinder a user who mistypes."""

FREE_TRIES_OF_ADDRESS = 20
"""The same for an address, which several users may share."""

FIRST_WAIT_S = 2.0
"""Seconds of the first wait; each further failure doubles it."""

MAX_WAIT_S = 300.0
"""Longest wait, seconds."""

MAX_REMEMBERED = 10_000
"""Keys remembered; the oldest are forgotten, which bounds memory."""


class Throttle:
    """Counts failures by key, such as a name or an address; after some, each one doubles the wait.

    Args:
        free_tries: Failures without a wait.
    """

    def __init__(self, free_tries: int = FREE_TRIES) -> None:
        self._free_tries = free_tries
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, *keys: str) -> float:
        """Return how many seconds the next try must wait, the longest of these keys."""
        now = time.monotonic()
        with self._lock:
            return max(0.0, *(self._failures.get(key, (0, 0.0))[1] - now for key in keys))

    def failed(self, *keys: str) -> None:
        """Count a failure for each of these keys."""
        now = time.monotonic()
        with self._lock:
            for key in keys:
                count = self._failures.pop(key, (0, 0.0))[0] + 1
                wait_s = self._wait_s(count)
                self._failures[key] = (count, now + wait_s)
            while len(self._failures) > MAX_REMEMBERED:
                self._failures.popitem(last=False)

    def _wait_s(self, count: int) -> float:
        beyond = count - self._free_tries
        return 0.0 if beyond < 0 else min(MAX_WAIT_S, FIRST_WAIT_S * 2.0 ** min(beyond, 20))

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)
