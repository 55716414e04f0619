"""A person returns within a time span."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.core import Alert, Correction, CorrectionKind, Sighting, TrackPart

MAX_PRESENCES = 16
"""Latest presences of a person that are kept: enough to know the one before when a correction moves some."""


@dataclass(frozen=True, slots=True, order=True)
class Presence:
    """When and where a person was seen.

    Attributes:
        until: Unix seconds.
        part: Of the track that showed it.
    """

    until: float
    part: TrackPart


class ReappearanceRule:
    """Tells when a person comes back, in any camera, after an absence of a certain length.

    Args:
        name: Of the rule.
        severity: info, warning or critical.
        min_absence_s: Seconds: a shorter absence is none.
        max_absence_s: Seconds: who comes back later than this is a new visitor.
        forget_after_s: Seconds after which a person who was not seen is forgotten; above ``max_absence_s`` by
            at least the length of a piece of a track.

    Raises:
        ConfigError: If a value cannot be.
    """

    def __init__(
        self, *, name: str, severity: str, min_absence_s: float, max_absence_s: float, forget_after_s: float
    ) -> None:
        self.name = name
        self._builder = AlertBuilder(name=name, severity=severity)
        self._builder.check_at_least(0, min_absence_s=min_absence_s)
        self._builder.check_at_least(min_absence_s, max_absence_s=max_absence_s)
        self._builder.check_at_least(max_absence_s, forget_after_s=forget_after_s)
        self._min_absence_s = min_absence_s
        self._max_absence_s = max_absence_s
        self._presences: ExpiringMap[int, tuple[Presence, ...]] = ExpiringMap(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Return an alert if this person was away for long enough and not too long."""
        before = self._presences.get(sighting.person_id) or ()
        part = TrackPart(sighting.track_id, sighting.part)
        self._keep(sighting.person_id, (*before, Presence(sighting.last.captured_at, part)))
        if not before or before[-1].part.track_id == sighting.track_id:
            return []
        absence_s = sighting.first.captured_at - before[-1].until
        if not self._min_absence_s <= absence_s <= self._max_absence_s:
            return []
        last_track = before[-1].part.track_id
        return [
            self._builder.issue(
                sighting,
                started_at=sighting.first.captured_at,
                message=f"Somebody is back after {absence_s:.0f} s, last seen in {last_track.camera_id!r}.",
                evidence=(last_track, sighting.track_id),
            )
        ]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing: who is back was seen."""
        return []

    def on_correction(self, correction: Correction) -> None:
        """Let presences follow their people."""
        if correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            self._move(absorbed, kept, self._presences.get(absorbed) or ())
        elif correction.kind is CorrectionKind.SPLIT:
            source, target = correction.person_ids
            parts = frozenset(correction.parts)
            presences = self._presences.get(source) or ()
            self._move(source, target, tuple(presence for presence in presences if presence.part in parts))
        elif correction.kind is CorrectionKind.ERASED:
            for person_id in correction.person_ids:
                self._presences.pop(person_id)

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert while both its tracks show one person, else None."""
        return alert if len(alert.evidence) == 2 else None

    def snapshot(self) -> bytes:
        """Return who was where until when."""
        return self._presences.snapshot()

    def restore(self, state: bytes) -> None:
        """Know what another one knew. Raises ``WireFormatError`` as ``Stateful``."""
        self._presences.restore(state, list[tuple[int, float, tuple[Presence, ...]]])

    def _move(self, source: int, target: int, presences: tuple[Presence, ...]) -> None:
        rest = set(self._presences.pop(source) or ()).difference(presences)
        if rest:
            self._keep(source, tuple(rest))
        if presences:
            self._keep(target, (*(self._presences.get(target) or ()), *presences))

    def _keep(self, person_id: int, presences: tuple[Presence, ...]) -> None:
        latest = tuple(sorted(presences)[-MAX_PRESENCES:])
        self._presences.set(person_id, latest, at=latest[-1].until)
