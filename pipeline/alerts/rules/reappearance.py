"""A person comes back after an absence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.core import Alert, Correction, Sighting, TrackPart
from pipeline.core.records.moves import Move, moves_of

MAX_SIGHTS = 64
"""Latest sights kept per person. Chosen so that those of the last minutes are still known when a correction moves some;
a larger value costs memory."""


@dataclass(frozen=True, slots=True, order=True)
class Sight:
    """When and where a person was seen.

    Attributes:
        until: Unix seconds.
        part: The part of a track that showed it.
        since: Unix seconds.
    """

    until: float
    part: TrackPart
    since: float


class ReappearanceRule:
    """Reports when a person comes back, in any camera, after an absence of a certain length.

    If two people prove to be one who came back, that is reported then.

    Args:
        name: Name of the rule.
        severity: info, warning or critical.
        min_absence_s: Seconds: a shorter absence does not count.
        max_absence_s: Seconds: a person who comes back later than this counts as a new visitor.
        forget_after_s: Seconds after which a person who is not seen any more is forgotten. At least ``max_absence_s``
            plus the length of a part of a track.

    Raises:
        ConfigError: If a value is out of range.
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
        self._sights: ExpiringMap[int, tuple[Sight, ...]] = ExpiringMap(forget_after_s=forget_after_s)

    def on_sighting(self, sighting: Sighting) -> Iterable[Alert]:
        """Report it if the absence of this person was long enough and not too long."""
        part = TrackPart(sighting.track_id, sighting.part)
        sight = Sight(sighting.last.captured_at, part, sighting.first.captured_at)
        self._keep(sighting.person_id, (*(self._sights.get(sighting.person_id) or ()), sight))
        return [alert for found, alert in self._returns(sighting.person_id) if found == sight]

    def on_tick(self, now: float) -> Iterable[Alert]:
        """Return nothing: only sightings show who is back."""
        return []

    def on_correction(self, correction: Correction) -> Iterable[Alert]:
        """Move sights to the people they show now, and report the known returns of the people it concerns."""
        for move in moves_of(correction):
            self._move(move)
        return [alert for person_id in correction.person_ids for _, alert in self._returns(person_id)]

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert while both its tracks show one person who was away in between, else None."""
        sights = self._sights.get(alert.person_id) or ()
        if not sights or alert.started_at <= sights[0].until:
            return alert if len(alert.evidence) == 2 else None
        told = ((each.started_at, each.evidence) for _, each in self._returns(alert.person_id))
        return alert if (alert.started_at, alert.evidence) in told else None

    def snapshot(self) -> bytes:
        """Return the state."""
        return self._sights.snapshot()

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        self._sights.restore(state, list[tuple[int, float, tuple[Sight, ...]]])

    def _returns(self, person_id: int) -> Iterator[tuple[Sight, Alert]]:
        """Yield the known sights with which a person came back, in the order in which they were told."""
        for before, sight in pairwise(self._sights.get(person_id) or ()):
            absence_s = sight.since - before.until
            tracks = before.part.track_id, sight.part.track_id
            if tracks[0] != tracks[1] and self._min_absence_s <= absence_s <= self._max_absence_s:
                yield (
                    sight,
                    self._builder.build_for(
                        person_id,
                        tracks[1].camera_id,
                        place=tracks[1].camera_id,
                        started_at=sight.since,
                        raised_at=sight.until,
                        ended_at=sight.until,
                        message=f"Somebody is back after {absence_s:.0f} s, last seen in {tracks[0].camera_id!r}.",
                        evidence=tracks,
                    ),
                )

    def _move(self, move: Move) -> None:
        before = self._sights.pop(move.source) or ()
        moved = tuple(sight for sight in before if move.takes(sight.part, move.source))
        rest = tuple(sight for sight in before if sight not in moved)
        if rest:
            self._keep(move.source, rest)
        if moved and move.target is not None:
            self._keep(move.target, (*(self._sights.get(move.target) or ()), *moved))

    def _keep(self, person_id: int, sights: tuple[Sight, ...]) -> None:
        latest = tuple(sorted(sights)[-MAX_SIGHTS:])
        self._sights.set(person_id, latest, at=latest[-1].until)
