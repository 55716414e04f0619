"""Rules about places: too many people, nobody for too long, and leaving; and people who are exempt."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.absence import AbsenceRule
from pipeline.alerts.rules.occupancy import OccupancyRule
from pipeline.alerts.rules.zone_dwell import ZoneDwellRule
from pipeline.alerts.rules.zone_exit import ZoneExitRule
from pipeline.core import Alert, AlertRule, AlertState, Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.errors import ConfigError
from pipeline.core.records.alert import NOBODY_IN_PARTICULAR

ZONES = {"door": {"camera": "east", "polygon": [[0, 80], [60, 80], [60, 119], [0, 119]]}}
IN, OUT = 10.0, 100.0


def part(person_id: int, track: int, number: int = 0, *, at: float = 0.0, left: float = IN) -> Sighting:
    """Three seconds of a person who stands in the zone, or beside it."""
    path = make_path(first=30 * number + round(at * 10), length=30, box=(left, 10, left + 20, 90))
    return make_sighting(person_id, TrackId("east", 0, track), number, path)


def told(rule: AlertRule, events: Sequence[Sighting | Correction], **options: object) -> list[Alert]:
    """The alerts that stand at the end, each in its last form."""
    engine = AlertEngine([rule], cooldown_s=0.0, max_open=100, max_parts=1000, **options)  # type: ignore[arg-type]
    found: dict[str, Alert] = {}
    newest = 0.0
    for event in events:
        at = event.at if isinstance(event, Correction) else event.last.captured_at
        newest = max(newest, at)
        found |= {alert.key: alert for alert in (*engine.process([event]), *engine.tick(at))}
    found |= {alert.key: alert for alert in engine.flush(newest)}
    return [alert for alert in found.values() if alert.state is not AlertState.RETRACTED]


def make_occupancy(max_people: int = 1, min_s: float = 1.0, zones: object = ZONES) -> OccupancyRule:
    limits = {"max_absence_s": 3.0, "forget_after_s": 300.0}
    return OccupancyRule(name="occupancy", severity="info", zones=zones, max_people=max_people, min_s=min_s, **limits)  # type: ignore[arg-type]


def make_queue(**limits: object) -> OccupancyRule:
    options = {"max_people": 1, "max_wait_s": 4.0, "min_s": 1.0, "max_absence_s": 3.0, "forget_after_s": 300.0} | limits
    return OccupancyRule(name="queue", severity="info", zones=ZONES, **options)  # type: ignore[arg-type]


def queue_of(*people: int) -> list[Sighting]:
    """Nine seconds of people who wait in the zone."""
    return [part(person, person, number) for number in range(3) for person in people]


def test_a_queue_is_told_from_when_too_many_have_waited_for_too_long() -> None:
    (alert,) = told(make_queue(), queue_of(1, 2))
    assert (alert.person_id, alert.place) == (0, "door")
    assert (alert.started_at, alert.ended_at) == (pytest.approx(4.0), pytest.approx(8.9))
    assert "waited for 4 s" in alert.message


@pytest.mark.parametrize(
    ("limits", "num"),
    [({}, 1), ({"max_people": 2}, 0), ({"max_wait_s": 8.5}, 0), ({"min_s": 6.0}, 0), ({"max_people": 0}, 1)],
    ids=str,
)
def test_each_limit_of_a_queue_decides(limits: dict[str, float], num: int) -> None:
    assert len(told(make_queue(**limits), queue_of(1, 2))) == num


def test_who_has_just_come_does_not_count_in_a_queue() -> None:
    assert told(make_queue(), [*queue_of(1), part(2, 2, at=6)]) == []


def test_a_queue_is_looked_for_in_the_named_zones() -> None:
    assert len(told(make_queue(places=["door"]), queue_of(1, 2))) == 1
    with pytest.raises(ConfigError, match=r"alerts\.queue\.places: .*door.*window"):
        make_queue(places=["window"])


def make_exit(max_absence_s: float = 3.0, min_dwell_s: float = 0.0) -> ZoneExitRule:
    limits = {"max_absence_s": max_absence_s, "forget_after_s": 300.0, "min_dwell_s": min_dwell_s}
    return ZoneExitRule(name="zone_exit", severity="info", zones=ZONES, **limits)


def test_one_alert_tells_of_too_many_people_while_they_are_too_many() -> None:
    events = [part(1, 1), part(2, 2), part(1, 1, 1), part(2, 2, 1), part(1, 3, at=30)]
    (alert,) = told(make_occupancy(), events)
    assert (alert.person_id, alert.place, alert.started_at) == (NOBODY_IN_PARTICULAR, "door", 0.0)
    assert alert.ended_at == pytest.approx(5.9)
    assert set(alert.evidence) == {TrackId("east", 0, 1), TrackId("east", 0, 2)}


@pytest.mark.parametrize(("limits", "num"), [({}, 1), ({"max_people": 2}, 0), ({"min_s": 10.0}, 0)], ids=str)
def test_each_limit_of_occupancy_decides(limits: dict[str, float], num: int) -> None:
    assert len(told(make_occupancy(**limits), [part(1, 1), part(2, 2)])) == num  # type: ignore[arg-type]


def test_a_zone_has_a_limit_of_its_own() -> None:
    zones = {"door": {**ZONES["door"], "max_people": 2}}
    assert told(make_occupancy(zones=zones), [part(1, 1), part(2, 2)]) == []


def test_two_tracks_of_one_person_are_one_person() -> None:
    assert told(make_occupancy(), [part(1, 1), part(1, 2)]) == []


def test_a_merge_takes_back_that_there_were_too_many() -> None:
    merge = Correction(CorrectionKind.MERGED, (1, 2), "ann", 4.0)
    events = [part(1, 1), part(2, 2)]
    assert len(told(make_occupancy(), events)) == 1
    assert told(make_occupancy(), [*events, merge]) == []


def test_an_excess_that_is_over_stays_over_when_somebody_is_named() -> None:
    engine = AlertEngine([make_occupancy()], cooldown_s=0.0, max_open=100, max_parts=1000)
    for event in (part(1, 1), part(2, 2)):
        engine.process([event])
    (over,) = engine.tick(60.0)
    assert over.ended_at == pytest.approx(2.9)
    named = Correction(CorrectionKind.NAMED, (9,), "ann", 61.0, name="bob")
    assert [*engine.process([named]), *engine.tick(90.0)] == []


def make_absence(max_absence_s: float = 20.0) -> AbsenceRule:
    return AbsenceRule(name="absence", severity="info", zones=ZONES, max_absence_s=max_absence_s)


def test_an_absence_is_told_and_ends_when_somebody_comes() -> None:
    elsewhere = [part(2, 9, number, left=OUT) for number in range(1, 16)]
    (alert,) = told(make_absence(), [part(1, 1), *elsewhere, part(1, 2, at=50)])
    assert alert.started_at == pytest.approx(2.9)
    assert (alert.raised_at, alert.ended_at) == (pytest.approx(22.9), pytest.approx(50.0))


def test_an_absence_that_lasts_to_the_end_ends_with_the_last_sighting_anywhere() -> None:
    (alert,) = told(make_absence(), [part(1, 1), *(part(2, 9, number, left=OUT) for number in range(1, 16))])
    assert (alert.raised_at, alert.ended_at) == (pytest.approx(22.9), pytest.approx(47.9))


@pytest.mark.parametrize(("max_absence_s", "num"), [(20.0, 1), (60.0, 0)])
def test_a_shorter_absence_is_not_told(max_absence_s: float, num: int) -> None:
    assert len(told(make_absence(max_absence_s), [part(1, 1), part(1, 2, at=50)])) == num


HOUR_S = 3600.0
NIGHT = {"door": {**ZONES["door"], "schedule": {"from_hour": 22, "to_hour": 6}}}


def nights_alone(rule: AbsenceRule, *, until_hour: int, guard_at: Sequence[float] = ()) -> list[tuple[float, ...]]:
    """When nobody was there, hours: began, told and ended, as a site that begins at noon tells it every minute."""
    engine = AlertEngine([rule], cooldown_s=60.0, max_open=100, max_parts=1000)
    found: dict[str, Alert] = {}
    for minute in range(12 * 60, until_hour * 60):
        seen = [part(1, round(at), at=at * HOUR_S) for at in guard_at if minute == round(at * 60)]
        found |= {alert.key: alert for alert in (*engine.process(seen), *engine.tick(minute * 60.0))}
    found |= {alert.key: alert for alert in engine.flush(until_hour * HOUR_S)}
    return [
        tuple(round(at / HOUR_S, 2) for at in (alert.started_at, alert.raised_at, alert.ended_at or 0))
        for alert in found.values()
    ]


def test_a_guard_who_never_comes_is_missed_in_every_night() -> None:
    rule = AbsenceRule(name="absence", severity="info", zones=NIGHT, max_absence_s=0.5 * HOUR_S)
    assert nights_alone(rule, until_hour=60) == [(22, 22.5, 30), (46, 46.5, 54)]


def test_a_guard_who_came_shortly_before_the_morning_is_missed_in_the_next_night() -> None:
    rule = AbsenceRule(name="absence", severity="info", zones=NIGHT, max_absence_s=HOUR_S)
    assert nights_alone(rule, until_hour=48, guard_at=[22.5, 23.4, 24.3, 25.2, 26.1, 27, 27.9, 28.8, 29.7]) == [
        (46, 47, 48)
    ]


def test_a_night_without_anybody_is_missed_in_stored_boxes_too() -> None:
    """There time passes with sightings alone."""
    rule = AbsenceRule(name="absence", severity="info", zones=NIGHT, max_absence_s=0.5 * HOUR_S)
    alerts = told(rule, [part(1, 1, at=20 * HOUR_S), part(1, 2, at=32 * HOUR_S)])
    assert [(alert.started_at, alert.ended_at) for alert in alerts] == [(22 * HOUR_S, 30 * HOUR_S)]


def test_after_the_end_of_a_stream_the_time_without_anybody_begins_anew() -> None:
    engine = AlertEngine([make_absence()], cooldown_s=0.0, max_open=100, max_parts=1000)
    engine.tick(0.0)
    (raised,) = engine.tick(40.0)
    (over,) = engine.flush(45.0)
    assert (over.key, over.ended_at) == (raised.key, 45.0)
    (again,) = [alert for at in range(100, 140) for alert in engine.tick(float(at))]
    assert (again.started_at, again.ended_at) == (100.0, None)


def test_whoever_is_there_when_the_schedule_of_a_zone_ends_has_not_left() -> None:
    zones = {"door": {**ZONES["door"], "schedule": {"from_hour": 0, "to_hour": 10 / HOUR_S}}}
    limits = {"max_absence_s": 3.0, "forget_after_s": 300.0, "min_dwell_s": 0.0}
    stays = [part(1, 1, number) for number in range(8)]
    leaves = [part(2, 2, number) for number in range(2)]
    rule = ZoneExitRule(name="zone_exit", severity="info", zones=zones, **limits)
    alerts = told(rule, [*stays, *leaves, part(3, 9, at=60, left=OUT)])
    assert [(alert.person_id, alert.started_at) for alert in alerts] == [(2, pytest.approx(5.9))]


def test_leaving_is_told_once_at_the_moment_of_the_last_sight() -> None:
    (alert,) = told(make_exit(), [part(1, 1), part(1, 1, 1), part(2, 9, at=30, left=OUT)])
    assert (alert.person_id, alert.place) == (1, "door")
    assert alert.started_at == alert.ended_at == pytest.approx(5.9)


def test_who_left_shortly_before_the_end_is_told_and_who_is_there_at_the_end_is_not() -> None:
    leaves, stays, elsewhere = part(1, 1), part(2, 2, at=4), part(3, 9, at=4, left=OUT)
    assert [alert.person_id for alert in told(make_exit(), [leaves, stays, elsewhere])] == [1]


@pytest.mark.parametrize(("limits", "num"), [({}, 2), ({"max_absence_s": 10.0}, 1), ({"min_dwell_s": 5.0}, 0)], ids=str)
def test_each_limit_of_leaving_decides(limits: dict[str, float], num: int) -> None:
    events = [part(1, 1), part(1, 2, at=8), part(2, 8, at=16, left=OUT), part(2, 9, at=40, left=OUT)]
    assert len(told(make_exit(**limits), events)) == num


def test_somebody_who_is_there_at_the_end_has_not_left() -> None:
    assert told(make_exit(), [part(1, 1)]) == []


def make_dwell() -> ZoneDwellRule:
    limits = {"max_dwell_s": 2.0, "max_absence_s": 3.0, "forget_after_s": 300.0}
    return ZoneDwellRule(name="zone_dwell", severity="info", zones=ZONES, **limits)


@pytest.mark.parametrize(("exempt", "num"), [((), 1), (("staff*",), 0), (("guest*",), 1)], ids=str)
def test_staff_never_alert(exempt: tuple[str, ...], num: int) -> None:
    assert len(told(make_dwell(), [part(1, 1)], exempt=exempt, names={1: "staff Ann"})) == num


def test_an_alert_about_somebody_who_proves_to_be_staff_is_taken_back() -> None:
    named = Correction(CorrectionKind.NAMED, (1,), "ann", 4.0, name="staff Bob")
    assert told(make_dwell(), [part(1, 1), named], exempt=("staff*",)) == []
    unnamed = replace(named, name="", at=5.0)
    assert len(told(make_dwell(), [part(1, 1), named, unnamed, part(1, 1, 1)], exempt=("staff*",))) == 1


def test_a_zone_is_about_the_people_whom_it_names_and_a_name_of_now_counts() -> None:
    zones = {"door": {**ZONES["door"], "people": ["thief*"]}, "hall": ZONES["door"]}
    limits = {"max_dwell_s": 2.0, "max_absence_s": 3.0, "forget_after_s": 300.0}
    options = {"dwell": {"zones": zones}}
    stays = [part(1, 1), part(2, 2)]
    renamed = [
        Correction(CorrectionKind.NAMED, (1,), "ann", 3.0, name=""),
        Correction(CorrectionKind.NAMED, (2,), "ann", 3.0, name="thief of bags"),
    ]
    for events, people in ((stays, [1]), ([*stays, *renamed], [2])):
        rule = ZoneDwellRule(name="dwell", severity="info", zones=zones, **limits)
        alerts = told(rule, events, names={1: "thief"}, options=options)
        assert sorted(alert.person_id for alert in alerts if alert.place == "door") == people
        assert sorted(alert.person_id for alert in alerts if alert.place == "hall") == [1, 2]


@pytest.mark.parametrize("people", ["thief", [], [1], [""], None], ids=str)
def test_the_people_of_a_zone_are_names(people: object) -> None:
    with pytest.raises(ConfigError, match=r"zones\.door\.people: expected a list of names"):
        make_occupancy(zones={"door": {**ZONES["door"], "people": people}})


def test_a_wrong_limit_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.occupancy\.max_people"):
        make_occupancy(max_people=-1)
    with pytest.raises(ConfigError, match=r"zones\.door\.max_people"):
        make_occupancy(zones={"door": {**ZONES["door"], "max_people": "many"}})
    with pytest.raises(ConfigError, match=r"alerts\.absence\.max_absence_s"):
        make_absence(-1.0)
