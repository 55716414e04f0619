"""Reports when a camera gives no pictures any more, and when it does again."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, isfinite

from pipeline.core.records.view_event import ViewEvent, ViewEventKind, ViewReport
from pipeline.runtime.deliveries import Deliveries

LOST_AFTER_S = 10.0
"""Seconds without a picture after which a live camera is reported as lost. The slowest cameras that were tried give one
every 3 s. A larger value reports later; a smaller one reports pauses that mend themselves."""

LOOK_EVERY_S = 1.0
"""Seconds between two looks whether a live camera still gives pictures."""


class LossWatch:
    """Watches one camera.

    Args:
        camera_id: The camera.
        deliver: Takes reports to the match actor.
        read_at: Returns when the newest frame was read, seconds of the monotonic clock.
        newest_at: Returns the time of the newest frame that was tracked, Unix seconds; None before the first.
        max_lateness_s: What is further behind the clock than this is waited for no longer.
    """

    def __init__(
        self,
        camera_id: str,
        deliver: Deliveries,
        *,
        read_at: Callable[[], float],
        newest_at: Callable[[], float | None],
        max_lateness_s: float,
    ) -> None:
        self._camera_id, self._deliver = camera_id, deliver
        self._read_at, self._newest_at = read_at, newest_at
        self._max_lateness_s = max_lateness_s
        self._event: ViewEvent | None = None

    async def watch(self, stopped: asyncio.Event) -> None:
        """Watch a live camera until it is stopped. While it is lost, time goes on without it."""
        began = time.monotonic()
        while not stopped.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            now = time.time()
            if time.monotonic() - max(began, self._read_at()) >= LOST_AFTER_S:
                late = now - self._max_lateness_s
                await self._deliver(self._camera_id, self._begin(now, late), late, now)
            elif self._event is not None:
                over, self._event = replace(self._event, ended_at=now), None
                await self._deliver(self._camera_id, [ViewReport(self._camera_id, now, over)], -inf, now)

    async def report(self, now: float = -inf) -> None:
        """Report that the camera is lost for good, unless that is known.

        Args:
            now: Unix seconds; minus infinite for a recording, which is lost after its newest frame.
        """
        await self._deliver(self._camera_id, self._begin(now, -inf), -inf, time.time())

    async def forget(self, now: float) -> None:
        """Let all that is wrong with the view be over: nobody looks any more.

        Args:
            now: As of ``report``.
        """
        at = max(now, self._newest_at() or now)
        if isfinite(at):
            await self._deliver(self._camera_id, [ViewReport(self._camera_id, at, None)], -inf, time.time())

    def _begin(self, now: float, late: float) -> Sequence[ViewReport]:
        newest_at = self._newest_at()
        began_at = now if newest_at is None else newest_at
        if self._event is not None or not isfinite(began_at):
            return []
        self._event = ViewEvent(ViewEventKind.LOST, began_at)
        return [ViewReport(self._camera_id, max(began_at, late), self._event)]
