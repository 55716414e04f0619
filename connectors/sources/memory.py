"""Frames from a list, for tests and examples.

Needs: nothing.
Guarantee: every frame, in order.
When slow: waits.
Secrets: none.
"""

import threading
from collections.abc import Iterator, Sequence

from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import SourceLostError


class MemorySource:
    """Frames that are in memory.

    Args:
        camera_id: The camera.
        frames: The frames, in order.
        live: Whether the source says that it is live.
        fail_after: It breaks once, after this many frames, and continues when it is read again; None: never.

    Attributes:
        acked: The stamps that were acknowledged, in order.
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
        """Do nothing: the frames are in memory."""

    def frames(self) -> Iterator[Frame]:
        """Yield the frames; after an error, continue after the last one yielded.

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
        """Let ``frames`` continue after ``stamp``."""
        self._resume_at = sum(frame.stamp.index <= stamp.index for frame in self._frames)

    def ack(self, stamp: FrameStamp) -> None:
        """Remember the stamp."""
        self.acked.append(stamp)

    def close(self) -> None:
        """End ``frames`` for good; idempotent, from any thread."""
        self._closed.set()
