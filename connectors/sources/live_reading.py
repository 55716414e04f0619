"""Reads a camera in a thread of its own, so that a camera that hangs never blocks the code that wants its pictures."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Picture = TypeVar("Picture")

LINGER_S = 0.5
"""Seconds to wait for the reading thread to end.

A thread that hangs in a library is left behind as a daemon, until the library's own time-out ends it. Larger values
delay the reopening of a camera that hangs.
"""


class ReadingEndedError(Exception):
    """No more pictures; the message says why. It holds no address and has no cause: both may hold a password."""


@dataclass(frozen=True, slots=True)
class Arrival(Generic[Picture]):
    """A picture as it arrived.

    Attributes:
        index: Its number since the camera was first opened, from 0. A gap means that pictures between were dropped.
        arrived_at: Unix seconds.
        picture: In the reader's own form.
    """

    index: int
    arrived_at: float
    picture: Picture


class LiveReading(Generic[Picture]):
    """Hands over the newest picture of a camera.

    While the camera is open, setting the system clock forward or back does not change the times of its pictures. The
    next opening starts from the system clock, or after the last arrival if that is later.

    Args:
        name: Name of the thread.
        read: Opens the camera and yields pictures, or None in place of one, so that it can be ended; may block; raises
            ``ReadingEndedError``. Runs in the thread.
        open_timeout_s: Seconds within which the first picture must arrive.
        read_timeout_s: Seconds within which each further picture must arrive.

    Attributes:
        num_missed: Pictures that a newer one replaced before they were taken.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], Iterator[Picture | None]],
        *,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self._name = name
        self._read = read
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._changed = threading.Condition()
        self._closed = False
        self._num_arrived = 0
        self.num_missed = 0
        self._last_at = 0.0

    def arrivals(self) -> Iterator[Arrival[Picture]]:
        """Open the camera and yield its newest picture, again and again; returns after ``close``.

        Raises:
            ReadingEndedError: If it cannot be opened, breaks, ends, or is silent for too long.
        """
        if self._closed:
            return
        session = _Session[Picture]()
        thread = threading.Thread(target=self._run, args=(session,), name=self._name, daemon=True)
        thread.start()
        timeout_s, what = self._open_timeout_s, "no picture"
        try:
            while True:
                began = time.monotonic()
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._closed or session.newest is not None or session.ended is not None, timeout_s
                    )
                    if self._closed:
                        return
                    arrival, session.newest = session.newest, None
                    if arrival is None:
                        # A library that gives up at the same moment has words of its own for it.
                        is_silent = session.ended is None or time.monotonic() - began >= timeout_s
                        raise ReadingEndedError(f"{what} within {timeout_s:g} s" if is_silent else session.ended)
                yield arrival
                timeout_s, what = self._read_timeout_s, "no further picture"
        finally:
            session.is_over = True
            thread.join(LINGER_S)

    def resume(self, index: int, arrived_at: float) -> None:
        """Let all arrivals come after this one; before the camera is opened."""
        self._num_arrived = index + 1
        self._last_at = arrived_at

    def why_silent(self) -> str | None:
        """Wait for one picture, then close; return why none arrived, None if one did."""
        try:
            for _ in self.arrivals():
                self.close()
        except ReadingEndedError as error:
            return str(error)
        return None

    def close(self) -> None:
        """End ``arrivals`` for good; idempotent, from any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self, session: "_Session[Picture]") -> None:
        ended = "the end of the stream"
        with self._changed:
            session.ahead_s = max(time.time(), self._last_at) - time.monotonic()
        try:
            for picture in self._read():
                if session.is_over or self._closed:
                    return
                if picture is not None:
                    self._arrived(session, picture)
        except ReadingEndedError as error:
            ended = str(error)
        finally:
            with self._changed:
                session.ended = ended
                self._changed.notify_all()

    def _arrived(self, session: "_Session[Picture]", picture: Picture) -> None:
        with self._changed:
            self._last_at = max(time.monotonic() + session.ahead_s, self._last_at + 1e-6)
            self.num_missed += session.newest is not None
            session.newest = Arrival(self._num_arrived, self._last_at, picture)
            self._num_arrived += 1
            self._changed.notify_all()


class _Session(Generic[Picture]):
    """One opening of the camera."""

    def __init__(self) -> None:
        self.newest: Arrival[Picture] | None = None
        self.ended: str | None = None
        self.is_over = False
        self.ahead_s = 0.0
        """Unix seconds of an arrival minus the monotonic clock at that moment."""
