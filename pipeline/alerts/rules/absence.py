"""Nobody is in a zone for too long."""

from collections.abc import Iterable, Mapping
from math import isfinite

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.presences import SETTLE_S
from pipeline.alerts.zones import Zone, check_picture, parse_zones
from pipeline.core import Alert, Sighting
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.serialisation import deserialise, serialise


class AbsenceRule:
    """Reports when nobody was in a zone for ``max_absence_s``: a guard who does not come, a shop without staff.

    The alert is about the place, and ends when somebody comes. Time begins when the cameras begin. With a
    schedule, only people during it count, and an absence is reported during it alone.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: As in ``zone_dwell``.
        max_absence_s: Seconds.
        ground: By camera, three rows that take pixels to metres; for zones in metres.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        zones: Mapping[str, object],
        max_absence_s: float,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, max_absence_s=max_absence_s)
        self._zones = parse_zones(zones, self._builder, ground)
        self._max_absence_s = max_absence_s
        self._seen_at: dict[str, float] = {}
        self._reported: dict[str, float] = {}

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report the absences that this sighting ends."""
        found = []
        for zone in self._zones:
            self._seen_at.setdefault(zone.name, sighting.first.captured_at)
            times = zone.times_inside(sighting.track_id.camera_id, sighting.path)
            if not len(times):
                continue
            since = self._seen_at[zone.name]
            if times[0] - since > self._max_absence_s and self._counts(zone, since):
                found.append(self._report(zone, since, float(times[0])))
            self._reported.pop(zone.name, None)
            self._seen_at[zone.name] = max(since, float(times[-1]))
        return found

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the absences that have become too long."""
        found = []
        for zone in self._zones:
            since = self._seen_at.setdefault(zone.name, now)
            is_due = now - SETTLE_S - since > self._max_absence_s and self._counts(zone, since)
            if is_due and self._reported.get(zone.name) != since:
                self._reported[zone.name] = since
                found.append(self._report(zone, since, None))
        return found

    def check_picture(self, camera_id: str, frame_hw: tuple[int, int]) -> None:
        """Raise ``ConfigError`` if a zone lies outside the picture of a camera."""
        check_picture(self._zones, camera_id, frame_hw, self._builder)

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report the absences that last until the end of the stream as over: nobody looks any more."""
        if isfinite(at):
            self.on_tick(at + SETTLE_S)
        reported = ((zone, self._reported.get(zone.name)) for zone in self._zones)
        return [
            self._report(zone, since, max(at, since + self._max_absence_s))
            for zone, since in reported
            if since is not None
        ]

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise((self._seen_at, self._reported))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._seen_at, self._reported = deserialise(state, tuple[dict[str, float], dict[str, float]])

    def _counts(self, zone: Zone, since: float) -> bool:
        return zone.schedule is None or zone.schedule.holds_at(since + self._max_absence_s)

    def _report(self, zone: Zone, since: float, ended_at: float | None) -> Alert:
        return self._builder.build_for(
            NOBODY_IN_PARTICULAR,
            zone.frame.camera_ids[0],
            place=zone.name,
            started_at=since,
            raised_at=since + self._max_absence_s,
            ended_at=ended_at,
            message=f"Nobody was in {zone.name!r} for {self._max_absence_s:g} s.",
            severity=zone.severity,
        )
