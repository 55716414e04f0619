"""Passwords cannot be tried at will."""

import threading
import time
from collections import OrderedDict

FREE_TRIES = 5
FIRST_WAIT_S = 2.0
MAX_WAIT_S = 300.0
MAX_REMEMBERED = 10_000


class Throttle:
    """Counts failures by whoever tries; from the sixth on each doubles the wait. Bounded in memory."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, *keys: str) -> float:
        """Return how many seconds the next try must wait; 0 if it need not."""
        now = time.monotonic()
        with self._lock:
            return max(0.0, *(self._failures.get(key, (0, 0.0))[1] - now for key in keys))

    def failed(self, *keys: str) -> None:
        """Take note of a failure, under each of these keys."""
        now = time.monotonic()
        with self._lock:
            for key in keys:
                count = self._failures.pop(key, (0, 0.0))[0] + 1
                wait_s = 0.0 if count < FREE_TRIES else min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** (count - FREE_TRIES))
                self._failures[key] = (count, now + wait_s)
            while len(self._failures) > MAX_REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)
