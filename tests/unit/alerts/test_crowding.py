"""People crowd together."""

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.crowding import CrowdingRule
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.errors import ConfigError

ZONES = {"hall": {"camera": "east", "polygon": [[0, 0], [400, 0], [400, 120], [0, 120]]}}


def stand(person_id: int, x: float, *, at: float = 0.0, seconds: float = 12.0) -> Sighting:
    """Somebody 60 pixels high who stands still, ten frames a second."""
    path = make_path(round(at * 10), round(seconds * 10), (x, 40, x + 20, 100), frame_hw=(120, 400))
    return make_sighting(person_id, TrackId("east", 0, person_id), 0, path)


def told(*events: Sighting | Correction, zones: object = ZONES, ground: object = None, **limits: float) -> list[Alert]:
    """The alerts that stand at the end, each in its last form."""
    options = {"min_people": 3, "max_distance_m": 1.5, "min_s": 5.0, "max_absence_s": 3.0} | limits
    rule = CrowdingRule(
        name="crowding",
        severity="info",
        zones=zones,
        forget_after_s=300.0,
        ground=ground,
        **options,  # type: ignore[arg-type]
    )
    engine = AlertEngine([rule], cooldown_s=0.0, max_open=100, max_parts=1000)
    found: dict[str, Alert] = {}
    for event in events:
        at = event.at if isinstance(event, Correction) else event.last.captured_at
        found |= {alert.key: alert for alert in (*engine.process([event]), *engine.tick(at))}
    found |= {alert.key: alert for alert in engine.flush(1000.0)}
    return [alert for alert in found.values() if alert.state is not AlertState.RETRACTED]


CROWD = (stand(1, 0), stand(2, 40), stand(3, 80))
"""A row of people 40 of 60 pixels, 1.1 m, apart: the outer two are near each other only through the third."""


def test_a_crowd_is_one_alert_about_the_place_from_its_beginning_to_its_end() -> None:
    (alert,) = told(*CROWD)
    assert (alert.person_id, alert.place, alert.camera_id) == (0, "hall", "east")
    assert (alert.started_at, alert.ended_at) == (pytest.approx(0.0), pytest.approx(11.5))
    assert len(alert.evidence) == 3


@pytest.mark.parametrize(
    ("limits", "num"),
    [({}, 1), ({"min_people": 4}, 0), ({"max_distance_m": 1.0}, 0), ({"min_s": 13.0}, 0)],
    ids=str,
)
def test_each_limit_decides(limits: dict[str, float], num: int) -> None:
    assert len(told(*CROWD, **limits)) == num


def test_as_many_people_apart_are_no_crowd() -> None:
    assert told(stand(1, 0), stand(2, 150), stand(3, 300)) == []


def test_who_is_outside_of_the_zone_does_not_count() -> None:
    zones = {"hall": {"camera": "east", "polygon": [[0, 0], [60, 0], [60, 120], [0, 120]]}}
    assert told(*CROWD, zones=zones) == []


def test_two_tracks_of_one_person_are_one_person() -> None:
    assert told(stand(1, 0), stand(2, 40), Correction(CorrectionKind.MERGED, (2, 3), "ann", 0.0), stand(2, 80)) == []


def test_a_merge_takes_the_crowd_back_and_a_split_brings_it() -> None:
    merge = Correction(CorrectionKind.MERGED, (2, 3), "ann", 13.0)
    assert told(*CROWD, merge) == []


def test_a_short_break_ends_no_crowd_and_a_long_one_does() -> None:
    def crowd(at: float) -> list[Sighting]:
        return [stand(number, 40 * number, at=at, seconds=6) for number in (1, 2, 3)]

    assert len(told(*crowd(0), *crowd(8))) == 1
    assert len(told(*crowd(0), *crowd(12))) == 2


def test_on_the_ground_the_distance_is_in_metres() -> None:
    zones = {"hall": {"metres": True, "polygon": [[0, 0], [100, 0], [100, 100], [0, 100]]}}
    near, far = ([[scale, 0, 0], [0, scale, 0], [0, 0, 1]] for scale in (0.02, 0.1))
    assert len(told(*CROWD, zones=zones, ground={"east": near})) == 1  # 40 pixels are 0.8 m
    assert told(*CROWD, zones=zones, ground={"east": far}) == []  # 4 m


def test_one_person_is_no_crowd() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.crowding\.min_people"):
        told(min_people=1)
