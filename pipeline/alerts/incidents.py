"""The incidents of an alert engine: what rules report about one person in one place, as it was told or is held back.

An incident is *pending* while the cool-down holds it back. Then it is *raised*, or *counted* in the alert that was
raised before it. A raised one is amended when it ends, repeats or is corrected, and retracted when it proves false. The
methods change incidents; ``drain`` returns the alerts that tell the difference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pipeline.core import Alert, AlertState, TrackPart
from pipeline.core.records.alert import clip_of
from pipeline.core.serialisation import deserialise, serialise

Subject = tuple[str, int, str]
"""Rule, person, place."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One situation.

    Attributes:
        alert: Its latest form.
        parts: The parts of tracks that it is based on.
        until: Unix seconds: the newest moment at which it held.
        is_told: Whether its alert was raised.
        counted_in: Key of the incident whose alert counts this one; empty if it is raised or pending.
    """

    alert: Alert
    parts: frozenset[TrackPart]
    until: float
    is_told: bool = False
    counted_in: str = ""

    @property
    def key(self) -> str:
        """The key of its alert."""
        return self.alert.key

    def overlaps(self, report: Alert) -> bool:
        """Return whether a report about the same subject is about this incident."""
        return report.started_at <= self.until and self.alert.started_at <= latest(report)


def subject_of(alert: Alert) -> Subject:
    """Return what an alert is about."""
    return alert.rule, alert.person_id, alert.place


def latest(report: Alert) -> float:
    """Return the newest moment at which a reported situation held, Unix seconds."""
    return report.raised_at if report.ended_at is None else report.ended_at


def shrunk(incident: Incident) -> Incident:
    """Return an incident as it is certain after a split: until it was raised. Its rule reports what followed."""
    alert, raised_at = incident.alert, incident.alert.raised_at
    ended_at = None if alert.ended_at is None else min(alert.ended_at, raised_at)
    return replace(incident, alert=replace(alert, ended_at=ended_at), until=min(incident.until, raised_at))


class Incidents:
    """Incidents by key and by subject.

    Args:
        max_open: Incidents that are told and over to keep at most, the newest; a correction can still change them.
        has_clips: Whether alerts name the clip that is kept of them.
    """

    def __init__(self, *, max_open: int, has_clips: bool = False) -> None:
        self._max_open = max_open
        self._has_clips = has_clips
        self._by_key: dict[str, Incident] = {}
        self._by_subject: dict[Subject, dict[str, None]] = {}
        self._before: dict[str, Alert | None] = {}
        self._counted: dict[str, dict[str, None]] = {}
        # Keys of incidents that are pending, and of those that are told and over, in this order.
        self._pending: dict[str, None] = {}
        self._over: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[Incident]:
        """Yield all incidents; they may be changed meanwhile."""
        return iter(list(self._by_key.values()))

    def of(self, subject: Subject) -> list[Incident]:
        """Return the incidents of a subject, in order of time."""
        return self._in_order(self._by_subject.get(subject, ()))

    def over(self, person_id: int) -> list[Incident]:
        """Return the incidents about a person that are over."""
        about = [incident for incident in self if incident.alert.person_id == person_id]
        return [incident for incident in about if incident.alert.ended_at is not None]

    def pending(self) -> list[Incident]:
        """Return the incidents that the cool-down holds back."""
        return [self._by_key[key] for key in self._pending]

    def counted(self) -> list[Incident]:
        """Return the incidents that are counted in an alert, in order of time."""
        return self._in_order(key for keys in self._counted.values() for key in keys)

    def is_subject_of_owner(self, incident: Incident) -> bool:
        """Return whether the incident that counts this one is still there, and about the same subject."""
        owner = self._by_key.get(incident.counted_in)
        return owner is not None and owner.is_told and subject_of(owner.alert) == subject_of(incident.alert)

    def put(self, incident: Incident) -> None:
        """Add an incident, or replace the one with its key."""
        key, old = incident.key, self._by_key.get(incident.key)
        self._note(key)
        self._note(incident.counted_in)
        if old is not None:
            self._note(old.counted_in)
            self._leave(old, is_same_subject=subject_of(old.alert) == subject_of(incident.alert))
        self._by_key[key] = incident
        self._by_subject.setdefault(subject_of(incident.alert), {})[key] = None
        if incident.counted_in:
            self._counted.setdefault(incident.counted_in, {})[key] = None
        elif not incident.is_told:
            self._pending[key] = None
        elif incident.alert.ended_at is not None:
            self._over[key] = None

    def remove(self, key: str) -> Incident:
        """Drop an incident; if it was told, its alert is retracted."""
        self._note(key)
        self._note(self._by_key[key].counted_in)
        incident = self._by_key.pop(key)
        self._leave(incident)
        return incident

    def drain(self) -> list[Alert]:
        """Return the alerts that tell what changed since the last call, and forget the oldest incidents."""
        told = [alert for key, before in self._before.items() if (alert := self._changed(key, before)) is not None]
        while len(self._over) > self._max_open:
            oldest = next(iter(self._over))
            for counted in self._in_order(self._counted.get(oldest, ())):
                self.remove(counted.key)
            self.remove(oldest)
        self._before.clear()
        return told

    def snapshot(self) -> bytes:
        """Return the state; after ``drain``."""
        return serialise((list(self._by_key.values()), list(self._pending), list(self._over)))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        incidents, pending, over = deserialise(state, tuple[list[Incident], list[str], list[str]])
        self._by_key, self._by_subject, self._counted = {}, {}, {}
        for incident in incidents:
            self.put(incident)
        self._pending, self._over = dict.fromkeys(pending), dict.fromkeys(over)
        self._before.clear()

    def _in_order(self, keys: Iterable[str]) -> list[Incident]:
        """Return incidents in an order that is the same in a process that took over the state of another."""
        return sorted((self._by_key[key] for key in keys), key=lambda each: (each.alert.started_at, each.key))

    def _note(self, key: str) -> None:
        if key and key not in self._before:
            self._before[key] = self._alert(key)

    def _leave(self, incident: Incident, *, is_same_subject: bool = False) -> None:
        self._pending.pop(incident.key, None)
        self._over.pop(incident.key, None)
        groups: list[tuple[dict[Any, dict[str, None]], object]] = [(self._counted, incident.counted_in)]
        if not is_same_subject:
            groups.append((self._by_subject, subject_of(incident.alert)))
        for group, name in groups:
            if name in group:
                group[name].pop(incident.key, None)
                if not group[name]:
                    del group[name]

    def _alert(self, key: str) -> Alert | None:
        """Return the alert of an incident that is told, with what it counts; None if there is none."""
        incident = self._by_key.get(key)
        if incident is None or not incident.is_told:
            return None
        alert = incident.alert
        again = [counted.alert for counted in self._in_order(self._counted.get(key, ()))]
        return replace(
            alert,
            count=1 + len(again),
            started_at=min([alert.started_at, *(each.started_at for each in again)]),
            ended_at=None if alert.ended_at is None else max([alert.ended_at, *map(latest, again)]),
            evidence=tuple(dict.fromkeys([*alert.evidence, *(track for each in again for track in each.evidence)])),
            clip=clip_of(key) if self._has_clips else "",
        )

    def _changed(self, key: str, before: Alert | None) -> Alert | None:
        """Return the alert that tells the change of an incident; None if nothing of it is to be told."""
        after = self._alert(key)
        if after is None:
            return None if before is None else replace(before, state=AlertState.RETRACTED)
        if before is not None and replace(after, state=before.state) == before:
            return None
        return replace(after, state=AlertState.RAISED if before is None else AlertState.AMENDED)
