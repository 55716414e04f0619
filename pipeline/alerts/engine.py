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
from pipeline.core import Alert, AlertRule, AlertState, Correction, CorrectionKind, Sighting, Stateful, TrackPart
from pipeline.core.errors import ConfigError
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
    raised_at: list[tuple[tuple[str, int], float]]
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
        # By rule and person, oldest alert first.
        self._raised_at: dict[tuple[str, int], float] = {}

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

    def snapshot(self) -> bytes:
        """Return the whole state, that of the rules included."""
        rules = {name: rule.snapshot() for name, rule in self._rules.items() if isinstance(rule, Stateful)}
        return serialise(_State(self._basis.snapshot(), list(self._open.items()), list(self._raised_at.items()), rules))

    def restore(self, state: bytes) -> None:
        """Take over the state of another engine; rules that it did not have start empty.

        Raises:
            WireFormatError: If these bytes are not a snapshot of such an engine.
        """
        loaded = deserialise(state, _State)
        self._basis.restore(loaded.basis)
        self._open, self._raised_at = dict(loaded.open), dict(loaded.raised_at)
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
            self._raised_at.pop(subject, None)
            self._raised_at[subject] = alert.raised_at
            self._open[alert.key] = OpenAlert(alert, self._basis.parts_of(alert))
            self._forget(alert.raised_at)
            admitted.append(alert)
        return admitted

    def _forget(self, now: float) -> None:
        while len(self._open) > self._max_open:
            del self._open[next(iter(self._open))]
        while self._raised_at:
            subject = next(iter(self._raised_at))
            if now - self._raised_at[subject] < self._cooldown_s:
                break
            del self._raised_at[subject]

    def _correct(self, correction: Correction) -> list[Alert]:
        self._basis.on_correction(correction)
        for rule in self._rules.values():
            if isinstance(rule, CorrectableRule):
                rule.on_correction(correction)
        if correction.kind is CorrectionKind.MERGED:
            kept, absorbed = correction.person_ids
            return self._merge(kept, absorbed)
        if correction.kind is CorrectionKind.SPLIT:
            source, target = correction.person_ids
            return self._split(source, target, frozenset(correction.parts))
        if correction.kind is CorrectionKind.ERASED:
            return [self._retract(entry.alert.key) for entry in self._open_of(*correction.person_ids)]
        return []

    def _merge(self, kept: int, absorbed: int) -> list[Alert]:
        entries = sorted(self._open_of(kept, absorbed), key=lambda entry: (entry.alert.raised_at, entry.alert.key))
        last_raised_at: dict[str, float] = {}
        changed = []
        for entry in entries:
            alert = replace(entry.alert, person_id=kept)
            last_at = last_raised_at.get(alert.rule)
            is_repeat = last_at is not None and alert.raised_at - last_at < self._cooldown_s
            if is_repeat:
                changed.append(self._retract(alert.key))
            elif entry.alert.person_id == absorbed:
                changed.append(self._amend(replace(entry, alert=alert)))
            if not is_repeat and alert.key in self._open:
                last_raised_at[alert.rule] = alert.raised_at
        for rule in self._rules:
            self._move_cooldown(rule, absorbed, kept)
        return changed

    def _split(self, source: int, target: int, moved: frozenset[TrackPart]) -> list[Alert]:
        changed = []
        for entry in self._open_of(source):
            rest = entry.parts - moved
            if len(rest) == len(entry.parts):
                continue
            if not rest:
                changed.append(self._amend(replace(entry, alert=replace(entry.alert, person_id=target))))
                if self._raised_at.get((entry.alert.rule, source)) == entry.alert.raised_at:
                    self._move_cooldown(entry.alert.rule, source, target)
                continue
            tracks = {part.track_id for part in rest}
            evidence = tuple(track_id for track_id in entry.alert.evidence if track_id in tracks)
            changed.append(self._amend(OpenAlert(replace(entry.alert, evidence=evidence), rest)))
        return changed

    def _open_of(self, *person_ids: int) -> list[OpenAlert]:
        return [entry for entry in self._open.values() if entry.alert.person_id in person_ids]

    def _amend(self, entry: OpenAlert) -> Alert:
        """Amend an alert if its rule finds it true, else retract it."""
        rule = self._rules[entry.alert.rule]
        alert = rule.reconsider(entry.alert) if isinstance(rule, CorrectableRule) else entry.alert
        if alert is None:
            return self._retract(entry.alert.key)
        alert = replace(alert, state=AlertState.AMENDED)
        self._open[alert.key] = replace(entry, alert=alert)
        return alert

    def _retract(self, key: str) -> Alert:
        alert = self._open.pop(key).alert
        subject = alert.rule, alert.person_id
        # A false alert must not silence a true one.
        if self._raised_at.get(subject) == alert.raised_at:
            del self._raised_at[subject]
        return replace(alert, state=AlertState.RETRACTED)

    def _move_cooldown(self, rule: str, source: int, target: int) -> None:
        raised_at = self._raised_at.pop((rule, source), None)
        if raised_at is not None:
            self._raised_at[rule, target] = max(raised_at, self._raised_at.get((rule, target), raised_at))
