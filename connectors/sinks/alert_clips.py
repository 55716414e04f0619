"""Cuts a clip around each alert out of the newest seconds of its camera, and keeps clips within their limits.

Needs: av.
Guarantee: a clip that is asked for is cut after a restart too, as long as the ring still has its seconds. A clip that
cannot be cut is counted and logged.
When slow: ``write`` waits for the disk; a thread cuts.
Secrets: clips are biometric data, in files that only their owner can read.
"""

import io
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from connectors.alerting.clip_store import AlertClipStore, Wanted
from connectors.footage.cutter import cut
from connectors.sinks.repeated_work import RepeatedWork
from pipeline.core import Alert, AlertState, Record
from pipeline.core.errors import ConfigError
from pipeline.core.records.alert import clip_of
from pipeline.core.records.sink_report import SinkReport

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
"""Seconds between two looks whether a clip can be cut; a longer time delays clips."""

LATE_S = 120.0
"""Seconds of the clock after which a clip is cut from what is there: as long as a ring is kept by default."""

TIDY_EVERY_S = 10.0
"""Seconds between two checks of the limits; a longer time lets the clips exceed them by more."""

TITLE = "passerby alert clip {}"
"""What a clip holds of its own name: the check after an erasure searches for it."""

FORGET_S = 3600.0
"""Seconds of sightings that are kept for clips that are still to be cut; more keep who was seen for longer."""

MAX_WAITING = 500
"""Clips that wait to be cut, at most; of more alerts the newest have no clip. More need a larger ring."""


class AlertClipSink:
    """Keeps clips for alerts.

    Args:
        output_dir: Output folder of the run.
        before_s: Seconds of a clip before the alert, at least 0; it begins with the key frame before them.
        after_s: Seconds after it, at least 0.
        keep_hours: Hours that a clip is kept, above 0.
        max_gb: Size of all clips together, GB, above 0.

    Raises:
        ConfigError: If a number is out of range.
        ConnectorError: If the folder cannot be opened.
    """

    def __init__(self, *, output_dir: str, before_s: float, after_s: float, keep_hours: float, max_gb: float) -> None:
        self.preflight(before_s=before_s, after_s=after_s, keep_hours=keep_hours, max_gb=max_gb)
        self._store = AlertClipStore(Path(output_dir))
        self._before_s, self._after_s = before_s, after_s
        self._keep_s, self._max_bytes = keep_hours * 3600, round(max_gb * 1e9)
        self._num_waiting = len(self._store.wanted())
        self._num_missing = 0
        self._tidied_at = time.monotonic()
        self._work = RepeatedWork(
            self._cut_waiting, name="alert clips", every_s=LOOK_EVERY_S, trouble="alerts have no clips"
        )

    @staticmethod
    def preflight(*, before_s: float, after_s: float, keep_hours: float, max_gb: float, **_: object) -> None:
        """Raise ``ConfigError`` if a number is out of range."""
        for key, value in (("keep_hours", keep_hours), ("max_gb", max_gb), ("before_s + after_s", before_s + after_s)):
            if not value > 0:
                raise ConfigError(f"sink.alert_clips.{key}: expected a number above 0, got {value}; correct it")
        for key, value in (("before_s", before_s), ("after_s", after_s)):
            if not 0 <= value <= 60:
                raise ConfigError(f"sink.alert_clips.{key}: expected a number from 0 to 60, got {value}; correct it")

    def write(self, records: Sequence[Record]) -> None:
        """Note who was where, and which alerts are to have a clip; drop the clips of retracted ones."""
        self._store.footage.see(records)
        for record in records:
            if isinstance(record, Alert):
                self._take(record)

    def flush(self) -> None:
        """Return: what was written is on the disk."""

    def report(self) -> SinkReport:
        """Return how many clips wait, and how many could not be cut."""
        return SinkReport(self._num_waiting, self._num_missing)

    def close(self) -> None:
        """Cut what waits, empty the ring, and close the files; idempotent."""
        if not self._work.close(self._cut_last):
            return
        self._store.close()
        if self._num_missing:
            logger.warning("%d alerts have no clip: their seconds were not in the ring any more", self._num_missing)

    def _take(self, alert: Alert) -> None:
        file = PurePosixPath(alert.clip or clip_of(alert.key)).name
        if alert.state is AlertState.RETRACTED:
            self._store.settle(file)
            self._store.footage.drop(file)
        elif alert.state is AlertState.RAISED:
            if self._num_waiting >= MAX_WAITING:
                self._num_missing += 1
                return
            since, until = alert.raised_at - self._before_s, alert.raised_at + self._after_s
            self._store.want(Wanted(file, alert.camera_id, since, until, time.time()))
            self._num_waiting += 1

    def _cut_waiting(self) -> None:
        waiting = self._store.wanted()
        self._num_waiting = len(waiting)
        for wanted in waiting:
            if self._work.is_closed:
                return
            is_late = time.time() > wanted.asked_at + LATE_S
            if is_late or self._store.shown_until(wanted.camera_id) >= wanted.until:
                self._cut(wanted)
                self._num_waiting -= 1
        if time.monotonic() - self._tidied_at >= TIDY_EVERY_S:
            self._tidy()

    def _cut_last(self) -> None:
        for wanted in self._store.wanted():
            self._cut(wanted)
        self._tidy()
        self._store.empty_ring()

    def _cut(self, wanted: Wanted) -> None:
        segments = self._store.footage.segments(wanted.camera_id, wanted.since, wanted.until)
        clip, title = io.BytesIO(), TITLE.format(wanted.file.removesuffix(".mp4"))
        film = cut(segments, wanted.since, wanted.until, clip, title=title)
        if film is not None:
            self._store.put_clip(replace(wanted, since=film.since), clip.getvalue())
        else:
            self._num_missing += 1
            logger.info("no clip of camera %s around %.3f: its seconds are not there", wanted.camera_id, wanted.until)
        self._store.settle(wanted.file)

    def _tidy(self) -> None:
        self._store.footage.trim(are_clips=True, keep_s=self._keep_s, max_bytes=self._max_bytes)
        self._store.footage.forget_seen(FORGET_S)
        self._tidied_at = time.monotonic()
