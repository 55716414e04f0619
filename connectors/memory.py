"""Frames from a list, records into one: for tests, and for examples.

Needs: nothing.
Guarantee: everything, in order.
When slow: waits.
Secrets: none.
"""

import threading
from collections.abc import Iterator, Sequence

from pipeline.core import Frame, FrameStamp, Record
from pipeline.core.errors import SinkBusyError, SourceLostError


class MemorySource:
    """Frames that are there already.

    Args:
        camera_id: The camera.
        frames: To be yielded, in order.
        live: What the source says of itself.
        fail_after: It breaks once, after so many frames, and goes on when it is read again; None: never.

    Attributes:
        acked: Stamps that ``ack`` was given, in order.
    """

    num_dropped = num_bad = 0

    def __init__(
        self, camera_id: str, frames: Sequence[Frame], live: bool = False, fail_after: int | None = None
    ) -> None:
        self.camera_id = camera_id
        self.live = live
        self.acked: list[FrameStamp] = []
        self._frames = tuple(frames)
        self._fail_after = fail_after
        self._resume_at = 0
        self._closed = threading.Event()

    def check(self) -> None:
        """Do nothing: the frames are there."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames; after an error, those that follow the last one yielded.

        Raises:
            SourceLostError: Once, after ``fail_after`` frames.
        """
        position, self._resume_at = self._resume_at, 0
        while not self._closed.is_set():
            if position == self._fail_after:
                self._fail_after = None
                self._resume_at = position
                raise SourceLostError(f"{self.camera_id}: told to break after {position} frames; read it again")
            if position == len(self._frames):
                return
            yield self._frames[position]
            position += 1

    def resume(self, stamp: FrameStamp) -> None:
        """Let ``frames`` go on behind ``stamp``."""
        self._resume_at = sum(frame.stamp.index <= stamp.index for frame in self._frames)

    def ack(self, stamp: FrameStamp) -> None:
        """Remember the stamp."""
        self.acked.append(stamp)

    def close(self) -> None:
        """End ``frames``, for good; idempotent, from any thread."""
        self._closed.set()


class MemorySink:
    """Keeps records.

    Args:
        records: The list they are added to; None: a new one.
        busy_times: So many times ``write`` refuses first.
        retry_after_s: What it asks for then.

    Attributes:
        records: What was taken, in order.
        num_flushes: Calls of ``flush``.
        is_closed: Whether ``close`` was called.
    """

    def __init__(self, records: list[Record] | None = None, *, busy_times: int = 0, retry_after_s: float = 0.0) -> None:
        self.records: list[Record] = [] if records is None else records
        self.num_flushes = 0
        self.is_closed = False
        self._busy_times = busy_times
        self._retry_after_s = retry_after_s

    def write(self, records: Sequence[Record]) -> None:
        """Take the records.

        Raises:
            SinkBusyError: The first ``busy_times`` times.
        """
        if self._busy_times:
            self._busy_times -= 1
            raise SinkBusyError("memory: told to be busy; write again", retry_after_s=self._retry_after_s)
        self.records.extend(records)

    def flush(self) -> None:
        """Do nothing: memory is as safe as it gets."""
        self.num_flushes += 1

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
