"""Somebody follows somebody."""

import pytest
from factories import make_path, make_sighting

from pipeline.alerts.engine import AlertEngine
from pipeline.alerts.rules.follow import FollowRule
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Sighting, TrackId
from pipeline.core.errors import ConfigError

METRES = {"east": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]], "west": [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 1]]}
"""Ten pixels of each camera are a metre of one ground."""

PACE = 10 / 10
"""Pixels a frame: a metre a second."""


def walk(
    person_id: int, *, at: float = 0.0, seconds: int = 60, x: float = 0.0, pace: float = PACE, camera: str = "east"
) -> list[Sighting]:
    """Somebody who walks along a wide picture, in parts of three seconds, ten frames a second."""
    parts = []
    for number in range(seconds // 3):
        left = x + 30 * number * pace
        path = make_path(round(at * 10) + 30 * number, 30, (left, 40, left + 10, 100), (pace, 0), frame_hw=(120, 4000))
        parts.append(make_sighting(person_id, TrackId(camera, 0, person_id), number, path))
    return parts


def told(
    *walks: list[Sighting], corrections: tuple[Correction, ...] = (), ground: object = METRES, **limits: float
) -> list[Alert]:
    """The alerts that stand at the end, each in its last form."""
    options = {"max_follow_s": 30.0, "max_distance_m": 2.5, "min_walk_m": 5.0, "max_absence_s": 5.0} | limits
    rule = FollowRule(name="follow", severity="info", forget_after_s=900.0, ground=ground, **options)  # type: ignore[arg-type]
    engine = AlertEngine([rule], cooldown_s=0.0, max_open=100, max_parts=1000)
    events = sorted(
        (part for each in walks for part in each), key=lambda event: (event.last.captured_at, event.person_id)
    )
    found: dict[str, Alert] = {}
    for event in [*events, *corrections]:
        at = event.at if isinstance(event, Correction) else event.last.captured_at
        found |= {alert.key: alert for alert in (*engine.process([event]), *engine.tick(at))}
    found |= {alert.key: alert for alert in engine.flush(1000.0)}
    return [alert for alert in found.values() if alert.state is not AlertState.RETRACTED]


def test_who_stays_near_another_is_told_once_from_the_beginning_to_the_end() -> None:
    (alert,) = told(walk(1), walk(2, x=15))
    assert (alert.person_id, alert.camera_id, alert.place) == (2, "east", "east")
    assert (alert.started_at, alert.ended_at) == (pytest.approx(0.0), pytest.approx(59.5))
    assert set(alert.evidence) == {TrackId("east", 0, 2)}


def test_who_was_seen_first_is_followed_whichever_track_arrives_first() -> None:
    (alert,) = told(walk(5, x=15), walk(3))
    assert alert.person_id == 5


@pytest.mark.parametrize(
    ("limits", "num"),
    [
        ({}, 1),
        ({"max_follow_s": 70.0}, 0),
        ({"max_distance_m": 1.0}, 0),
        ({"min_walk_m": 100.0}, 0),
    ],
    ids=str,
)
def test_each_limit_decides(limits: dict[str, float], num: int) -> None:
    assert len(told(walk(1), walk(2, x=15), **limits)) == num


def test_people_who_stand_together_are_not_told() -> None:
    assert told(walk(1, pace=0), walk(2, x=15, pace=0)) == []


def test_people_who_pass_each_other_are_not_told() -> None:
    assert told(walk(1), walk(2, x=600, pace=-PACE)) == []


def test_a_follow_goes_on_in_the_next_camera() -> None:
    ahead = walk(1, seconds=21) + walk(1, at=23, seconds=21, camera="west")
    behind = walk(2, seconds=21, x=15) + walk(2, at=23, seconds=21, x=15, camera="west")
    (alert,) = told(ahead, behind)
    assert (alert.started_at, alert.ended_at) == (pytest.approx(0.0), pytest.approx(43.5))
    assert {track.camera_id for track in alert.evidence} == {"east", "west"}
    assert told(ahead, behind, max_absence_s=1.0) == []


def test_two_cameras_of_one_ground_see_two_people_near_each_other() -> None:
    assert len(told(walk(1), walk(2, x=15, camera="west"))) == 1


def test_without_ground_the_heights_of_people_say_how_near_they_are() -> None:
    assert len(told(walk(1), walk(2, x=15), ground={})) == 1  # 15 of 60 pixels: 0.4 m
    assert told(walk(1), walk(2, x=150), ground={}) == []  # 150 of 60 pixels: 4.2 m
    assert told(walk(1), walk(2, x=15, camera="west"), ground={}) == []


def test_a_merge_of_the_two_takes_the_alert_back() -> None:
    merge = Correction(CorrectionKind.MERGED, (1, 2), "ann", 61.0)
    assert told(walk(1), walk(2, x=15), corrections=(merge,)) == []


def test_a_merge_makes_one_follow_of_two() -> None:
    behind = [*walk(2, seconds=21, x=15), *walk(3, at=21, seconds=21, x=15 + 210)]
    assert told(walk(1), behind) == []
    (alert,) = told(walk(1), behind, corrections=(Correction(CorrectionKind.MERGED, (2, 3), "ann", 61.0),))
    assert (alert.person_id, alert.ended_at) == (2, pytest.approx(41.5))


def test_an_erased_person_is_followed_by_nobody() -> None:
    assert told(walk(1), walk(2, x=15), corrections=(Correction(CorrectionKind.ERASED, (2,), "ann", 61.0),)) == []


def test_wrong_limits_name_their_key() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.follow\.forget_after_s"):
        FollowRule(
            name="follow",
            severity="info",
            max_follow_s=30.0,
            max_distance_m=2.0,
            min_walk_m=5.0,
            max_absence_s=5.0,
            forget_after_s=10.0,
        )
