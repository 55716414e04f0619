"""The incidents of an alert engine: what rules report about one person in one place, as it was told or is held back.

An incident goes from *pending* (held back by the cool-down) to *raised*, is *amended* when it ends, repeats or is
corrected, and may be *retracted*. The methods change incidents; ``drain`` returns the alerts that tell the difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.core import Alert, AlertState, TrackPart
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
        is_told: Whether its alert was raised; otherwise it is pending.
    """

    alert: Alert
    parts: frozenset[TrackPart]
    until: float
    is_told: bool = False

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


class Incidents:
    """Incidents by key and by subject.

    Args:
        max_open: Incidents that are told and over to keep at most, the newest; a correction can still change them.
    """

    def __init__(self, *, max_open: int) -> None:
        self._max_open = max_open
        self._by_key: dict[str, Incident] = {}
        self._by_subject: dict[Subject, dict[str, None]] = {}
        self._before: dict[str, Alert | None] = {}
        # Keys of incidents that are pending, and of those that are told and over, in this order.
        self._pending: dict[str, None] = {}
        self._over: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[Incident]:
        """Yield all incidents; they may be changed meanwhile."""
        return iter(list(self._by_key.values()))

    def of(self, subject: Subject) -> list[Incident]:
        """Return the incidents of a subject, in the order in which they were put."""
        return [self._by_key[key] for key in self._by_subject.get(subject, ())]

    def pending(self) -> list[Incident]:
        """Return the incidents that the cool-down holds back."""
        return [self._by_key[key] for key in self._pending]

    def put(self, incident: Incident) -> None:
        """Add an incident, or replace the one with its key."""
        key, old = incident.key, self._by_key.get(incident.key)
        self._note(key)
        if old is not None and subject_of(old.alert) != subject_of(incident.alert):
            self._leave(old)
        self._by_key[key] = incident
        self._by_subject.setdefault(subject_of(incident.alert), {})[key] = None
        self._pending.pop(key, None)
        self._over.pop(key, None)
        if not incident.is_told:
            self._pending[key] = None
        elif incident.alert.ended_at is not None:
            self._over[key] = None

    def remove(self, key: str) -> Incident:
        """Drop an incident; if it was told, its alert is retracted."""
        self._note(key)
        incident = self._by_key.pop(key)
        self._leave(incident)
        self._pending.pop(key, None)
        self._over.pop(key, None)
        return incident

    def drain(self) -> list[Alert]:
        """Return the alerts that tell what changed since the last call, and forget the oldest incidents."""
        told = [alert for key, before in self._before.items() if (alert := self._told(key, before)) is not None]
        while len(self._over) > self._max_open:
            self.remove(next(iter(self._over)))
        self._before.clear()
        return told

    def snapshot(self) -> bytes:
        """Return the state; after ``drain``."""
        return serialise((list(self._by_key.values()), list(self._pending), list(self._over)))

    def restore(self, state: bytes) -> None:
        """Take over the state of another instance. Raises ``WireFormatError`` as ``Stateful``."""
        incidents, pending, over = deserialise(state, tuple[list[Incident], list[str], list[str]])
        self._by_key, self._by_subject = {}, {}
        for incident in incidents:
            self.put(incident)
        self._pending, self._over = dict.fromkeys(pending), dict.fromkeys(over)
        self._before.clear()

    def _note(self, key: str) -> None:
        if key not in self._before:
            old = self._by_key.get(key)
            self._before[key] = old.alert if old is not None and old.is_told else None

    def _leave(self, incident: Incident) -> None:
        subject = subject_of(incident.alert)
        keys = self._by_subject[subject]
        del keys[incident.key]
        if not keys:
            del self._by_subject[subject]

    def _told(self, key: str, before: Alert | None) -> Alert | None:
        """Return the alert that tells the change of an incident; None if nothing of it is to be told."""
        incident = self._by_key.get(key)
        after = incident.alert if incident is not None and incident.is_told else None
        if incident is None or after is None:
            return None if before is None else replace(before, state=AlertState.RETRACTED)
        if before is not None and replace(after, state=before.state) == before:
            return None
        told = replace(after, state=AlertState.RAISED if before is None else AlertState.AMENDED)
        self._by_key[key] = replace(incident, alert=told)
        return told
