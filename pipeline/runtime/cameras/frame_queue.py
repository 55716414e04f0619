"""From a source's thread to asyncio: only the newest frame of a live source, every frame of a recording."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

READER = "source"
"""Name of the threads that read."""


class FrameQueue(Generic[Item]):
    """Reads an iterator in a thread of its own and yields its items in the loop that iterates.

    Args:
        items: May block; an exception in it is raised where the queue is read.
        newest_only: True: an item that is not read in time is dropped for the next, and counted. False: the thread
            waits while ``capacity`` items are unread.
        capacity: Items that wait at most; ignored if ``newest_only``, where it is 1. Of a full queue, half is yielded
            before the thread reads on: it wakes up once for several items.

    Attributes:
        num_read: Items that were taken from the iterator; not one that came after ``close``.
        num_dropped: Of those, the ones that were dropped for a newer one.
    """

    def __init__(self, items: Iterator[Item], *, newest_only: bool, capacity: int) -> None:
        self._items = items
        self._newest_only = newest_only
        self._capacity = 1 if newest_only else capacity
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived: asyncio.Event | None = None
        self.num_read = 0
        self.num_dropped = 0

    def close(self) -> None:
        """Stop reading; what waits is still yielded. From any thread; idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Yield items until the iterator ends; raise what it raised."""
        self._loop, self._arrived = asyncio.get_running_loop(), asyncio.Event()
        thread = threading.Thread(target=self._read, name=READER, daemon=True)
        thread.start()
        try:
            while True:
                self._arrived.clear()
                while (item := self._take()) is not None:
                    yield item
                with self._changed:
                    if self._ended and not self._waiting:
                        break
                await self._arrived.wait()
        finally:
            self.close()
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame, and pictures; only the garbage collector would find them

    def _take(self) -> Item | None:
        with self._changed:
            if not self._waiting:
                return None
            item = self._waiting.popleft()
            if len(self._waiting) <= self._capacity // 2:
                self._changed.notify_all()
            return item

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # raised by the reader
            self._error = error
        if isinstance(self._items, Generator):
            self._items.close()  # here, in the thread that used it
        with self._changed:
            self._ended = True
        self._wake_reader()

    def _put(self, item: Item) -> bool:
        with self._changed:
            if self._newest_only and self._waiting:
                self._waiting.clear()
                self.num_dropped += 1
            while len(self._waiting) >= self._capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self.num_read += 1
            self._waiting.append(item)
            is_first = len(self._waiting) == 1
        if is_first:  # otherwise it takes this one, too, before it waits
            self._wake_reader()
        return True

    def _wake_reader(self) -> None:
        assert self._loop is not None
        assert self._arrived is not None
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:
            return  # the loop is closed: there is no reader any more


def wait_for_readers(limit_s: float) -> None:
    """Wait until the threads of queues that were closed have ended, for at most so many seconds.

    To be called before the process ends. Python ends the threads that are left, and one that decodes a picture in
    OpenCV takes the process with it: "terminate called without an active exception", SIGABRT, another exit code.
    """
    until = time.monotonic() + limit_s
    for thread in threading.enumerate():
        if thread.name == READER:
            thread.join(max(0.0, until - time.monotonic()))
