"""Keeps recorded video within its limits, and notes who is in it, so that an erasure finds it.

Needs: nothing.
Guarantee: who was seen is on the disk before a ``write`` returns. Video beyond the limits is deleted within a minute.
When slow: ``write`` waits for the disk; a thread deletes.
Secrets: video is biometric data, in files that only their owner can read.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from connectors.recording.store import RecordingStore
from connectors.sinks.repeated_work import RepeatedWork
from pipeline.core import Record
from pipeline.core.errors import ConfigError

TIDY_EVERY_S = 30.0
"""Seconds between two checks of the limits; a longer time lets the video exceed them by more."""

FORGET_EVERY_S = 3600.0
"""Seconds between two deletions of the notes of who was seen in video that is gone, and seconds of them that stay for
video that is still to be stored."""

LATE_S = 600.0
"""Seconds of the clock after which a segment without a sighting shows nobody. Sightings follow within seconds to
minutes; a smaller value deletes people, a larger one keeps empty pictures longer."""


class RecordingSink:
    """Bounds the recording of a run.

    Args:
        output_dir: Output folder of the run.
        keep_days: Days that video is kept, above 0.
        max_gb: Size of the video of all cameras together, GB, above 0.
        people_only: Whether video is deleted in which nobody was seen, ten minutes after it was recorded.
        around_s: Seconds before and after people that stay then, at least 0.

    Raises:
        ConfigError: If a number is out of range.
        ConnectorError: If the folder cannot be opened.
    """

    def __init__(self, *, output_dir: str, keep_days: float, max_gb: float, people_only: bool, around_s: float) -> None:
        self.preflight(keep_days=keep_days, max_gb=max_gb, around_s=around_s)
        self._store = RecordingStore(Path(output_dir))
        self._keep_s, self._max_bytes = keep_days * 86400, round(max_gb * 1e9)
        self._people_only, self._around_s = people_only, around_s
        self._forgot_at = time.monotonic()
        self._work = RepeatedWork(
            lambda: self._tidy(time.time() - LATE_S),
            name="recording",
            every_s=TIDY_EVERY_S,
            trouble="the recording may be beyond its limits",
        )

    @staticmethod
    def preflight(*, keep_days: float, max_gb: float, around_s: float, **_: object) -> None:
        """Raise ``ConfigError`` if a number is out of range."""
        for key, value in (("keep_days", keep_days), ("max_gb", max_gb)):
            if not 0 < value < float("inf"):
                raise ConfigError(f"sink.recording.{key}: expected a number above 0, got {value}; correct it")
        if not 0 <= around_s <= 600:
            raise ConfigError(f"sink.recording.around_s: expected a number from 0 to 600, got {around_s}; correct it")

    def write(self, records: Sequence[Record]) -> None:
        """Note who was where."""
        self._store.footage.see(records)

    def flush(self) -> None:
        """Return: what was written is on the disk."""

    def close(self) -> None:
        """Delete what is beyond the limits, and close the table; idempotent."""
        if self._work.close(lambda: self._tidy(time.time())):
            self._store.close()

    def _tidy(self, sightings_are_in_before: float) -> None:
        if self._people_only:
            self._store.drop_empty(before=sightings_are_in_before, around_s=self._around_s)
        self._store.footage.trim(are_clips=False, keep_s=self._keep_s, max_bytes=self._max_bytes)
        if time.monotonic() - self._forgot_at >= FORGET_EVERY_S:
            self._store.footage.forget_seen(FORGET_EVERY_S)
            self._forgot_at = time.monotonic()
