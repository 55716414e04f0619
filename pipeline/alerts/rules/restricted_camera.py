"""A person is seen in a camera during restricted hours."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dedup_set import DedupSet
from pipeline.core import Alert, Correction, Sighting


class RestrictedCameraRule:
    """Raises an alert when a person is seen in a listed camera during certain hours of the day, once per track.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        cameras: Camera ids.
        from_hour: In [0, 24], for instance 22.5 for half past ten.
        to_hour: In [0, 24], exclusive. Below ``from_hour``, it is an hour of the next day.
        time_zone: ``UTC``, or a name like ``Europe/Vienna``.
        forget_after_s: Seconds after which a track that is not seen any more is forgotten.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        cameras: Sequence[str],
        from_hour: float,
        to_hour: float,
        time_zone: str,
        forget_after_s: float,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, from_hour=from_hour, to_hour=to_hour, forget_after_s=forget_after_s)
        if max(from_hour, to_hour) > 24 or from_hour == to_hour:
            raise self._builder.wrong("from_hour and .to_hour", "two different hours up to 24", (from_hour, to_hour))
        if isinstance(cameras, str):
            raise self._builder.wrong("cameras", "a list of camera ids", cameras)
        self._cameras = frozenset(cameras)
        self._from_hour = from_hour
        self._to_hour = to_hour
        self._time_zone = self._checked(time_zone)
        self._alerted = DedupSet(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return an alert if this is the first restricted sighting of a track."""
        if sighting.track_id.camera_id not in self._cameras:
            return []
        began_at = next((at for at in sighting.path.captured_at.tolist() if self._is_restricted(at)), None)
        if began_at is None or not self._alerted.is_first(sighting):
            return []
        return [
            self._builder.build(
                sighting,
                started_at=began_at,
                message=f"Somebody is in {sighting.track_id.camera_id!r} when nobody should be.",
            )
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing."""
        return []

    def on_correction(self, correction: Correction) -> None:
        """Move earlier alerts to the people they concern now."""
        self._alerted.on_correction(correction)

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert: it is true whoever the person is."""
        return alert

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._alerted.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._alerted.restore(state)

    def _is_restricted(self, at: float) -> bool:
        local = datetime.fromtimestamp(at, self._time_zone)
        hour = local.hour + local.minute / 60 + local.second / 3600
        if self._from_hour < self._to_hour:
            return self._from_hour <= hour < self._to_hour
        return hour >= self._from_hour or hour < self._to_hour

    def _checked(self, time_zone: str) -> tzinfo:
        # UTC works even where no time zone database is installed.
        if time_zone == "UTC":
            return UTC
        try:
            return ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise self._builder.wrong("time_zone", "UTC or a name like Europe/Vienna", time_zone) from error
