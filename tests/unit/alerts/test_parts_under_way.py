"""Rules conclude nothing from an absence that a part under way may still end: tracking and rules together."""

from collections.abc import Iterator

import pytest
from factories import make_path, make_sighting
from tracks import BEHIND_LEFT, FIRST_AFTER_S, FPS, LEFT, PART_S, make_stage, step

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.absence import AbsenceRule
from pipeline.alerts.rules.occupancy import OccupancyRule
from pipeline.alerts.rules.zone_dwell import ZoneDwellRule
from pipeline.alerts.rules.zone_exit import ZoneExitRule
from pipeline.camera.tracking import settle_s
from pipeline.core import Alert, AlertState, Sighting, TrackId, Tracklet

ZONES = {"door": {"camera": "east", "polygon": [[0, 80], [60, 80], [60, 119], [0, 119]]}}
LOST_S, WINDOW_S = 2.0, 0.5
LIMITS = {"severity": "info", "zones": ZONES, "max_absence_s": 3.0}


def make_engine(part_s: float = PART_S) -> AlertEngine:
    forget = {"forget_after_s": 600.0}
    rules = [
        ZoneExitRule(name="zone_exit", min_dwell_s=0.0, **LIMITS, **forget),  # type: ignore[arg-type]
        OccupancyRule(name="occupancy", max_people=1, min_s=1.0, **LIMITS, **forget),  # type: ignore[arg-type]
        ZoneDwellRule(name="zone_dwell", max_dwell_s=5.0, **LIMITS, **forget),  # type: ignore[arg-type]
        AbsenceRule(name="absence", **LIMITS),  # type: ignore[arg-type]
    ]
    wait_s = settle_s(first_after_s=FIRST_AFTER_S, part_s=part_s, lost_s=LOST_S)
    return AlertEngine(rules, cooldown_s=0.0, max_open=1000, max_parts=10_000, settle_s=wait_s)


def sightings(tracklets: list[Tracklet]) -> list[Sighting]:
    return [make_sighting(each.track_id.number, each.track_id, each.part, each.path) for each in tracklets]


def watch(part_s: float, contact_s: float, alone_s: float) -> Iterator[Alert]:
    """Two people come, touch each other for a while, and leave; then a third is elsewhere."""
    last = round((1 + contact_s) * FPS)
    numbers = {last + i: [3] for i in range(round(alone_s * FPS))}
    stage = make_stage(numbers=numbers, ended={last + round(LOST_S * FPS): [1, 2]}, part_s=part_s)
    engine, waiting = make_engine(part_s), list[Sighting]()
    for index in range(last + round(alone_s * FPS)):
        far_apart = [LEFT, (30.0, 10.0, 59.0, 90.0)]
        boxes = far_apart if index < FPS else [LEFT, BEHIND_LEFT] if index < last else [(110.0, 10.0, 140.0, 90.0)]
        waiting += sightings(step(stage, index, boxes))
        if (index + 1) % round(WINDOW_S * FPS) == 0:
            yield from engine.process(waiting)
            yield from engine.tick((index + 1) / FPS)
            waiting = []
    yield from engine.flush(index / FPS)


@pytest.mark.parametrize("part_s", [3.0, 1.0, 8.0])
def test_people_who_touch_are_told_once_and_leave_once(part_s: float) -> None:
    found = list(watch(part_s, contact_s=60.0, alone_s=60.0))
    left_at = 61 - 1 / FPS
    seen = {(alert.rule, alert.person_id): alert for alert in found}
    assert {key: alert.ended_at for key, alert in seen.items()} == {
        ("zone_dwell", 1): left_at,
        ("zone_dwell", 2): left_at,
        ("occupancy", 0): left_at,
        ("zone_exit", 1): left_at,
        ("zone_exit", 2): left_at,
        ("absence", 0): pytest.approx(121, abs=0.2),
    }
    # Each is told once and ends once: no end is told that a later part takes back.
    assert sorted(alert.rule for alert in found if alert.state is AlertState.RAISED) == sorted(rule for rule, _ in seen)
    assert len(found) == len({(alert.key, alert.ended_at) for alert in found})
    assert not [alert for alert in found if alert.state is AlertState.RETRACTED]


def test_every_part_is_complete_within_the_time_that_rules_wait() -> None:
    stage = make_stage(ended={1000 + round(LOST_S * FPS): [1, 2]})
    boxes = [[LEFT, BEHIND_LEFT] if index < 1000 else [] for index in range(1100)]
    found = [tracklet for index in range(1100) for tracklet in step(stage, index, boxes[index])]
    waits_s = [each.completed_at - float(each.path.captured_at[0]) for each in found]
    assert PART_S < max(waits_s) <= settle_s(first_after_s=FIRST_AFTER_S, part_s=PART_S, lost_s=LOST_S)


def part(number: int, since: float, until: float) -> Sighting:
    first, length = round(since * 10), round((until - since) * 10)
    path = make_path(first=first, length=length, box=(10, 10, 30, 90))
    return make_sighting(1, TrackId("east", 0, 1), number, path)


def test_an_exit_is_retracted_when_a_part_that_came_late_shows_that_nobody_left() -> None:
    engine = make_engine()
    engine.process([part(0, 0, 5)])
    (exit_,) = [alert for alert in engine.tick(60.0) if alert.rule == "zone_exit"]
    found = engine.process([part(1, 5, 12)])
    assert [(alert.key, alert.state) for alert in found if alert.rule == "zone_exit"] == [
        (exit_.key, AlertState.RETRACTED)
    ]
    assert [alert.ended_at for alert in found if alert.rule == "zone_dwell"] == [None]
    over = {alert.rule: (alert.state, alert.ended_at) for alert in engine.tick(60.5)}
    assert over["zone_exit"] == (AlertState.RAISED, pytest.approx(11.9))
    assert over["zone_dwell"] == (AlertState.AMENDED, pytest.approx(11.9))


def test_a_late_part_of_after_a_return_leaves_the_exit_as_it_was() -> None:
    engine = make_engine()
    engine.process([part(0, 0, 5)])
    engine.tick(60.0)
    assert not [alert for alert in engine.process([part(1, 20, 25)]) if alert.rule == "zone_exit"]


def test_time_that_rules_were_told_goes_on_from_a_snapshot() -> None:
    engine, other = make_engine(), make_engine()
    engine.process([part(0, 0, 5)])
    engine.tick(20.0)
    other.restore(engine.snapshot())
    assert engine.tick(25.5) == other.tick(25.5) == []
    assert (told := engine.tick(26.0)) == other.tick(26.0)
    assert {alert.rule for alert in told} == {"zone_exit", "absence"}
