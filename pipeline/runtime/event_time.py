"""Event time: the order in which embeddings are processed, whichever process was faster.

Every camera reports a *watermark* from time to time: nothing older will come from it. What all cameras have passed can
be put in order and processed.
"""

from collections.abc import Iterable, Iterator
from math import floor, inf, isfinite

from pipeline.core import Embedding
from pipeline.core.records.view_event import ViewReport

Item = Embedding | ViewReport
"""What a camera delivers, in the order of ``completed_at``."""

QUIET_S = 5.0
"""Seconds without a window after which an empty one is released, so that rules notice that time passes. More notice
later that nobody is there; less write more."""

QUIET_SHARE = 0.01
"""Share of a quiet time that passes from one empty window to the next, where that is more than ``QUIET_S``. It bounds
their number in a hole of years: about 1,500. A larger value notices long absences later."""


class EventTimeBuffer:
    """Holds what many cameras send until no camera can send anything earlier, and releases it by windows.

    A window is a span of event time ``[k · window_s, (k + 1) · window_s)``. Its limits depend on nothing else, so the
    same embeddings make the same windows at any speed and on any runtime.

    Args:
        camera_ids: The cameras that will send.
        window_s: Seconds of a window; above 0.
        max_lateness_s: A camera that is further behind the newest than this, in seconds, no longer holds the others
            back. A larger value makes all wait longer for a stalled camera; a smaller one makes more embeddings late.
            Infinite for recordings, where nothing is late.
    """

    def __init__(self, camera_ids: Iterable[str], *, window_s: float, max_lateness_s: float = inf) -> None:
        self._watermarks = dict.fromkeys(camera_ids, -inf)
        self._window_s = window_s
        self._max_lateness_s = max_lateness_s
        self._held: dict[int, list[Item]] = {}
        self._late: list[Item] = []
        self._released_window = self._busy_window = -inf
        self._began_at, self._newest = inf, -inf
        self.num_late = 0

    def __len__(self) -> int:
        return len(self._late) + sum(len(window) for window in self._held.values())

    def add(self, item: Item) -> None:
        """Add an item; an embedding whose window was already released is counted as late. It is released at once.

        It must not wait for the next window: a camera whose clock was set back an hour would be silent for an hour.
        """
        window = self._window_of(item.completed_at)
        if window <= self._released_window:
            self.num_late += isinstance(item, Embedding)
            self._late.append(item)
        else:
            self._held.setdefault(window, []).append(item)

    def join(self, camera_id: str, from_at: float = -inf) -> None:
        """Expect one more camera, or one that had ended, which sends nothing before a time, Unix seconds.

        With minus infinity, it holds recordings back until it has sent something, and live cameras not at all.
        """
        self._watermarks[camera_id] = from_at

    def end_all(self) -> None:
        """Note that nothing more will come from any camera."""
        self._watermarks = dict.fromkeys(self._watermarks, inf)

    def advance(self, camera_id: str, watermark: float) -> None:
        """Note that nothing before ``watermark``, Unix seconds, will come from this camera; infinite at its end."""
        self._watermarks[camera_id] = max(self._watermarks.get(camera_id, -inf), watermark)
        if isfinite(watermark):
            self._began_at, self._newest = min(self._began_at, watermark), max(self._newest, watermark)

    @property
    def newest(self) -> float:
        """Unix seconds: the newest time that a camera has reached; minus infinite if none has sent anything."""
        return self._newest

    @property
    def watermark(self) -> float:
        """Unix seconds that all cameras have passed, except those too far behind."""
        newest = max((at for at in self._watermarks.values() if at < inf), default=inf)
        return min((at for at in self._watermarks.values() if at >= newest - self._max_lateness_s), default=inf)

    @property
    def released_until(self) -> float:
        """Unix seconds: the end of the last complete window, with embeddings or without."""
        watermark = self.watermark
        return self._window_of(watermark) * self._window_s if isfinite(watermark) else watermark

    def resume(self, processed_until: float, busy_until: float = -inf) -> None:
        """Begin after a time, Unix seconds: every window up to it was already released.

        Args:
            processed_until: The end of the last window.
            busy_until: The end of the last window that was not empty.
        """
        if isfinite(processed_until):
            self._released_window = round(processed_until / self._window_s) - 1
            self._busy_window = self._released_window
        if isfinite(busy_until):
            self._busy_window = round(busy_until / self._window_s) - 1

    def release(self) -> list[tuple[float, list[Item]]]:
        """Return the complete windows, as (end of the window in Unix seconds, items in order).

        Late items come first, with the end of the last window that was released before. Where nothing came for a while,
        there are empty windows: time has passed.
        """
        late, self._late = sorted(self._late, key=_event_order), []
        released = [((self._released_window + 1) * self._window_s, late)] if late else []
        watermark = self.watermark
        for window in sorted(window for window in self._held if (window + 1) * self._window_s <= watermark):
            released += self._quiet(window)
            released.append(((window + 1) * self._window_s, sorted(self._held.pop(window), key=_event_order)))
            self._released_window = self._busy_window = window
        passed = self._newest if watermark == inf else watermark
        return [*released, *(self._quiet(self._window_of(passed)) if isfinite(passed) else ())]

    def _quiet(self, until: int) -> Iterator[tuple[float, list[Item]]]:
        """Yield the empty windows before a window, and note that they were released."""
        began = self._window_of(self._began_at) if isfinite(self._began_at) else until
        busy = max(self._busy_window, began)
        while True:
            last = max(self._released_window, began)
            window = floor(last + max(1, QUIET_S / self._window_s, QUIET_SHARE * (last - busy)))
            if window >= until:
                return
            self._released_window = window
            yield (window + 1) * self._window_s, []

    def _window_of(self, at: float) -> int:
        window = floor(at / self._window_s)
        if (window + 1) * self._window_s <= at:
            window += 1  # the division was rounded down; ``release`` multiplies
        return window


def _event_order(item: Item) -> tuple[object, ...]:
    if isinstance(item, ViewReport):
        return (item.completed_at, 1, item.camera_id)
    return (item.completed_at, 0, item.track_id, item.part)
