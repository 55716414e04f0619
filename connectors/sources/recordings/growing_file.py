"""A file that another program is still writing."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

POLL_S = 0.2
"""Seconds between two looks for more. More delay every frame; less cost processor time while nothing is written."""


class GrowingFile:
    """Reads a file, and waits at its end for more; a context manager that closes it.

    It cannot seek, so FFmpeg treats it like a pipe.

    Args:
        path: The file.
        idle_s: Seconds without more after which the end is the end; above 0.
        closed: Ends all waiting.
        is_finished: Returns whether no more will be written.

    Attributes:
        was_replaced: It ended because another file took its place, or it was made shorter.

    Raises:
        OSError: If the file cannot be opened.
    """

    def __init__(
        self, path: Path, *, idle_s: float, closed: threading.Event, is_finished: Callable[[], bool] = lambda: False
    ) -> None:
        self.name = path.name  # FFmpeg guesses the format of raw video from it
        self._path = path
        self._file = path.open("rb")
        self._idle_s = idle_s
        self._closed = closed
        self._is_finished = is_finished
        self._has_ended = False
        self.was_replaced = False

    def __enter__(self) -> "GrowingFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end. Blocks."""
        if self._has_ended:  # FFmpeg asks more than once
            return b""
        data = self._file.read(size)
        idle_since = time.monotonic()
        while not data:
            # Asked before reading: what was written until it was finished is read.
            is_last = self._closed.is_set() or time.monotonic() - idle_since > self._idle_s or self._is_finished()
            data = self._file.read(size)
            self.was_replaced = not data and self._is_another()
            if data or is_last or self.was_replaced:
                self._has_ended = not data
                break
            self._closed.wait(POLL_S)
        return data

    def _is_another(self) -> bool:
        """Return whether another file has taken the place of what was read; one that was deleted has just ended."""
        try:
            there, here = self._path.stat(), os.fstat(self._file.fileno())
        except OSError:
            return False
        return there.st_ino != here.st_ino or there.st_size < self._file.tell()
