"""Warns of live cameras most of whose frames are dropped, and says what to do."""

import logging
import os
import time
from collections.abc import Callable, Mapping

from pipeline.telemetry.camera_status import CameraStatus

WINDOW_S = 60.0
"""Seconds over which frames are counted. Fewer warn of one busy moment, more tell it later."""
MAX_SHARE = 0.5
"""Share of the frames of a window whose loss is worth a warning. Above it a camera of 10 frames/s is followed as one of
fewer than 5, and people are lost between frames."""

logger = logging.getLogger(__name__)


class DropWatch:
    """Compares the counts of each camera with those of a minute ago.

    Args:
        now: Seconds by a clock that only goes on.
        load: The processes that wait for a processor, as ``os.getloadavg`` tells it.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, load: Callable[[], float] = lambda: os.getloadavg()[0]
    ) -> None:
        self._now = now
        self._load = load
        self._before: dict[str, tuple[float, int, int]] = {}
        self._warned: set[str] = set()

    def show(self, cameras: Mapping[str, CameraStatus]) -> None:
        """Take the newest status of every camera."""
        now = self._now()
        for camera_id, status in cameras.items():
            counts = status.frames_processed, status.frames_dropped
            at, processed, dropped = self._before.setdefault(camera_id, (now, *counts))
            if now - at < WINDOW_S:
                continue
            self._before[camera_id] = (now, *counts)
            num_dropped = counts[1] - dropped
            num = counts[0] - processed + num_dropped
            if num > 0:  # else the camera is away, or went back to a checkpoint
                self._judge(camera_id, num_dropped / num)

    def _judge(self, camera_id: str, share: float) -> None:
        if share <= MAX_SHARE:
            if camera_id in self._warned:
                logger.info("camera %s: %.0f %% of its frames are dropped now", camera_id, 100 * share)
            self._warned.discard(camera_id)
        elif camera_id not in self._warned:
            self._warned.add(camera_id)
            logger.warning(
                "camera %s: %.0f %% of its frames of the last minute were dropped, because the pipeline is slower than "
                "the camera (load %.1f on %d processors). Set its max_fps, choose a smaller detector, or add cores",
                camera_id,
                100 * share,
                self._load(),
                os.cpu_count() or 1,
            )
