"""Keeps the pictures for alerts within their limits of time and size.

Needs: opencv-python.
Guarantee: none. The pictures themselves come from the cameras' processes, see ``connectors.alerting.picture_monitor``.
When slow: ``flush`` waits for the disk, every ten seconds.
Secrets: the pictures are biometric data, in a file that only its owner can read.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from connectors.alerting.picture_store import FILE, AlertPictureStore
from pipeline.core import Record
from pipeline.core.errors import ConfigError

TIDY_EVERY_S = 10.0
"""Seconds between two checks of the limits; a longer time lets the file exceed them by more."""


class AlertPictureSink:
    """Deletes pictures for alerts that are too old or too many.

    Args:
        output_dir: Output folder of the run.
        keep_hours: Hours that a picture is kept, above 0.
        max_gb: Size of all pictures together, GB, above 0.

    Raises:
        ConfigError: If a limit is out of range.
        ConnectorError: If the file cannot be opened.
    """

    def __init__(self, *, output_dir: str, keep_hours: float, max_gb: float) -> None:
        self.preflight(output_dir=output_dir, keep_hours=keep_hours, max_gb=max_gb)
        self._store = AlertPictureStore(Path(output_dir) / FILE)
        self._keep_s, self._max_bytes = keep_hours * 3600, round(max_gb * 1e9)
        self._tidied_at = time.monotonic()
        self._is_closed = False

    @staticmethod
    def preflight(*, output_dir: str, keep_hours: float, max_gb: float) -> None:
        """Raise ``ConfigError`` if a limit is out of range."""
        for key, value in (("keep_hours", keep_hours), ("max_gb", max_gb)):
            if not value > 0:
                raise ConfigError(f"sink.alert_pictures.{key}: expected a number above 0, got {value}; correct it")

    def write(self, records: Sequence[Record]) -> None:
        """Do nothing: pictures are taken before an alert is known."""

    def flush(self) -> None:
        """Delete what is beyond the limits, now and then."""
        if time.monotonic() - self._tidied_at >= TIDY_EVERY_S:
            self._tidy()

    def close(self) -> None:
        """Delete what is beyond the limits, and close the file; idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._tidy()
            self._store.close()

    def _tidy(self) -> None:
        self._store.tidy(keep_s=self._keep_s, max_bytes=self._max_bytes)
        self._tidied_at = time.monotonic()
