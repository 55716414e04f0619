"""The contract of alert rules, for each YAML in configs/alerts; and what ours do besides."""

import importlib
import pickle
from functools import partial
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from pipeline.alerts.rule_abilities import CorrectableRule, EndingRule
from pipeline.contracts.test_alerts import *  # noqa: F403
from pipeline.contracts.test_alerts import EVENTS, STARTED_AT, Factory, make_visit, run, time_of
from pipeline.core import Alert, AlertRule, Correction, CorrectionKind, Sighting, Stateful, TrackId, TrackPart
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR

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


SIGHTINGS = [event for event in EVENTS if isinstance(event, Sighting)]


@pytest.fixture(params=CONFIGS, ids=[path.stem for path in CONFIGS])
def config(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def factory(config: Path) -> Factory:
    return partial(make_rule, config)


def make_rule(config: Path) -> AlertRule:
    composed = OmegaConf.merge({"site": SITE, "alerts": SETTINGS.get(config.stem, {})}, OmegaConf.load(config))
    call = OmegaConf.to_container(composed, resolve=True)[config.stem] | SETTINGS.get(config.stem, {})
    module, name = call.pop("_target_").rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**call)


def test_a_rule_is_called_like_its_file(config: Path) -> None:
    assert make_rule(config).name == config.stem


def test_the_events_lead_to_alerts(config: Path) -> None:
    rule = make_rule(config)
    assert run(rule, EVENTS) + list(rule.on_tick(time_of(EVENTS[-1]) + 3600))


def test_keys_say_rule_person_beginning_and_place(config: Path) -> None:
    alerts = run(make_rule(config), EVENTS)
    assert [alert.key for alert in alerts] == [
        f"{config.stem}/{alert.person_id}/{alert.started_at:.3f}/{alert.place}" for alert in alerts
    ]
    assert all(alert.place for alert in alerts)


def test_every_rule_outlives_its_process(config: Path) -> None:
    assert isinstance(make_rule(config), Stateful)


def test_every_situation_is_over_at_some_time(config: Path) -> None:
    rule = make_rule(config)
    reports = run(rule, EVENTS)
    reports += rule.on_end(time_of(EVENTS[-1])) if isinstance(rule, EndingRule) else []
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
    for event in SIGHTINGS:
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
        for i, event in enumerate(SIGHTINGS):
            alerts += rule.on_sighting(event)
            later = [other.first.captured_at for other in SIGHTINGS[i + 1 :]]
            if i % every == 0:
                alerts += rule.on_tick(min([event.last.captured_at, *later]))
        return {alert.key for alert in (*alerts, *rule.on_tick(time_of(EVENTS[-1]) + 3600))}

    assert keys(1) == keys(100)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_people_who_have_left(config: Path) -> None:
    rule = make_rule(config)
    sizes = []
    for person_id in range(1, 10_001):
        track_id = TrackId("east", 0, person_id)
        run(rule, make_visit(person_id, track_id, STARTED_AT + 30 * person_id, 1, 0.0))
        if person_id in (1_000, 10_000):
            sizes.append(len(pickle.dumps(rule)))
    assert sizes[1] < 1.2 * sizes[0]


def test_a_rule_that_hears_of_corrections_bears_them_all(config: Path) -> None:
    rule = make_rule(config)
    if not isinstance(rule, CorrectableRule):
        return
    parts = tuple(TrackPart(event.track_id, event.part) for event in SIGHTINGS if event.person_id == 5)
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
