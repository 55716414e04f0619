"""From sightings and corrections to alerts: runs the rules, limits how often they speak, and retracts false alerts.

- A rule raises at most one alert about a person within ``cooldown_s``.
- An alert stays *open* for corrections until ``max_open`` newer ones were raised.
- MERGED: open alerts about the absorbed person are about the kept one from now on, under their old keys. If two
  alerts of one rule then lie within the cool-down, the later one is retracted.
- SPLIT: an alert whose evidence has moved completely is about the other person from now on. An alert whose evidence
  has moved in part keeps the rest of it.
- ERASED: alerts about these people are retracted.
- A rule that reacts to corrections has the two methods of ``CorrectableRule``. It may reword an amended alert, or
  say that the alert is no longer true; then it is retracted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from pipeline.alerts.basis import AlertBasis
from pipeline.alerts.expiring_map import ExpiringMap
from pipeline.core import Alert, AlertRule, AlertState, Correction, Sighting, Stateful, TrackPart
from pipeline.core.errors import ConfigError
from pipeline.core.moves import Move, alert_after, moves_of
from pipeline.core.serialisation import deserialise, serialise


@runtime_checkable
class CorrectableRule(Protocol):
    """Methods that a rule may have besides those of ``AlertRule``."""

    def on_correction(self, correction: Correction) -> None:
        """Learn of a correction. Called before ``reconsider``."""
        ...

    def reconsider(self, alert: Alert) -> Alert | None:
        """Return the alert as it reads with its new person or evidence, or None if it is no longer true."""
        ...


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that corrections can still reach.

    Attributes:
        alert: Its latest form.
        parts: The parts of tracks that it is based on.
    """

    alert: Alert
    parts: frozenset[TrackPart]


@dataclass(frozen=True, slots=True)
class _State:
    """State of an alert engine, in order."""

    basis: bytes
    open: list[tuple[str, OpenAlert]]
    raised_at: bytes
    rules: dict[str, bytes]


class AlertEngine:
    """Decides which alerts go out, and keeps them true through corrections.

    Args:
        rules: Their names differ.
        cooldown_s: Seconds of event time after an alert in which the same rule raises no other about that person.
        max_open: Number of the newest alerts that a correction can still change; at least 1.
        max_parts: Number of the newest parts of tracks to remember as the basis of alerts; at least 1.

    Raises:
        ConfigError: If two rules have one name.
    """

    def __init__(self, rules: Sequence[AlertRule], *, cooldown_s: float, max_open: int, max_parts: int) -> None:
        self._rules = {rule.name: rule for rule in rules}
        if len(self._rules) < len(rules):
            names = [rule.name for rule in rules]
            raise ConfigError(f"alerts.*.name: expected a different name for each rule, got {names}; rename one")
        self._cooldown_s = cooldown_s
        self._max_open = max_open
        self._basis = AlertBasis(max_parts=max_parts)
        self._open: dict[str, OpenAlert] = {}
        # Unix seconds of the latest alert, by rule and person.
        self._raised_at: ExpiringMap[tuple[str, int], float] = ExpiringMap(forget_after_s=cooldown_s)

    def process(self, batch: Sequence[Sighting | Correction]) -> list[Alert]:
        """Return the alerts that these events raise, amend and retract. Events come in the order of event time."""
        alerts: list[Alert] = []
        for event in batch:
            if isinstance(event, Correction):
                alerts += self._correct(event)
            else:
                self._basis.add(event)
                for rule in self._rules.values():
                    alerts += self._admit(rule.on_sighting(event))
        return alerts

    def tick(self, now: float) -> list[Alert]:
        """Return the alerts that became due by event time ``now``, Unix seconds."""
        return [alert for rule in self._rules.values() for alert in self._admit(rule.on_tick(now))]

    def flush(self) -> list[Alert]:
        """Return nothing: no alert is held back."""
        return []

    def reinstate(self, before: Sequence[Alert], changed: Sequence[Alert]) -> list[Alert]:
        """Bring alerts back as they were before a correction that is undone, and return what is said of all alerts.

        Args:
            before: The alerts as they were.
            changed: What followed from the undo for open alerts; for these alerts it does not hold.
        """
        for alert in before:
            opened = self._open.get(alert.key)
            if alert.state is not AlertState.RETRACTED:
                parts = self._basis.parts_of(alert) or (opened.parts if opened else frozenset())
                self._open[alert.key] = OpenAlert(alert, parts)
                self._raised_at.set((alert.rule, alert.person_id), alert.raised_at, at=alert.raised_at)
        keys = {alert.key for alert in before}
        return [*(alert for alert in changed if alert.key not in keys), *before]

    def snapshot(self) -> bytes:
        """Return the whole state, that of the rules included."""
        rules = {name: rule.snapshot() for name, rule in self._rules.items() if isinstance(rule, Stateful)}
        return serialise(_State(self._basis.snapshot(), list(self._open.items()), self._raised_at.snapshot(), rules))

    def restore(self, state: bytes) -> None:
        """Take over the state of another engine; rules that it did not have start empty.

        Raises:
            WireFormatError: If these bytes are not a snapshot of such an engine.
        """
        loaded = deserialise(state, _State)
        self._basis.restore(loaded.basis)
        self._open = dict(loaded.open)
        self._raised_at.restore(loaded.raised_at, list[tuple[tuple[str, int], float, float]])
        for name, rule in self._rules.items():
            if isinstance(rule, Stateful) and name in loaded.rules:
                rule.restore(loaded.rules[name])

    def _admit(self, alerts: Iterable[Alert]) -> list[Alert]:
        admitted = []
        for alert in alerts:
            subject = alert.rule, alert.person_id
            raised_at = self._raised_at.get(subject)
            is_cooling = raised_at is not None and alert.raised_at - raised_at < self._cooldown_s
            if is_cooling or alert.key in self._open:
                continue
            self._raised_at.set(subject, alert.raised_at, at=alert.raised_at)
            self._open[alert.key] = OpenAlert(alert, self._basis.parts_of(alert))
            while len(self._open) > self._max_open:
                del self._open[next(iter(self._open))]
            admitted.append(alert)
        return admitted

    def _correct(self, correction: Correction) -> list[Alert]:
        self._basis.on_correction(correction)
        for rule in self._rules.values():
            if isinstance(rule, CorrectableRule):
                rule.on_correction(correction)
        return [alert for move in moves_of(correction) for alert in self._move(move)]

    def _move(self, move: Move) -> list[Alert]:
        if move.target is None:
            return [self._retract(entry.alert.key) for entry in self._open_of(move.source)]
        if move.parts is None:
            return self._merge(move, move.target)
        return self._split(move, move.target, move.parts)

    def _merge(self, move: Move, kept: int) -> list[Alert]:
        entries = sorted(self._open_of(kept, move.source), key=lambda entry: (entry.alert.raised_at, entry.alert.key))
        last_raised_at: dict[str, float] = {}
        changed = []
        for entry in entries:
            alert = entry.alert
            last_at = last_raised_at.get(alert.rule)
            is_repeat = last_at is not None and alert.raised_at - last_at < self._cooldown_s
            if is_repeat:
                changed.append(self._retract(alert.key))
            elif alert.person_id == move.source:
                changed.append(self._amend(replace(entry, alert=alert_after(alert, move))))
            if not is_repeat and alert.key in self._open:
                last_raised_at[alert.rule] = alert.raised_at
        for rule in self._rules:
            self._raised_at.move((rule, move.source), (rule, kept))
        return changed

    def _split(self, move: Move, target: int, moved: frozenset[TrackPart]) -> list[Alert]:
        changed = []
        for entry in self._open_of(move.source):
            rest = entry.parts - moved
            if len(rest) == len(entry.parts):
                continue
            tracks = {part.track_id for part in rest}
            left = tuple(track_id for track_id in entry.alert.evidence if track_id in tracks)
            changed.append(self._amend(OpenAlert(alert_after(entry.alert, move, left), rest or entry.parts)))
            if not rest:
                self._move_cooldown(entry.alert, target)
        return changed

    def _open_of(self, *person_ids: int) -> list[OpenAlert]:
        return [entry for entry in self._open.values() if entry.alert.person_id in person_ids]

    def _amend(self, entry: OpenAlert) -> Alert:
        """Amend an alert if its rule finds it true, else retract it."""
        rule = self._rules[entry.alert.rule]
        alert = rule.reconsider(entry.alert) if isinstance(rule, CorrectableRule) else entry.alert
        if alert is None:
            return self._retract(entry.alert.key)
        self._open[alert.key] = replace(entry, alert=alert)
        return alert

    def _retract(self, key: str) -> Alert:
        alert = self._open.pop(key).alert
        subject = alert.rule, alert.person_id
        # A false alert must not silence a true one.
        if self._raised_at.get(subject) == alert.raised_at:
            self._raised_at.pop(subject)
        return replace(alert, state=AlertState.RETRACTED)

    def _move_cooldown(self, alert: Alert, target: int) -> None:
        """Move the cool-down that an alert started, if it still holds, to the person the alert is about now."""
        subject = alert.rule, alert.person_id
        if self._raised_at.get(subject) == alert.raised_at:
            self._raised_at.move(subject, (alert.rule, target))
