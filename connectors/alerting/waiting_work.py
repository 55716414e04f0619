"""Pieces of work that wait for a thread of their own; where too much waits, the oldest is dropped."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Piece = TypeVar("Piece")

CLOSE_TIMEOUT_S = 5.0
"""Seconds that ``close`` waits for what is left; longer delays the end of a run with a slow disk."""


class WaitingWork(Generic[Piece]):
    """Gives pieces of work to a function in a thread of its own.

    Args:
        work: Takes the pieces, one after another; they end after ``close``. Once it has returned, more are ignored.
        name: Of the thread.
        max_size: Size of all that waits, at most.
        size_of: Size of a piece; by default each counts as one.
    """

    def __init__(
        self,
        work: Callable[[Iterator[Piece]], None],
        *,
        name: str,
        max_size: int,
        size_of: Callable[[Piece], int] = lambda piece: 1,
    ) -> None:
        self._max_size, self._size_of = max_size, size_of
        self._waiting: deque[Piece] = deque()
        self._size = self._num_dropped = 0
        self._is_closed = self._has_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=[work], name=name, daemon=True)
        self._thread.start()

    def put(self, piece: Piece) -> None:
        """Let a piece wait; returns at once."""
        with self._changed:
            if self._has_ended:
                return
            self._waiting.append(piece)
            self._size += self._size_of(piece)
            while self._size > self._max_size:
                self._size -= self._size_of(self._waiting.popleft())
                self._num_dropped += 1
            self._changed.notify()

    def close(self) -> int:
        """Wait until all is done, for at most ``CLOSE_TIMEOUT_S``; return how many were dropped since the last call."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT_S)
        num_dropped, self._num_dropped = self._num_dropped, 0
        return num_dropped

    def _run(self, work: Callable[[Iterator[Piece]], None]) -> None:
        try:
            work(self._pieces())
        finally:
            with self._changed:
                self._has_ended = True
                self._waiting.clear()

    def _pieces(self) -> Iterator[Piece]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                piece = self._waiting.popleft()
                self._size -= self._size_of(piece)
            yield piece
