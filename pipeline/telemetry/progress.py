"""What a run shows meanwhile: a live table on a terminal, log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.telemetry.camera_status import CameraStatus

MIN_WAIT_S = 2.0
"""Seconds that a replay waits for its next frame from which it says so. Less is normal between two frames."""

LOG_EVERY_S = 10.0
"""Seconds between two log lines for each camera, where there is no terminal. Fewer fill the log."""

logger = logging.getLogger(__name__)


class Progress:
    """Shows the status of the cameras; a context manager."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, refresh_per_second=4) if sys.stdout.isatty() else None
        self._began = self._logged_at = time.monotonic()
        self._before: dict[str, tuple[float, int]] = {}
        self._fps: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, cameras: Mapping[str, CameraStatus]) -> None:
        """Show the newest status of every camera."""
        now = time.monotonic()
        for camera_id, status in cameras.items():
            at, frames = self._before.get(camera_id, (self._began, 0))
            if now - at >= 1.0:
                # A camera that continues from a checkpoint counts again from there.
                self._fps[camera_id] = max(0, status.frames_processed - frames) / (now - at)
                self._before[camera_id] = (now, status.frames_processed)
        if self._live is not None:
            self._live.update(self._table(cameras))
        elif now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            for camera_id, status in cameras.items():
                logger.info(
                    "camera %s: %d frames, %.1f fps, %d dropped, %d bad, lag %.1f s, people now %d%s",
                    camera_id,
                    status.frames_processed,
                    self._fps.get(camera_id, 0.0),
                    status.frames_dropped,
                    status.bad_frames,
                    status.lag_s,
                    status.people_now,
                    f"; {note}" if (note := _note(status)) else "",
                )

    def _table(self, cameras: Mapping[str, CameraStatus]) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("camera", "frames", "fps", "dropped", "bad", "lag", "people now", "tracklets", ""):
            table.add_column(heading, justify="left" if heading in ("camera", "") else "right")
        for camera_id, status in cameras.items():
            table.add_row(
                Text(camera_id),
                f"{status.frames_processed:,}",
                f"{self._fps.get(camera_id, 0.0):.1f}",
                f"{status.frames_dropped:,}",
                f"{status.bad_frames:,}",
                f"{status.lag_s:.1f} s",
                str(status.people_now),
                f"{status.tracklets:,}",
                Text(_note(status), style="red" if _trouble(status) else ""),  # not markup: may hold brackets
            )
        return table


def _trouble(status: CameraStatus) -> str:
    """Return what is wrong with a camera; empty if nothing is."""
    view = "" if status.view_now is None else f"its view is {status.view_now}"
    return status.error or ("its process does not answer" if status.is_silent else status.away or view)


def _note(status: CameraStatus) -> str:
    """Return what is wrong with a camera, or how long a replay waits for its next frame if that is worth saying."""
    waits = f"waits {status.waits_s:.0f} s for the next frame" if status.waits_s >= MIN_WAIT_S else ""
    return _trouble(status) or waits
