"""A person dwells in a zone for longer than allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.picture_check import Sizes, check_picture
from pipeline.alerts.presences import Presence, Presences
from pipeline.alerts.zones import Zone, parse_zones
from pipeline.core import Alert, Correction, Sighting


class ZoneDwellRule:
    """Reports dwells in which a person's foot point is in a zone for longer than ``max_dwell_s``.

    The zones of a ``group`` count as one place: who loiters at the door, then at the window, stays there. Limit and
    severity of one of them are those of the group.
    Every point of a track counts, not one per sighting. An absence of at most ``max_absence_s`` (occluded, lost, a
    step outside) does not end a dwell, and the dwell goes on in another track of the same person. When people are
    merged or split, their dwells are computed again.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        zones: ``{name: {camera: …, polygon: [[x, y], …]}}``; see ``parse_zones``.
        max_dwell_s: Seconds, for zones that have none of their own.
        max_absence_s: Seconds.
        forget_after_s: Seconds after which a person who is not seen in a zone any more is forgotten. At least
            ``max_absence_s`` plus the length of a part of a track.
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
        max_dwell_s: float,
        max_absence_s: float,
        forget_after_s: float,
        ground: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, max_dwell_s=max_dwell_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        self._zones = parse_zones(zones, self._builder, ground)
        self._places: dict[str, Zone] = {}
        for zone in self._zones:
            self._places[_place(zone)] = self._with(self._places.get(_place(zone)), zone)
        self._max_dwell_s = max_dwell_s
        self._presences = Presences(max_absence_s=max_absence_s, forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report each zone in which the person has now been for too long."""
        camera_id, path = sighting.track_id.camera_id, sighting.path
        return self._reports(
            presence
            for zone in self._zones
            for presence in self._presences.see(_place(zone), sighting, zone.times_inside(camera_id, path))
        )

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Report the dwells that are over."""
        return self._reports(self._presences.over(now))

    def on_end(self, at: float) -> Iterable[Alert]:
        """Report all dwells as over."""
        return self.on_tick(float("inf"))

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Give dwells to the people they show now, and report those of the people it concerns."""
        return self._reports(self._presences.corrected(correction))

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert with the times of the dwell it is about; None if all dwells of then are within the limit."""
        dwells = [
            dwell
            for dwell in self._presences.at(alert.place, alert.person_id)
            if dwell.since <= alert.raised_at and dwell.until >= alert.started_at
        ]
        if not dwells and not self._presences.knows(alert.started_at):
            return alert
        long = [dwell for dwell in dwells if dwell.dwell_s > self._limit_s(alert.place)]
        return replace(alert, started_at=long[0].since, ended_at=long[0].until) if long else None

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if the picture of a camera does not show one of its zones."""
        check_picture(self._zones, camera_id, sizes, self._builder)

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._presences.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._presences.restore(state)

    def _reports(self, presences: Iterable[Presence]) -> list[Alert]:
        return [
            self._builder.build_presence(
                presence,
                message=f"Somebody stays in {presence.place!r} for more than {self._limit_s(presence.place):g} s.",
                severity=self._places[presence.place].severity,
            )
            for presence in presences
            if presence.dwell.dwell_s > self._limit_s(presence.place)
        ]

    def _with(self, other: Zone | None, zone: Zone) -> Zone:
        """Return a zone with limit and severity of its group, of which another zone is known."""
        if other is None:
            return zone
        for key in ("max_dwell_s", "severity"):
            one, two = getattr(other, key), getattr(zone, key)
            if None not in (one, two) and one != two:
                raise self._builder.wrong(f"zones.{zone.name}.{key}", f"{one} as in another zone of its group", two)
        max_dwell_s = zone.max_dwell_s if other.max_dwell_s is None else other.max_dwell_s
        return replace(other, max_dwell_s=max_dwell_s, severity=other.severity or zone.severity)

    def _limit_s(self, place: str) -> float:
        zone = self._places[place]
        return self._max_dwell_s if zone.max_dwell_s is None else zone.max_dwell_s


def _place(zone: Zone) -> str:
    return zone.group or zone.name
