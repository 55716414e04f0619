"""A person dwells in a zone for longer than allowed."""

from collections.abc import Iterable, Mapping

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dwell import Dwell
from pipeline.alerts.presences import Presences
from pipeline.alerts.zones import ground_points, is_inside, parse_zones
from pipeline.core import Alert, Correction, Sighting


class ZoneDwellRule:
    """Reports dwells in which a person's foot point is in a zone for longer than ``max_dwell_s``.

    Every point of a track counts, not one per sighting. An absence of at most ``max_absence_s`` (occluded, lost, a
    step outside) does not end a dwell, and the dwell goes on in another track of the same person. When people are
    merged or split, their dwells are computed again.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: ``{name: {camera: …, polygon: [[x, y], …]}}``, pixels of that camera's frame.
        max_dwell_s: Seconds.
        max_absence_s: Seconds.
        forget_after_s: Seconds after which a person who is not seen in a zone any more is forgotten. At least
            ``max_absence_s`` plus the length of a part of a track.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        *,
        name: str,
        severity: str,
        zones: Mapping[str, object],
        max_dwell_s: float,
        max_absence_s: float,
        forget_after_s: float,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, max_dwell_s=max_dwell_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        self._zones = {zone.name: zone for zone in parse_zones(zones, self._builder)}
        self._max_dwell_s = max_dwell_s
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report each zone in which the person has now been for too long."""
        return [
            report
            for zone in self._zones.values()
            if zone.camera_id == sighting.track_id.camera_id
            for dwell in self._presences.see(
                zone.name, sighting, sighting.path.captured_at[is_inside(ground_points(sighting.path), zone.polygon)]
            )
            for report in self._reports(zone.name, sighting.person_id, dwell, is_over=False)
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the dwells that are over."""
        return [report for over in self._presences.over(now) for report in self._reports(*over, is_over=True)]

    def on_end(self) -> Iterable[Alert]:
        """Report all dwells as over."""
        return self.on_tick(float("inf"))

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give dwells to the people they show now, and report those of the people it concerns."""
        self._presences.on_correction(correction)
        return [
            report
            for *dwell, is_over in self._presences.of(*correction.person_ids)
            for report in self._reports(*dwell, is_over=is_over)
        ]

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert, or None if the person's dwell of that time proves to be within the limit."""
        dwells = [
            dwell
            for dwell in self._presences.at(alert.place, alert.person_id)
            if dwell.since <= alert.raised_at and dwell.until >= alert.started_at
        ]
        if not dwells and not self._presences.knows(alert.started_at):
            return alert
        return alert if any(dwell.dwell_s > self._max_dwell_s for dwell in dwells) else None

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._presences.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._presences.restore(state)

    def _reports(self, place: str, person_id: int, dwell: Dwell, *, is_over: bool) -> Iterable[Alert]:
        if dwell.dwell_s > self._max_dwell_s:
            yield self._builder.build_for(
                person_id,
                dwell.tracks[-1].camera_id,
                place=place,
                started_at=dwell.since,
                raised_at=dwell.until,
                ended_at=dwell.until if is_over else None,
                message=f"Somebody stays in {place!r} for more than {self._max_dwell_s:g} s.",
                evidence=dwell.tracks,
            )
