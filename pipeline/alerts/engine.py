"""From sightings and corrections to alerts: runs the rules, limits how often they speak, and keeps alerts true.

A rule reports situations, each time a sighting shows them, and forgets nothing about what was told. The engine tells
each situation once:

- The cool-down counts for one rule, one person and one place. A situation that begins within ``cooldown_s`` of an
  alert is pending. If it still holds when the cool-down ends, it is raised. If it was over by then, the earlier alert
  is amended: ``count`` says how often the situation occurred.
- An alert is amended when its situation is over: ``ended_at``. At the end of the stream every situation is over.
- MERGED: alerts about the absorbed person are about the kept one from now on, under their old keys. If two alerts turn
  out to be about one situation, the later one is retracted.
- SPLIT: an alert whose evidence has moved completely is about the other person from now on. An alert whose evidence
  has moved in part keeps the rest of it. An alert that is no longer true is retracted.
- ERASED: alerts about these people are retracted.
- The newest ``max_open`` alerts that are over stay open for corrections.
- A part of a track that comes later than rules wait for may show that an alert was false: it is retracted.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from math import inf
from typing import Self

from pipeline.alerts.basis import AlertBasis
from pipeline.alerts.cool_down import CoolDown
from pipeline.alerts.exemption import Exemption
from pipeline.alerts.incidents import Incident, Incidents, latest, shrunk, subject_of
from pipeline.alerts.picture_check import Sizes
from pipeline.alerts.picture_sizes import PictureSizes
from pipeline.alerts.rule_abilities import CorrectableRule, DrawnRule, EndingRule, ViewRule
from pipeline.alerts.rule_clock import RuleClock
from pipeline.alerts.rule_options import has_all_of
from pipeline.core import Alert, AlertRule, AlertState, Correction, Sighting, Stateful
from pipeline.core.errors import ConfigError
from pipeline.core.plugin_contract import blaming
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR
from pipeline.core.records.moves import Move, alert_after, moves_of
from pipeline.core.records.view_event import ViewReport
from pipeline.core.serialisation import deserialise, serialise

logger = logging.getLogger(__name__)


def _blaming(rule: AlertRule | CorrectableRule) -> AbstractContextManager[None]:
    return blaming(f"alerts.{getattr(rule, 'name', '*')}", rule)


@dataclass(frozen=True, slots=True)
class _State:
    """State of an alert engine, in order."""

    basis: bytes
    incidents: bytes
    raised_at: bytes
    rules: dict[str, bytes]
    names: dict[int, str] = field(default_factory=dict)
    told_until: float = -inf


class AlertEngine:
    """Decides which alerts go out, and keeps them true through corrections.

    Args:
        rules: Their names differ.
        cooldown_s: Seconds of event time after an alert in which the same rule raises no other about that person in
            that place.
        max_open: Number of the newest alerts that are over and that a correction can still change; at least 1.
        max_parts: Number of the newest parts of tracks to remember as the basis of alerts; at least 1.
        settle_s: See ``RuleClock``; rules are told time up to this long ago.
        exempt: Names of people about whom no alert is raised, ``*`` for any letters: staff, for instance.
        names: Of people who are known from the start, by number.
        has_clips: Whether alerts name the clip that is kept of them.
        options: What each rule is built of, by its name; see ``pass_state_to``.

    Raises:
        ConfigError: If two rules have one name.
    """

    def __init__(
        self,
        rules: Sequence[AlertRule],
        *,
        cooldown_s: float,
        max_open: int,
        max_parts: int,
        settle_s: float = 0.0,
        exempt: Sequence[str] = (),
        names: Mapping[int, str] | None = None,
        has_clips: bool = False,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.options = options or {}
        self._exemption = Exemption(exempt, names or {}, self.options)
        self._rules = {rule.name: rule for rule in rules}
        if len(self._rules) < len(rules):
            got = [rule.name for rule in rules]
            raise ConfigError(f"alerts.*.name: expected a different name for each rule, got {got}; rename one")
        self._basis = AlertBasis(max_parts=max_parts)
        self._incidents = Incidents(max_open=max_open, has_clips=has_clips)
        self._picture_sizes = PictureSizes()
        self._ends: dict[str, float | None] = {}  # during a correction: when each was over before it; None: it lasted
        self._cool_down, self._clock = CoolDown(cooldown_s), RuleClock(settle_s)

    def check_picture(self, camera_id: str, sizes: Sizes) -> None:
        """Raise ``ConfigError`` if a rule has a shape that the picture of a camera should show and does not."""
        for rule in self._rules.values():
            if isinstance(rule, DrawnRule):
                rule.check_picture(camera_id, sizes)

    def process(self, batch: Sequence[Sighting | Correction]) -> list[Alert]:
        """Return the alerts that these events raise, amend and retract. Events come in the order of event time."""
        alerts: list[Alert] = []
        for event in batch:
            if isinstance(event, Correction):
                self._correct(event)
            else:
                self._picture_sizes.see(event.track_id.camera_id, event.path.frame_hw, self.check_picture)
                self._clock.begin(event.first.captured_at)
                self._basis.add(event)
                for rule in self._rules.values():
                    with _blaming(rule):
                        self._take_all(rule.on_sighting(event))
                is_late = event.first.captured_at < self._clock.told_until
                for incident in self._incidents.over(event.person_id) if is_late else ():
                    self._reconsider(incident)
            alerts += self._incidents.drain()
        return alerts

    def tick(self, now: float) -> list[Alert]:
        """Return the alerts that became due by event time ``now``, Unix seconds."""
        told_until = self._clock.advance(now)
        for rule in self._rules.values():
            with _blaming(rule):
                self._take_all(rule.on_tick(told_until))
        self._release(now)
        return self._incidents.drain()

    def watch(self, reports: Iterable[ViewReport]) -> list[Alert]:
        """Return the alerts that follow from what cameras report of their views, in the order of event time."""
        for report in reports:
            for rule in self._rules.values():
                if isinstance(rule, ViewRule):
                    with _blaming(rule):
                        self._take_all(rule.on_view(report))
        return self._incidents.drain()

    def flush(self, at: float = -inf) -> list[Alert]:
        """Return the alerts that the end of the stream brings: every situation is over.

        Args:
            at: Unix seconds: the newest frame of any camera; minus infinite if it is not known.
        """
        for rule in self._rules.values():
            if isinstance(rule, EndingRule):
                with _blaming(rule):
                    self._take_all(rule.on_end(at))
        self._end_all()
        self._release(inf)
        self._clock.end()
        return self._incidents.drain()

    def reinstate(self, before: Sequence[Alert], changed: Sequence[Alert]) -> list[Alert]:
        """Bring alerts back as they were before a correction that is undone, and return what is said of all alerts.

        Args:
            before: The alerts as they were.
            changed: What followed from the undo for open alerts; for the alerts in ``before`` it does not hold.
        """
        known = {incident.key: incident for incident in self._incidents}
        for alert in (each for each in before if each.state is not AlertState.RETRACTED):
            old = known.get(alert.key)
            parts = self._basis.parts_of(alert) or (old.parts if old else frozenset())
            until = max(latest(alert), old.until if old else alert.raised_at)
            self._incidents.put(Incident(replace(alert, count=1, revision=1), parts, until, is_told=True))
            self._cool_down.begin(subject_of(alert), alert.raised_at)
        self._incidents.drain()  # it is told here
        keys = {alert.key for alert in before}
        return [*(alert for alert in changed if alert.key not in keys), *before]

    def pass_state_to(self, other: Self) -> list[Alert]:
        """Give the state to an engine of other rules, and return what is told: situations of changed rules are over.

        A rule keeps what it knows if it is built of the same, or of more zones or lines besides.
        """
        kept = {name for name, node in self.options.items() if has_all_of(other.options.get(name), node)}
        self._end_all(but=kept)
        told = self._incidents.drain()
        state = deserialise(self.snapshot(), _State)
        other.restore(serialise(replace(state, rules={name: state.rules[name] for name in kept & state.rules.keys()})))
        return told

    def snapshot(self) -> bytes:
        """Return the whole state, that of the rules included."""
        rules = {name: rule.snapshot() for name, rule in self._rules.items() if isinstance(rule, Stateful)}
        told = self._basis.snapshot(), self._incidents.snapshot(), self._cool_down.snapshot()
        return serialise(_State(*told, rules, self._exemption.names, self._clock.told_until))

    def restore(self, state: bytes) -> None:
        """Take over the state of another engine; rules that it did not have start empty.

        Raises:
            WireFormatError: If these bytes are not a snapshot of such an engine.
        """
        loaded = deserialise(state, _State)
        self._basis.restore(loaded.basis)
        self._incidents.restore(loaded.incidents)
        self._exemption.names, self._clock.told_until = dict(loaded.names), loaded.told_until
        self._cool_down.restore(loaded.raised_at)
        for name, rule in self._rules.items():
            if isinstance(rule, Stateful) and name in loaded.rules:
                rule.restore(loaded.rules[name])

    def _end_all(self, but: Set[str] = frozenset()) -> None:
        """Take all situations as over, but for those of some rules."""
        for incident in self._incidents:
            if incident.alert.rule not in but and incident.alert.ended_at is None:
                self._incidents.put(replace(incident, alert=replace(incident.alert, ended_at=incident.until)))

    def _take_all(self, reports: Iterable[Alert]) -> None:
        for report in reports:
            if not isinstance(report, Alert):
                raise TypeError(f"expected alerts, got {type(report).__name__}")
            self._take(report)

    def _take(self, report: Alert) -> None:
        """Learn that a situation holds, or is over."""
        if self._exemption.covers(report):
            return
        subject = subject_of(report)
        known = [incident for incident in self._incidents.of(subject) if incident.overlaps(report)]
        if known:
            self._refresh(known, report)
            return
        report = replace(report, key=self._free_key(report.key))
        self._hold_or_raise(Incident(report, self._basis.parts_of(report), latest(report)))

    def _refresh(self, known: Sequence[Incident], report: Alert) -> None:
        """Bring incidents up to date that a report shows to be one situation."""
        first, *others = sorted(
            known, key=lambda each: (not each.is_told, not each.counted_in, each.alert.raised_at, each.key)
        )
        for other in others:
            self._drop(other)
        until = max(latest(report), *(incident.until for incident in known))
        if not first.is_told:
            found = Incident(replace(report, key=first.key), self._basis.parts_of(report), until)
            if first.counted_in and report.ended_at is not None:
                self._incidents.put(replace(found, counted_in=first.counted_in))
            else:
                self._hold_or_raise(found)
            return
        alert = first.alert
        if report.ended_at is not None:
            ended_at: float | None = max(report.ended_at, report.ended_at if alert.ended_at is None else alert.ended_at)
        else:
            # A correction reports once more what was over: that it held until then does not show that it goes on.
            is_same_end = alert.ended_at == self._ends.get(first.key, alert.ended_at) == report.raised_at
            is_stale = alert.ended_at is not None and (report.raised_at < alert.ended_at or is_same_end)
            ended_at = alert.ended_at if is_stale else None
        if ended_at != alert.ended_at:
            evidence = tuple(dict.fromkeys((*alert.evidence, *report.evidence)))
            alert = replace(alert, ended_at=ended_at, evidence=evidence)
        self._incidents.put(replace(first, alert=alert, until=until))

    def _hold_or_raise(self, incident: Incident) -> None:
        subject = subject_of(incident.alert)
        if self._cool_down.holds(subject, incident.until):
            self._incidents.put(incident)
            return
        for repeat in self._incidents.of(subject):
            if not repeat.is_told and not repeat.counted_in and repeat.key != incident.key:
                self._fold(repeat)
        self._raise(incident)

    def _raise(self, incident: Incident) -> None:
        self._incidents.put(replace(incident, is_told=True, counted_in=""))
        self._cool_down.begin(subject_of(incident.alert), incident.alert.raised_at)

    def _release(self, now: float) -> None:
        """Tell what the cool-down held back, where it has ended by event time ``now``."""
        for incident in self._incidents.pending():
            subject = subject_of(incident.alert)
            if incident.alert.ended_at is None:
                if not self._cool_down.holds(subject, incident.until):
                    self._hold_or_raise(incident)
            elif not self._cool_down.holds(subject, now):
                self._fold(incident)

    def _fold(self, repeat: Incident) -> None:
        """Count a situation that began and ended within the cool-down of an alert in that alert."""
        subject = subject_of(repeat.alert)
        told = [
            incident
            for incident in self._incidents.of(subject)
            if incident.is_told and abs(repeat.until - incident.alert.raised_at) < self._cool_down.cooldown_s
        ]
        if not told:
            self._raise(repeat)
            return
        owner = max(told, key=lambda incident: incident.alert.raised_at)
        self._incidents.put(replace(repeat, counted_in=owner.key))

    def _free_key(self, key: str) -> str:
        """Return the key, or one beside it if a correction has given its alert to another person."""
        free, number = key, 1
        while free in self._incidents:
            number += 1
            free = f"{key}/{number}"
        return free

    # What corrections change.

    def _correct(self, correction: Correction) -> None:
        self._ends = {incident.key: incident.alert.ended_at for incident in self._incidents}
        self._basis.on_correction(correction)
        reports: list[Alert] = []
        for rule in self._rules.values():
            if isinstance(rule, CorrectableRule):
                with _blaming(rule):
                    reports += rule.on_correction(correction)
        for move in moves_of(correction):
            self._move(move)
        for repeat in self._incidents.counted():
            if not self._incidents.is_subject_of_owner(repeat):
                self._incidents.put(replace(repeat, counted_in=""))
        self._exemption.on_correction(correction)
        for incident in self._incidents:
            if incident.alert.person_id == NOBODY_IN_PARTICULAR:
                self._reconsider(incident)
            elif self._exemption.covers(incident.alert):
                self._drop(incident)
        self._take_all(reports)
        for incident in self._incidents:
            if incident.alert.person_id in correction.person_ids:
                self._join(incident)
        # What an alert covered that is retracted now is told at once.
        for incident in self._incidents.pending():
            if not self._cool_down.holds(subject_of(incident.alert), incident.until):
                self._hold_or_raise(incident)
        self._ends.clear()

    def _join(self, incident: Incident) -> None:
        """Take incidents that prove to be one situation of one person as one."""
        told = replace(incident.alert, raised_at=incident.until)  # a correction may have cut it shorter
        same = [each for each in self._incidents.of(subject_of(told)) if each.overlaps(told)]
        if len(same) > 1 and incident in same:
            self._refresh(same, told)

    def _move(self, move: Move) -> None:
        for incident in self._incidents:
            if incident.alert.person_id != move.source:
                continue
            if move.target is None:
                self._drop(incident)
            elif move.parts is None:
                self._give(incident, move)
            elif rest := incident.parts - move.parts:
                tracks = {part.track_id for part in rest}
                left = tuple(track_id for track_id in incident.alert.evidence if track_id in tracks)
                has_lost = len(rest) < len(incident.parts)
                alert = alert_after(incident.alert, move, left) if has_lost else incident.alert
                self._reconsider(shrunk(replace(incident, alert=alert, parts=rest)))
            elif incident.parts:
                self._give(incident, move)
        if move.parts is None:
            self._cool_down.give_all(move)

    def _give(self, incident: Incident, move: Move) -> None:
        """Give an incident to the person whom all its evidence shows now."""
        subject, raised_at = subject_of(incident.alert), incident.alert.raised_at
        given = replace(incident, alert=alert_after(incident.alert, move))
        if move.parts is not None and incident.is_told and self._cool_down.is_of(subject, raised_at):
            self._cool_down.give(subject, subject_of(given.alert))
        self._reconsider(given if move.parts is None else shrunk(given))

    def _reconsider(self, incident: Incident) -> None:
        """Keep an incident if its rule finds it true."""
        rule = self._rules.get(incident.alert.rule)
        alert: Alert | None = incident.alert
        if isinstance(rule, CorrectableRule):
            with _blaming(rule):
                alert = rule.reconsider(incident.alert)
        if alert is None:
            self._drop(incident)
        else:
            until = incident.until if alert.ended_at is None else alert.ended_at
            self._incidents.put(replace(incident, alert=alert, until=until))

    def _drop(self, incident: Incident) -> None:
        """Drop an incident that is false or doubled. Its alert must not silence a true one."""
        self._incidents.remove(incident.key)
        subject, raised_at = subject_of(incident.alert), incident.alert.raised_at
        if incident.is_told and self._cool_down.is_of(subject, raised_at):
            self._cool_down.end(subject)
            for other in (each for each in self._incidents.of(subject) if each.is_told):
                self._cool_down.begin(subject, other.alert.raised_at)
