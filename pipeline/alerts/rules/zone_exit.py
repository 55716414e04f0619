"""A person leaves a zone."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dwell import Dwell
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.presences import Presence, Presences
from pipeline.alerts.zones import parse_zones
from pipeline.core import Alert, Correction, Sighting


class ZoneExitRule:
    """Reports when a person leaves a zone, once the absence is long enough to be sure.

    With a schedule, leaving during it counts. Whoever is there when it ends has not left.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: As in ``zone_dwell``.
        min_dwell_s: Seconds; leaving after a shorter stay does not count.
        max_absence_s: Seconds of absence after which a person has left.
        forget_after_s: Seconds after which a person who is not seen in a zone any more is forgotten.
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
        min_dwell_s: float,
        max_absence_s: float,
        forget_after_s: float,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, min_dwell_s=min_dwell_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        self._zones = {zone.name: zone for zone in parse_zones(zones, self._builder, ground)}
        self._min_dwell_s = min_dwell_s
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report nothing: somebody who is seen has not left."""
        for zone in self._zones.values():
            times = zone.times_within(sighting.track_id.camera_id, sighting.path)
            self._presences.see(zone.name, sighting, times)
        return []

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the stays that are over."""
        return self._reports(self._presences.over(now))

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report the stays that were over before the end of the stream, which itself is no leaving."""
        return self.on_tick(at)

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give stays to the people they show now, and report those of the people it concerns that are over."""
        return self._reports(self._presences.corrected(correction))

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert at the time when the person left; None if the person stayed."""
        if not self._presences.knows(alert.started_at):
            return alert
        for dwell in self._presences.at(alert.place, alert.person_id):
            if dwell.since <= alert.started_at <= dwell.until and self._counts(alert.place, dwell):
                is_same = dwell.until == alert.started_at
                return replace(alert, started_at=dwell.until, ended_at=dwell.until) if is_same else None
        return None

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its zones."""
        check_picture(self._zones.values(), camera_id, sizes, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._presences.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._presences.restore(state)

    def _counts(self, place: str, dwell: Dwell) -> bool:
        return dwell.dwell_s >= self._min_dwell_s and self._zones[place].counts_at(dwell.until)

    def _reports(self, presences: Iterable[Presence]) -> list[Alert]:
        return [self._report(each) for each in presences if each.is_over and self._counts(each.place, each.dwell)]

    def _report(self, presence: Presence) -> Alert:
        dwell = presence.dwell
        return self._builder.build_for(
            presence.person_id,
            dwell.tracks[-1].camera_id,
            place=presence.place,
            started_at=dwell.until,
            raised_at=dwell.until,
            ended_at=dwell.until,
            message=f"Somebody leaves {presence.place!r}.",
            evidence=dwell.tracks[-1:],
            severity=self._zones[presence.place].severity,
        )
