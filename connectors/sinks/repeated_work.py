"""Work that a sink repeats in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from pipeline.core.errors import ConnectorError

PAUSE_S = 30.0
"""Seconds until work that failed is tried again. Longer: a disk that is full for a moment stops it for longer."""

logger = logging.getLogger(__name__)


class RepeatedWork:
    """Repeats work until ``close``. Where the disk fails, it is said, and tried again.

    Args:
        work: What is done; if it takes long, it looks at ``is_closed``.
        name: Of the thread.
        every_s: Seconds between the end of one time and the next.
        trouble: What is wrong while it fails, for the log.
    """

    def __init__(self, work: Callable[[], None], *, name: str, every_s: float, trouble: str) -> None:
        self._work, self._every_s, self._trouble = work, every_s, trouble
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether it is to end."""
        return self._closed.is_set()

    def close(self, last: Callable[[], None]) -> bool:
        """Wait until the thread has ended, and do what is left; return False, and do nothing, if that was done."""
        if self.is_closed:
            return False
        self._closed.set()
        self._thread.join()
        try:
            last()
        except (ConnectorError, OSError) as error:
            logger.error("%s: %s", self._trouble, error)
        return True

    def _run(self) -> None:
        pause_s = self._every_s
        while not self._closed.wait(pause_s):
            try:
                self._work()
                pause_s = self._every_s
            except (ConnectorError, OSError) as error:
                pause_s = max(self._every_s, PAUSE_S)
                logger.error("%s; tried again in %g s: %s", self._trouble, pause_s, error)
