"""Several monitors of one camera as one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.core import Frame, Monitor, TrackId, Tracklet


class Monitors:
    """Passes each call on to every monitor.

    Args:
        makes: Build them, in the camera's process.
    """

    def __init__(self, makes: Sequence[Callable[[], Monitor]]) -> None:
        self._monitors = [make() for make in makes]

    def show(self, frame: Frame, people: Mapping[TrackId, Any]) -> None:
        """Take a tracked frame."""
        for monitor in self._monitors:
            monitor.show(frame, people)

    def keep(self, tracklet: Tracklet) -> None:
        """Take a completed part of a track."""
        for monitor in self._monitors:
            monitor.keep(tracklet)

    def close(self) -> None:
        """Close every monitor."""
        for monitor in self._monitors:
            monitor.close()
