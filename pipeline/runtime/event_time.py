"""Event time: the order in which embeddings are processed, whichever process was faster.

Every camera reports a *watermark* from time to time: nothing older will come from it. What all cameras have passed can
be put in order and processed.
"""

from collections.abc import Callable, Iterable
from math import floor, inf, isfinite

from pipeline.core import Embedding


class EventTimeBuffer:
    """Holds embeddings of many cameras until no camera can send an earlier one, and releases them by windows.

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
        self._held: dict[int, list[Embedding]] = {}
        self._late: list[Embedding] = []
        self._released_window = -inf
        self.num_late = 0

    def __len__(self) -> int:
        return len(self._late) + sum(len(window) for window in self._held.values())

    def add(self, embedding: Embedding) -> None:
        """Add an embedding; one whose window was already released is counted as late, and released at once.

        It must not wait for the next window: a camera whose clock was set back an hour would be silent for an hour.
        """
        window = self._window_of(embedding.completed_at)
        if window <= self._released_window:
            self.num_late += 1
            self._late.append(embedding)
        else:
            self._held.setdefault(window, []).append(embedding)

    def advance(self, camera_id: str, watermark: float) -> None:
        """Note that nothing before ``watermark``, Unix seconds, will come from this camera; infinite at its end."""
        self._watermarks[camera_id] = max(self._watermarks[camera_id], watermark)

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

    def resume(self, processed_until: float) -> None:
        """Begin after that time, Unix seconds: every window up to it was already released."""
        if isfinite(processed_until):
            self._released_window = round(processed_until / self._window_s) - 1

    def release(self) -> list[tuple[float, list[Embedding]]]:
        """Return the complete windows, as (end of the window in Unix seconds, embeddings in order).

        Late embeddings come first, with the end of the last window that was released before.
        """
        late, self._late = sorted(self._late, key=_event_order), []
        released = [((self._released_window + 1) * self._window_s, late)] if late else []
        return released + self._pop(lambda window: (window + 1) * self._window_s <= self.watermark)

    def _window_of(self, at: float) -> int:
        window = floor(at / self._window_s)
        if (window + 1) * self._window_s <= at:
            window += 1  # the division was rounded down; ``release`` multiplies
        return window

    def _pop(self, is_complete: Callable[[int], bool]) -> list[tuple[float, list[Embedding]]]:
        released = []
        for window in sorted(window for window in self._held if is_complete(window)):
            embeddings = sorted(self._held.pop(window), key=_event_order)
            released.append(((window + 1) * self._window_s, embeddings))
            self._released_window = window
        return released


def _event_order(embedding: Embedding) -> tuple[object, ...]:
    return (embedding.completed_at, embedding.track_id, embedding.part)
