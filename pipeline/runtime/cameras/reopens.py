"""How often, and after which pauses, a live camera that breaks is opened again."""

import random
import time
from collections import deque

from pipeline.runtime.plan import CameraLimits


class Reopens:
    """Counts the breaks of one camera.

    Args:
        limits: What bounds the camera.
    """

    def __init__(self, limits: CameraLimits) -> None:
        self._limits = limits
        self._breaks: deque[float] = deque(maxlen=limits.max_reopens)
        self._backoff_s = limits.min_backoff_s

    def pause_s(self, worked_s: float) -> float | None:
        """Return after how many seconds to open it again, or None to give it up: it breaks too often.

        Pauses double, up to the longest, until the camera gives pictures for longer than the shortest pause: then that
        is the next one. Whoever breaks at once is not opened again and again.

        Args:
            worked_s: For how many seconds it gave pictures, since it was opened until it broke.
        """
        limits, now = self._limits, time.monotonic()
        self._breaks.append(now)
        is_full = 0 < limits.max_reopens == len(self._breaks)
        if is_full and now - self._breaks[0] < limits.reopens_within_s:
            return None
        if worked_s > limits.min_backoff_s:
            self._backoff_s = limits.min_backoff_s
        pause_s = self._backoff_s * random.uniform(0.75, 1.25)
        self._backoff_s = min(2 * self._backoff_s, limits.max_backoff_s)
        return pause_s
