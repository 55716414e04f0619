"""What every alert rule that a YAML names must do; a new rule is tested by having its YAML."""

import importlib
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_path, make_sighting
from omegaconf import OmegaConf

from pipeline.alerts.rule_abilities import CorrectableRule, EndingRule, ViewRule
from pipeline.core import (
    Alert,
    AlertRule,
    Correction,
    CorrectionKind,
    Sighting,
    Stateful,
    TrackId,
    TrackPart,
    TrackPath,
)
from pipeline.core.alert import NOBODY_IN_PARTICULAR
from pipeline.core.view_event import ViewEvent, ViewEventKind, ViewReport

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs" / "alerts").glob("*.yaml"))

SITE = {
    "zones": {
        "hall": {"camera": "east", "polygon": [[0, 0], [160, 0], [160, 120], [0, 120]], "way": [[90, 60], [0, 60]]}
    },
    "max_dwell_s": 30.0,
    "ground": {},
    "lines": {"gate": {"camera": "east", "from": [80, 120], "to": [80, 0], "forbidden": "both"}},
}
SETTINGS = {
    "watchlist": {"people": {"somebody": 3}},
    "restricted_camera": {"cameras": ["east", "west"]},
    "occupancy": {"max_people": 0},
    "absence": {"max_absence_s": 60.0},
    "queue": {"max_people": 0, "max_wait_s": 20.0},
    "crowding": {"min_people": 2, "max_distance_m": 20.0, "min_s": 1.0},
    "follow": {"max_follow_s": 2.0, "max_distance_m": 20.0, "min_walk_m": 0.0},
    "wrong_way": {"min_speed_m": 0.01},
}
"""What a YAML leaves empty because no place is like another, and limits that these events exceed."""

WEEK_S = 7 * 24 * 3600.0
STARTED_AT = 23 * 3600.0
"""In the night of the first of January 1970; multiples of an eighth of a second, so that shifts are exact."""


@pytest.fixture(params=CONFIGS, ids=[path.stem for path in CONFIGS])
def config(request: pytest.FixtureRequest) -> Path:
    return request.param


def make_rule(config: Path) -> AlertRule:
    composed = OmegaConf.merge({"site": SITE, "alerts": SETTINGS.get(config.stem, {})}, OmegaConf.load(config))
    call = OmegaConf.to_container(composed, resolve=True)[config.stem] | SETTINGS.get(config.stem, {})
    module, name = call.pop("_target_").rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**call)


def make_visit(
    person_id: int, track_id: TrackId, began_at: float, num_parts: int, velocity: float
) -> Iterator[Sighting]:
    """Parts of four seconds, at eight frames a second, of a walk to and fro through the picture."""
    for part in range(num_parts):
        path = make_path(first=32 * part, length=32)
        times = began_at + np.arange(32 * part, 32 * (part + 1)) / 8
        offsets = (60 + velocity * (times - began_at)) % 120
        boxes = path.boxes_xyxy.copy()
        boxes[:, [0, 2]] = (offsets[:, None] + [0, 20]).astype(np.float32)
        path = TrackPath(path.indices, times, boxes, path.scores, path.frame_hw)
        yield make_sighting(person_id, track_id, part, path)


def make_events() -> list[Sighting]:
    """Twelve people who come and go for two hours, in event time."""
    random = np.random.default_rng(7)
    events: list[Sighting] = []
    for number in range(120):
        camera_id = ("east", "west")[int(random.integers(2))]
        began_at = STARTED_AT + int(random.integers(0, 7200 * 8)) / 8
        events += make_visit(
            int(random.integers(1, 13)),
            TrackId(camera_id, 0, number + 1),
            began_at,
            int(random.integers(1, 14)),
            float(random.integers(0, 16)),
        )
    return sorted(events, key=lambda event: (event.last.captured_at, event.track_id))


EVENTS = make_events()

VIEWS = [
    ViewReport("east", begun + (600.0 if is_over else 10.0), ViewEvent(kind, begun, begun + 600 if is_over else None))
    for begun, kind in zip(np.arange(STARTED_AT + 100, STARTED_AT + 6600, 1000.0).tolist(), ViewEventKind, strict=False)
    for is_over in (False, True)
]
"""Everything that can be wrong with a view, one after another."""


def on_views(rule: AlertRule, since: float, until: float) -> list[Alert]:
    """What a rule reports of views within a time."""
    if not isinstance(rule, ViewRule):
        return []
    return [alert for view in VIEWS if since < view.completed_at <= until for alert in rule.on_view(view)]


def shifted(event: Sighting, by_s: float) -> Sighting:
    path = event.path
    moved = TrackPath(path.indices, path.captured_at + by_s, path.boxes_xyxy, path.scores, path.frame_hw)
    first, last = (replace(stamp, captured_at=stamp.captured_at + by_s) for stamp in (event.first, event.last))
    return replace(event, path=moved, first=first, last=last)


def run(rule: AlertRule, events: Iterable[Sighting]) -> list[Alert]:
    return [alert for event in events for alert in rule.on_sighting(event)]


def run_with_ticks(rule: AlertRule, events: Iterable[Sighting]) -> list[Alert]:
    reports: list[Alert] = []
    before = 0.0
    for event in events:
        now = max(before, event.last.captured_at)
        reports += [*rule.on_sighting(event), *on_views(rule, before, now), *rule.on_tick(event.last.captured_at)]
        before = now
    return reports


def test_a_rule_is_called_like_its_file(config: Path) -> None:
    assert make_rule(config).name == config.stem


def test_the_events_lead_to_alerts(config: Path) -> None:
    rule = make_rule(config)
    assert run_with_ticks(rule, EVENTS) + list(rule.on_tick(EVENTS[-1].last.captured_at + 3600))


def test_the_same_events_lead_to_the_same_alerts(config: Path) -> None:
    assert run(make_rule(config), EVENTS) == run(make_rule(config), EVENTS)


def test_only_event_time_counts(config: Path) -> None:
    alerts = run(make_rule(config), EVENTS)
    a_week_later = run(make_rule(config), [shifted(event, WEEK_S) for event in EVENTS])
    assert [
        (alert.person_id, alert.started_at + WEEK_S, alert.raised_at + WEEK_S, alert.evidence) for alert in alerts
    ] == [(alert.person_id, alert.started_at, alert.raised_at, alert.evidence) for alert in a_week_later]


def test_keys_say_rule_person_beginning_and_place(config: Path) -> None:
    alerts = run_with_ticks(make_rule(config), EVENTS)
    assert [alert.key for alert in alerts] == [
        f"{config.stem}/{alert.person_id}/{alert.started_at:.3f}/{alert.place}" for alert in alerts
    ]
    assert all(alert.place for alert in alerts)


def test_every_situation_is_over_at_some_time(config: Path) -> None:
    rule = make_rule(config)
    reports = run_with_ticks(rule, EVENTS)
    reports += rule.on_end(EVENTS[-1].last.captured_at) if isinstance(rule, EndingRule) else []
    last = {report.key: report for report in reports}.values()
    ended = [(report, report.ended_at) for report in last if report.ended_at is not None]
    assert not any(ended_at < report.started_at for report, ended_at in ended)
    for report in last:  # a situation that proves to have begun earlier ends under another key
        subject = report.person_id, report.place
        assert any(
            subject == (other.person_id, other.place)
            and other.started_at <= report.raised_at
            and ended_at >= report.started_at
            for other, ended_at in ended
        ), report


def test_an_alert_is_about_the_sighting_that_leads_to_it(config: Path) -> None:
    rule = make_rule(config)
    for event in EVENTS:
        for alert in rule.on_sighting(event):
            assert alert.rule == rule.name
            assert alert.person_id in (event.person_id, NOBODY_IN_PARTICULAR)
            assert alert.camera_id == event.track_id.camera_id
            assert alert.started_at <= alert.raised_at <= event.last.captured_at
            assert event.track_id in alert.evidence or (alert.person_id, alert.evidence) == (NOBODY_IN_PARTICULAR, ())
            assert alert.message


def test_how_often_the_time_advances_does_not_matter(config: Path) -> None:
    def keys(every: int) -> set[str]:
        rule = make_rule(config)
        alerts: list[Alert] = []
        for i, event in enumerate(EVENTS):
            alerts += rule.on_sighting(event)
            if i % every == 0:
                alerts += rule.on_tick(event.last.captured_at)
        return {alert.key for alert in (*alerts, *rule.on_tick(EVENTS[-1].last.captured_at + 3600))}

    assert keys(1) == keys(100)


def test_a_rule_goes_on_after_pickling(config: Path) -> None:
    rule = make_rule(config)
    half = len(EVENTS) // 2
    alerts = run(rule, EVENTS[:half])
    assert alerts + run(pickle.loads(pickle.dumps(rule)), EVENTS[half:]) == run(make_rule(config), EVENTS)


def test_a_rule_that_is_restored_from_its_snapshot_goes_on(config: Path) -> None:
    rule, other = make_rule(config), make_rule(config)
    assert isinstance(rule, Stateful)
    half = len(EVENTS) // 2
    alerts = run(rule, EVENTS[:half])
    other.restore(rule.snapshot())
    assert alerts + run(other, EVENTS[half:]) == run(make_rule(config), EVENTS)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_people_who_have_left(config: Path) -> None:
    rule = make_rule(config)
    sizes = []
    for person_id in range(1, 10_001):
        track_id = TrackId("east", 0, person_id)
        run_with_ticks(rule, make_visit(person_id, track_id, STARTED_AT + 30 * person_id, 1, 0.0))
        if person_id in (1_000, 10_000):
            sizes.append(len(pickle.dumps(rule)))
    assert sizes[1] < 1.2 * sizes[0]


def test_a_rule_that_hears_of_corrections_bears_them_all(config: Path) -> None:
    rule = make_rule(config)
    if not isinstance(rule, CorrectableRule):
        return
    parts = tuple(TrackPart(event.track_id, event.part) for event in EVENTS if event.person_id == 5)
    corrections = [
        Correction(CorrectionKind.MERGED, (1, 2), "test", 0.0),
        Correction(CorrectionKind.MERGED, (1, 999), "test", 0.0),
        Correction(CorrectionKind.SPLIT, (5, 50), "test", 0.0, parts[::2]),
        Correction(CorrectionKind.SPLIT, (5, 51), "test", 0.0, parts),
        Correction(CorrectionKind.CONFIRMED, (4,), "test", 0.0),
        Correction(CorrectionKind.NAMED, (4,), "test", 0.0, name="somebody"),
        Correction(CorrectionKind.NAMED, (4,), "test", 0.0),
        Correction(CorrectionKind.ERASED, (6, 999), "test", 0.0),
    ]
    alerts: list[Alert] = []
    for i in range(0, len(EVENTS), 50):
        alerts += run(rule, EVENTS[i : i + 50])
        for correction in corrections:
            rule.on_correction(correction)
    for alert in alerts:
        again = rule.reconsider(alert)
        assert again is None or again.key == alert.key
