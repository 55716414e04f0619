"""Somebody walks the wrong way."""

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.wrong_way import WrongWayRule
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.errors import ConfigError

HALL = {"camera": "east", "polygon": [[0, 0], [400, 0], [400, 120], [0, 120]], "way": [[0, 60], [100, 60]]}
"""From left to right."""

PACE = 60 / 1.7 / 10
"""Pixels a frame: a metre a second for somebody 60 pixels high."""


def walk(pace: tuple[float, float], *, x: float = 200.0, at: float = 0.0, part: int = 0, person: int = 1) -> Sighting:
    """Three seconds, ten frames a second."""
    path = make_path(round(at * 10), 30, (x, 40, x + 20, 100), pace, frame_hw=(120, 400))
    return make_sighting(person, TrackId("east", 0, person), part, path)


def told(*events: Sighting | Correction, zone: object = None, ground: object = None, **limits: float) -> list[Alert]:
    """The alerts that stand at the end, each in its last form."""
    options = {"min_speed_m": 0.4, "min_s": 1.0, "max_absence_s": 2.0} | limits
    rule = WrongWayRule(
        name="wrong_way",
        severity="info",
        zones={"hall": zone or HALL},
        forget_after_s=300.0,
        ground=ground,  # type: ignore[arg-type]
        **options,
    )
    engine = AlertEngine([rule], cooldown_s=0.0, max_open=100, max_parts=1000)
    found: dict[str, Alert] = {}
    for event in events:
        at = event.at if isinstance(event, Correction) else event.last.captured_at
        found |= {alert.key: alert for alert in (*engine.process([event]), *engine.tick(at))}
    found |= {alert.key: alert for alert in engine.flush(1000.0)}
    return [alert for alert in found.values() if alert.state is not AlertState.RETRACTED]


def test_who_walks_against_the_way_is_told_until_it_is_over() -> None:
    (alert,) = told(walk((-PACE, 0)))
    assert (alert.person_id, alert.place) == (1, "hall")
    assert (alert.started_at, alert.ended_at) == (pytest.approx(1.0), pytest.approx(2.9))


@pytest.mark.parametrize(
    ("pace", "num"),
    [((-PACE, 0), 1), ((PACE, 0), 0), ((0, 0), 0), ((0, -PACE), 0), ((-PACE / 4, 0), 0), ((-PACE / 2, -PACE / 8), 1)],
    ids=["against", "along", "standing", "across", "slowly", "slanting"],
)
def test_only_walking_against_the_way_is_told(pace: tuple[float, float], num: int) -> None:
    assert len(told(walk(pace))) == num


@pytest.mark.parametrize(("limits", "num"), [({}, 1), ({"min_speed_m": 1.5}, 0), ({"min_s": 2.5}, 0)], ids=str)
def test_each_limit_decides(limits: dict[str, float], num: int) -> None:
    assert len(told(walk((-PACE, 0)), **limits)) == num


def test_a_walk_goes_on_in_the_next_part_without_a_second_of_not_knowing() -> None:
    first, second = walk((-PACE, 0), x=300), walk((-PACE, 0), x=300 - 30 * PACE, at=3, part=1)
    (alert,) = told(first, second, max_absence_s=0.2)
    assert (alert.started_at, alert.ended_at) == (pytest.approx(1.0), pytest.approx(5.9))


def test_a_zone_without_a_way_is_never_walked_wrongly() -> None:
    zone = {key: value for key, value in HALL.items() if key != "way"}
    assert told(walk((-PACE, 0)), zone=zone) == []


def test_outside_of_the_zone_everybody_may_walk_as_they_like() -> None:
    assert told(walk((-PACE, 0)), zone=HALL | {"polygon": [[300, 0], [400, 0], [400, 120], [300, 120]]}) == []


def test_shares_of_the_picture_and_metres_are_understood() -> None:
    relative = {"camera": "east", "relative": True, "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    assert len(told(walk((-PACE, 0)), zone=relative | {"way": [[0.1, 0.5], [0.5, 0.5]]})) == 1
    assert told(walk((-PACE, 0)), zone=relative | {"way": [[0.5, 0.5], [0.1, 0.5]]}) == []
    metres = {"metres": True, "polygon": [[0, 0], [40, 0], [40, 12], [0, 12]], "way": [[0, 6], [10, 6]]}
    for scale, num in ((0.01, 0), (0.02, 1)):  # 0.35 and 0.7 metres a second
        ground = {"east": [[scale, 0, 0], [0, scale, 0], [0, 0, 1]]}
        assert len(told(walk((-PACE, 0), x=100), zone=metres, ground=ground)) == num


def test_after_a_merge_it_is_about_the_other_person() -> None:
    (alert,) = told(walk((-PACE, 0), person=2), Correction(CorrectionKind.MERGED, (1, 2), "ann", 4.0))
    assert alert.person_id == 1


@pytest.mark.parametrize("way", [[[0, 0]], [[0, 0], [0, 0]], "left", [[0, 0], [1, "a"]]], ids=str)
def test_a_way_is_two_different_points(way: object) -> None:
    with pytest.raises(ConfigError, match=r"site\.zones\.hall\.way"):
        told(zone=HALL | {"way": way})
