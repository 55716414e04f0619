"""A person stays in a zone longer than allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.alerts.alert_builder import Issuer
from pipeline.alerts.dwell import Piece, Stay, last_stay
from pipeline.alerts.expiring_map import Recent
from pipeline.alerts.zones import Zone, ground_points, is_inside, parse_zones
from pipeline.core import Alert, Correction, CorrectionKind, Sighting, TrackPart


class ZoneDwellRule:
    """Tells once a stay when somebody's foot point is in a zone for longer than ``max_dwell_s``.

    Every point of a track counts, not only one a sighting. A person who is away for ``max_absence_s`` at most
    (hidden, lost, a step outside) has stayed; the stay goes on in another track of the same person. When people
    are merged or split, what they stayed is counted anew.

    Args:
        name: Of the rule.
        severity: info, warning or critical.
        zones: ``{name: {camera: …, polygon: [[x, y], …]}}``, pixels of that camera's frame.
        max_dwell_s: Seconds.
        max_absence_s: Seconds.
        forget_after_s: Seconds after which a person who was not seen in a zone is forgotten; above
            ``max_absence_s`` by at least the length of a piece of a track.

    Raises:
        ConfigError: If a value cannot be.
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
        self._issuer = Issuer(name=name, severity=severity)
        self._issuer.check_at_least(0, max_dwell_s=max_dwell_s, max_absence_s=max_absence_s)
        self._issuer.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        self._zones = parse_zones(zones, self._issuer)
        self._max_dwell_s = max_dwell_s
        self._max_absence_s = max_absence_s
        self._stays: Recent[tuple[str, int], Stay] = Recent(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return an alert for every zone in which the person has now been too long."""
        return [
            alert
            for zone in self._zones
            if zone.camera_id == sighting.track_id.camera_id
            for alert in self._follow(zone, sighting)
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing: only what was seen counts as a stay."""
        return []

    def on_correction(self, correction: Correction) -> None:
        """Let stays follow their people."""
        if correction.kind in (CorrectionKind.CONFIRMED, CorrectionKind.NAMED):
            return
        for (zone_name, person_id), stay in self._stays.items():
            if correction.kind is CorrectionKind.ERASED:
                if person_id in correction.person_ids:
                    self._stays.pop((zone_name, person_id))
            elif correction.kind is CorrectionKind.MERGED:
                kept, absorbed = correction.person_ids
                if person_id == absorbed:
                    self._keep(zone_name, absorbed, None)
                    self._join(zone_name, kept, stay)
            else:
                source, target = correction.person_ids
                if person_id == source:
                    rest, moved = stay.split(frozenset(correction.parts), max_absence_s=self._max_absence_s)
                    if moved is not None:
                        self._keep(zone_name, source, rest)
                        self._join(zone_name, target, moved)

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert, or None if the person's stay of that time proves to be shorter than allowed."""
        cameras = {zone.name: zone.camera_id for zone in self._zones}
        stays = [
            stay
            for (zone_name, person_id), stay in self._stays.items()
            if person_id == alert.person_id
            and cameras[zone_name] == alert.camera_id
            and stay.since <= alert.raised_at
            and stay.until >= alert.started_at
        ]
        is_refuted = bool(stays) and all(stay.dwell_s <= self._max_dwell_s for stay in stays)
        return None if is_refuted else alert

    def snapshot(self) -> bytes:
        """Return all stays."""
        return self._stays.snapshot()

    def restore(self, state: bytes) -> None:
        """Know what another one knew. Raises ``WireFormatError`` as ``Stateful``."""
        self._stays.restore(state, list[tuple[tuple[str, int], float, Stay]])

    def _follow(self, zone: Zone, sighting: Sighting) -> Iterable[Alert]:
        path, part = sighting.path, TrackPart(sighting.track_id, sighting.part)
        stay = self._stays.get((zone.name, sighting.person_id))
        alerts = []
        for at in path.captured_at[is_inside(ground_points(path), zone.polygon)].tolist():
            stay = self._extended(stay, part, at)
            if not stay.is_told and stay.dwell_s > self._max_dwell_s:
                stay = replace(stay, is_told=True)
                alerts.append(
                    self._issuer.issue(
                        sighting,
                        started_at=stay.since,
                        message=f"Somebody stays in {zone.name!r} for more than {self._max_dwell_s:g} s.",
                        evidence=stay.tracks,
                    )
                )
        self._keep(zone.name, sighting.person_id, stay)
        return alerts

    def _extended(self, stay: Stay | None, part: TrackPart, at: float) -> Stay:
        """Return the stay with one more moment, or a new one after too long an absence."""
        if stay is None or at - stay.until > self._max_absence_s:
            return Stay((Piece(part, at, at),), is_told=False)
        for i in reversed(range(len(stay.pieces))):
            piece = stay.pieces[i]
            if piece.part == part:
                longer = replace(piece, until=max(piece.until, at))
                return replace(stay, pieces=(*stay.pieces[:i], longer, *stay.pieces[i + 1 :]))
        return self._joined([*stay.pieces, Piece(part, at, at)], is_told=stay.is_told) or stay

    def _join(self, zone_name: str, person_id: int, stay: Stay) -> None:
        other = self._stays.get((zone_name, person_id))
        if other is not None:
            is_told = stay.is_told or other.is_told
            self._keep(zone_name, person_id, self._joined([*stay.pieces, *other.pieces], is_told=is_told))
        else:
            self._keep(zone_name, person_id, stay)

    def _joined(self, pieces: list[Piece], *, is_told: bool) -> Stay | None:
        return last_stay(pieces, max_absence_s=self._max_absence_s, is_told=is_told)

    def _keep(self, zone_name: str, person_id: int, stay: Stay | None) -> None:
        if stay is None:
            self._stays.pop((zone_name, person_id))
        else:
            # Who is too short of the limit now has not been told of.
            is_told = stay.is_told and stay.dwell_s > self._max_dwell_s
            self._stays.set((zone_name, person_id), replace(stay, is_told=is_told), at=stay.until)
