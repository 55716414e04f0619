"""A person dwells in a zone for longer than allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.dwell import Dwell, Interval, last_dwell
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.alerts.zones import Zone, ground_points, is_inside, parse_zones
from pipeline.core import Alert, Correction, Sighting, TrackPart
from pipeline.core.moves import Move, moves_of


class ZoneDwellRule:
    """Raises one alert per dwell when a person's foot point is in a zone for longer than ``max_dwell_s``.

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
        self._zones = parse_zones(zones, self._builder)
        self._max_dwell_s = max_dwell_s
        self._max_absence_s = max_absence_s
        self._dwells: ExpiringMap[tuple[str, int], Dwell] = ExpiringMap(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return an alert for each zone in which the person has now been for too long."""
        return [
            alert
            for zone in self._zones
            if zone.camera_id == sighting.track_id.camera_id
            for alert in self._follow(zone, sighting)
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing: only sightings make a dwell longer."""
        return []

    def on_correction(self, correction: Correction) -> None:
        """Move dwells to the people they show now."""
        for move in moves_of(correction):
            for (zone_name, person_id), dwell in self._dwells.items():
                if person_id == move.source:
                    self._move(zone_name, dwell, move)

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert, or None if the person's dwell of that time proves to be within the limit."""
        cameras = {zone.name: zone.camera_id for zone in self._zones}
        dwells = [
            dwell
            for (zone_name, person_id), dwell in self._dwells.items()
            if person_id == alert.person_id
            and cameras[zone_name] == alert.camera_id
            and dwell.since <= alert.raised_at
            and dwell.until >= alert.started_at
        ]
        is_refuted = bool(dwells) and all(dwell.dwell_s <= self._max_dwell_s for dwell in dwells)
        return None if is_refuted else alert

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._dwells.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._dwells.restore(state, list[tuple[tuple[str, int], float, Dwell]])

    def _follow(self, zone: Zone, sighting: Sighting) -> Iterable[Alert]:
        path, part = sighting.path, TrackPart(sighting.track_id, sighting.part)
        dwell = self._dwells.get((zone.name, sighting.person_id))
        alerts = []
        for at in path.captured_at[is_inside(ground_points(path), zone.polygon)].tolist():
            dwell = self._extended(dwell, part, at)
            if not dwell.is_alerted and dwell.dwell_s > self._max_dwell_s:
                dwell = replace(dwell, is_alerted=True)
                alerts.append(
                    self._builder.build(
                        sighting,
                        started_at=dwell.since,
                        message=f"Somebody stays in {zone.name!r} for more than {self._max_dwell_s:g} s.",
                        evidence=dwell.tracks,
                    )
                )
        self._keep(zone.name, sighting.person_id, dwell)
        return alerts

    def _extended(self, dwell: Dwell | None, part: TrackPart, at: float) -> Dwell:
        """Return the dwell with one more moment, or a new one after too long an absence."""
        if dwell is None or at - dwell.until > self._max_absence_s:
            return Dwell((Interval(part, at, at),), is_alerted=False)
        for i in reversed(range(len(dwell.intervals))):
            interval = dwell.intervals[i]
            if interval.part == part:
                longer = replace(interval, until=max(interval.until, at))
                return replace(dwell, intervals=(*dwell.intervals[:i], longer, *dwell.intervals[i + 1 :]))
        return self._joined([*dwell.intervals, Interval(part, at, at)], is_alerted=dwell.is_alerted) or dwell

    def _move(self, zone_name: str, dwell: Dwell, move: Move) -> None:
        moved = frozenset(part for part in dwell.parts if move.takes(part, move.source))
        rest, other = dwell.split(moved, max_absence_s=self._max_absence_s)
        if other is not None:
            self._keep(zone_name, move.source, rest)
            if move.target is not None:
                self._join(zone_name, move.target, other)

    def _join(self, zone_name: str, person_id: int, dwell: Dwell) -> None:
        other = self._dwells.get((zone_name, person_id))
        if other is not None:
            is_alerted = dwell.is_alerted or other.is_alerted
            self._keep(zone_name, person_id, self._joined([*dwell.intervals, *other.intervals], is_alerted=is_alerted))
        else:
            self._keep(zone_name, person_id, dwell)

    def _joined(self, intervals: list[Interval], *, is_alerted: bool) -> Dwell | None:
        return last_dwell(intervals, max_absence_s=self._max_absence_s, is_alerted=is_alerted)

    def _keep(self, zone_name: str, person_id: int, dwell: Dwell | None) -> None:
        if dwell is None:
            self._dwells.pop((zone_name, person_id))
        else:
            # A dwell that is within the limit by now has raised no valid alert.
            is_alerted = dwell.is_alerted and dwell.dwell_s > self._max_dwell_s
            self._dwells.set((zone_name, person_id), replace(dwell, is_alerted=is_alerted), at=dwell.until)
