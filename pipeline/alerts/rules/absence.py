"""Nobody is in a zone for too long."""

from collections.abc import Iterable, Mapping
from math import inf, isfinite

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.zones import Zone, parse_zones
from pipeline.core import Alert, Sighting
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.serialisation import deserialise, serialise


class AbsenceRule:
    """Reports when nobody was in a zone for ``max_absence_s``: a guard who does not come, a shop without staff.

    The alert is about the place, and ends when somebody comes. Time begins when the cameras begin. With a
    schedule, only people during it count, time begins when it begins, and the alert ends when it ends.

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
            if len(times):
                found += self._take(zone, float(times[0]), is_over=True)
                self._reported.pop(zone.name, None)
                self._seen_at[zone.name] = max(self._seen_at[zone.name], float(times[-1]))
        return found

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the absences that have become too long, and those of which the schedule is over."""
        found = []
        for zone in self._zones:
            self._seen_at.setdefault(zone.name, now)
            found += self._take(zone, now, is_over=False)
        return found

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its zones."""
        check_picture(self._zones, camera_id, sizes, self._builder)

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report the absences that last until the end of the stream as over: nobody looks any more."""
        found = []
        for zone in self._zones if isfinite(at) else ():
            if zone.name in self._seen_at:
                found += self._take(zone, at, is_over=True)
        self._seen_at.clear()  # when cameras begin again, time begins again
        self._reported.clear()
        return found

    def snapshot(self) -> bytes:
        """Return the state."""
        return serialise((self._seen_at, self._reported))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._seen_at, self._reported = deserialise(state, tuple[dict[str, float], dict[str, float]])

    def _take(self, zone: Zone, until: float, *, is_over: bool) -> list[Alert]:
        """Report the absences up to a moment, each once; one that lasts then may be over."""
        found = []
        for since, ends in self._empty(zone, until):
            is_long = min(ends, until) - since > self._max_absence_s
            if ends <= until:
                self._seen_at[zone.name] = ends
            if is_long and (ends <= until or is_over):
                found.append(self._report(zone, since, min(ends, until)))
            elif is_long and self._reported.get(zone.name) != since:
                self._reported[zone.name] = since
                found.append(self._report(zone, since, None))
        return found

    def _empty(self, zone: Zone, until: float) -> list[tuple[float, float]]:
        """Return when nobody was in a zone that counts, up to a moment: from when, and when it ends to count."""
        seen_at = self._seen_at[zone.name]
        if until <= seen_at:
            return []
        periods = [(seen_at, inf)] if zone.schedule is None else zone.schedule.periods(seen_at, until)
        return [(max(begins, seen_at), ends) for begins, ends in periods]

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
