from dataclasses import replace

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.rules.zone_dwell import ZoneDwellRule
from pipeline.core import Alert, Correction, CorrectionKind, Severity, Sighting, TrackId, TrackPart
from pipeline.core.errors import ConfigError

INSIDE, OUTSIDE = (10.0, 10.0, 40.0, 90.0), (110.0, 10.0, 140.0, 90.0)
TRACK, OTHER = TrackId("east", 0, 1), TrackId("east", 0, 2)


def make_rule(**changes) -> ZoneDwellRule:
    settings = {
        "name": "dwell",
        "severity": "warning",
        "zones": {"door": {"camera": "east", "polygon": [[0, 60], [80, 60], [80, 120], [0, 120]]}},
        "max_dwell_s": 10.0,
        "max_absence_s": 2.0,
        "forget_after_s": 60.0,
    }
    return ZoneDwellRule(**settings | changes)


def see(
    from_s: float, to_s: float, *, box=INSIDE, person_id: int = 1, track_id: TrackId = TRACK, part: int = 0
) -> Sighting:
    """Someone in every frame from one second to another, ten frames a second."""
    path = make_path(first=round(from_s * 10), length=round((to_s - from_s) * 10) + 1, box=box)
    return make_sighting(person_id, track_id, part, path)


def run(rule: ZoneDwellRule, *sightings: Sighting) -> list[Alert]:
    """What a rule reports, each situation in its newest form."""
    return list({alert.key: alert for sighting in sightings for alert in rule.on_sighting(sighting)}.values())


def test_a_long_dwell_is_one_situation() -> None:
    alerts = run(make_rule(), see(5, 14), see(14.1, 17, part=1), see(17.1, 40, part=2))
    assert alerts == [
        Alert(
            key="dwell/1/5.000/door",
            rule="dwell",
            severity=Severity.WARNING,
            person_id=1,
            camera_id="east",
            started_at=5.0,
            raised_at=40.0,
            message="Somebody stays in 'door' for more than 10 s.",
            evidence=(TRACK,),
            place="door",
        )
    ]


@pytest.mark.parametrize(("to_s", "count"), [(10.0, 0), (10.1, 1)], ids=["exactly", "longer"])
def test_exactly_the_allowed_time_is_allowed(to_s: float, count: int) -> None:
    assert len(run(make_rule(), see(0, to_s))) == count


def test_an_alert_about_exactly_the_allowed_time_is_refuted() -> None:
    (alert,) = run(make_rule(max_dwell_s=5.0), see(0, 10))
    rule = make_rule()
    run(rule, see(0, 10))
    assert rule.reconsider(alert) is None


def test_every_point_of_a_path_counts() -> None:
    # At both ends the person is in the zone, in between for five seconds not.
    parts = [see(0, 4), see(4.1, 9, box=OUTSIDE, part=1), see(9.1, 14, part=2)]
    assert run(make_rule(), *parts) == []


def test_a_short_absence_does_not_end_a_dwell() -> None:
    parts = [see(0, 6), see(6.1, 7.9, box=OUTSIDE, part=1), see(8, 11, part=2)]
    assert [alert.started_at for alert in run(make_rule(), *parts)] == [0.0]


def test_a_dwell_goes_on_in_another_track() -> None:
    (alert,) = run(make_rule(), see(0, 6), see(7, 11, track_id=OTHER))
    assert (alert.started_at, alert.evidence) == (0.0, (TRACK, OTHER))


def test_a_second_dwell_raises_a_second_alert() -> None:
    alerts = run(make_rule(), see(0, 12), see(30, 42, track_id=OTHER))
    assert [alert.key for alert in alerts] == ["dwell/1/0.000/door", "dwell/1/30.000/door"]


def test_two_people_do_not_make_one_dwell() -> None:
    assert run(make_rule(), see(0, 6), see(6.1, 12, person_id=2, track_id=OTHER)) == []


def test_a_zone_belongs_to_one_camera() -> None:
    assert run(make_rule(), see(0, 20, track_id=TrackId("west", 0, 1))) == []


def test_a_merge_joins_the_dwells_of_both_people() -> None:
    rule = make_rule()
    assert run(rule, see(0, 6), see(6.1, 9, person_id=2, track_id=OTHER)) == []
    rule.on_correction(Correction(CorrectionKind.MERGED, (1, 2), "test", 9.0))
    (alert,) = run(rule, see(9.1, 11, track_id=OTHER, part=1))
    assert (alert.started_at, alert.evidence) == (0.0, (TRACK, OTHER))


def test_a_split_takes_parts_of_another_person_off_a_dwell() -> None:
    rule = make_rule()
    (alert,) = run(rule, see(0, 6), see(6.1, 12, part=1))
    moved = (TrackPart(TRACK, 1),)
    rule.on_correction(Correction(CorrectionKind.SPLIT, (1, 2), "test", 12.0, moved))
    assert rule.reconsider(alert) is None
    (alert,) = run(rule, see(12.1, 17, person_id=2, part=2))
    assert (alert.person_id, alert.started_at) == (2, pytest.approx(6.1))


def test_an_alert_whose_dwell_is_forgotten_stays_true() -> None:
    rule = make_rule()
    (alert,) = run(rule, see(0, 12))
    assert [(over.key, over.ended_at) for over in rule.on_tick(200.0)] == [(alert.key, 12.0)]
    assert rule.reconsider(alert) == alert


def test_after_a_correction_the_dwells_of_both_people_are_reported() -> None:
    rule = make_rule()
    (alert,) = run(rule, see(0, 11), see(11.1, 25, part=1))
    reports = rule.on_correction(Correction(CorrectionKind.SPLIT, (1, 2), "test", 25.0, (TrackPart(TRACK, 1),)))
    assert rule.reconsider(alert) == replace(alert, ended_at=11.0)
    assert [report.key for report in reports] == ["dwell/1/0.000/door", "dwell/2/11.100/door"]


def test_an_erased_person_leaves_no_dwell() -> None:
    rule = make_rule()
    run(rule, see(0, 9))
    rule.on_correction(Correction(CorrectionKind.ERASED, (1,), "test", 9.0))
    assert run(rule, see(9.1, 15, part=1)) == []


def test_a_dwell_of_many_parts_is_one_dwell() -> None:
    rule = make_rule(max_dwell_s=500.0)
    alerts = run(rule, *(see(4 * part, 4 * part + 3.9, part=part) for part in range(130)))
    assert [alert.started_at for alert in alerts] == [0.0]


@pytest.mark.parametrize(
    "changes",
    [{"severity": "loud"}, {"max_dwell_s": -1}, {"max_absence_s": None}, {"forget_after_s": 1.0}],
    ids=["severity", "dwell", "absence", "forgets too soon"],
)
def test_bad_settings_are_named(changes) -> None:
    with pytest.raises(ConfigError, match=rf"alerts\.dwell\.{next(iter(changes))}: expected"):
        make_rule(**changes)


def test_a_stay_in_a_group_of_zones_is_one() -> None:
    polygons = {
        "door": [[0, 60], [80, 60], [80, 120], [0, 120]],
        "window": [[80, 60], [160, 60], [160, 120], [80, 120]],
    }
    alone = {name: {"camera": "east", "polygon": polygon} for name, polygon in polygons.items()}
    walk = see(0, 7), see(7.1, 14, box=OUTSIDE, part=1)
    assert run(make_rule(zones=alone), *walk) == []
    (alert,) = run(make_rule(zones={name: zone | {"group": "front"} for name, zone in alone.items()}), *walk)
    assert (alert.place, alert.started_at, alert.raised_at) == ("front", 0.0, 14.0)


def test_a_group_has_a_name_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"zones\.door\.group"):
        make_rule(zones={"door": {"camera": "east", "polygon": [[0, 60], [80, 60], [80, 120]], "group": "door"}})


def test_a_group_has_the_limit_and_severity_of_whichever_zone_names_them() -> None:
    whole = {"camera": "east", "polygon": [[0, 60], [80, 60], [80, 120], [0, 120]], "group": "front"}
    zones = {"window": whole, "door": whole | {"max_dwell_s": 3, "severity": "critical"}, "gate": whole}
    (alert,) = run(make_rule(zones=zones), see(0, 5))
    assert (alert.place, alert.severity) == ("front", Severity.CRITICAL)
    assert "for more than 3 s" in alert.message
    for key, value, message in (("max_dwell_s", 20, "expected 3.0 as in another"), ("severity", "info", "critical")):
        with pytest.raises(ConfigError, match=rf"zones\.gate\.{key}: .*{message}"):
            make_rule(zones=zones | {"gate": whole | {key: value}})
