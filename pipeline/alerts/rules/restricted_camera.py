"""A person is seen in a camera during restricted hours."""

from collections.abc import Iterable, Sequence

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.presences import Presence, Presences
from pipeline.alerts.schedule import Schedule, parse_time_zone
from pipeline.core import Alert, Correction, Sighting


class RestrictedCameraRule:
    """Reports people who are in a listed camera during certain hours of the day, once per presence there.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        cameras: Camera ids.
        from_hour: In [0, 24], for instance 22.5 for half past ten.
        to_hour: In [0, 24], exclusive. Below ``from_hour``, it is an hour of the next day.
        time_zone: ``UTC``, or a name like ``Europe/Vienna``.
        forget_after_s: Seconds after which a person who is not seen in a camera any more is forgotten.
        max_absence_s: Seconds out of a camera's sight that do not end a presence there.

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
        max_absence_s: float = 10.0,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, from_hour=from_hour, to_hour=to_hour, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        if max(from_hour, to_hour) > 24 or from_hour == to_hour:
            raise self._builder.wrong("from_hour and .to_hour", "two different hours up to 24", (from_hour, to_hour))
        if isinstance(cameras, str):
            raise self._builder.wrong("cameras", "a list of camera ids", cameras)
        self._cameras = frozenset(cameras)
        self._hours = Schedule(
            frozenset(range(7)), from_hour, to_hour, parse_time_zone(time_zone, "time_zone", self._builder)
        )
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report the presence of a person during restricted hours."""
        camera_id = sighting.track_id.camera_id
        if camera_id not in self._cameras:
            return []
        times = sighting.path.captured_at
        return self._reports(self._presences.see(camera_id, sighting, times[self._hours.holds(times)]))

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the presences that are over."""
        return self._reports(self._presences.over(now))

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all presences as over."""
        return self.on_tick(float("inf"))

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give presences to the people they show now, and report those of the people it concerns."""
        return self._reports(self._presences.corrected(correction))

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert: it is true of any person."""
        return alert

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._presences.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._presences.restore(state)

    def _reports(self, presences: Iterable[Presence]) -> list[Alert]:
        return [
            self._builder.build_presence(each, message=f"Somebody is in {each.place!r} when nobody should be.")
            for each in presences
        ]
