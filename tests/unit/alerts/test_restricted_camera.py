from datetime import UTC, datetime

import numpy as np
import pytest
from factories import make_path, make_sighting

from pipeline.alerts.rules.restricted_camera import RestrictedCameraRule
from pipeline.core import Alert, Correction, CorrectionKind, Sighting, TrackId, TrackPath
from pipeline.core.errors import ConfigError

TRACK = TrackId("east", 0, 1)


def make_rule(**changes) -> RestrictedCameraRule:
    settings = {
        "name": "night",
        "severity": "critical",
        "cameras": ["east"],
        "from_hour": 22.0,
        "to_hour": 6.0,
        "time_zone": "UTC",
        "forget_after_s": 60.0,
    }
    return RestrictedCameraRule(**settings | changes)


def see(hour: float, track_id: TrackId = TRACK, part: int = 0, person_id: int = 1, day: int = 1) -> Sighting:
    """Two seconds from an hour of a day in July."""
    began_at = datetime(2024, 7, day, tzinfo=UTC).timestamp() + hour * 3600
    path = make_path(length=21)
    times = began_at + np.arange(21) / 10
    path = TrackPath(path.indices, times, path.boxes_xyxy, path.scores, path.frame_hw)
    return make_sighting(person_id, track_id, part, path)


def run(rule: RestrictedCameraRule, *sightings: Sighting) -> list[Alert]:
    """What a rule reports, each situation in its newest form."""
    return list({alert.key: alert for sighting in sightings for alert in rule.on_sighting(sighting)}.values())


@pytest.mark.parametrize(("hour", "count"), [(21.9, 0), (22.0, 1), (23.9, 1), (3.0, 1), (6.0, 0), (12.0, 0)])
def test_hours_may_reach_into_the_next_day(hour: float, count: int) -> None:
    assert len(run(make_rule(), see(hour))) == count


@pytest.mark.parametrize(("hour", "count"), [(0.0, 1), (11.9, 1), (12.0, 0)])
def test_hours_may_lie_in_one_day(hour: float, count: int) -> None:
    assert len(run(make_rule(from_hour=0, to_hour=12), see(hour))) == count


@pytest.mark.parametrize(("from_hour", "to_hour"), [(9.0, 12.0), (9.0, 6.0)], ids=["in one day", "into the next"])
def test_the_first_second_of_the_hours_counts(from_hour: float, to_hour: float) -> None:
    (alert,) = run(make_rule(from_hour=from_hour, to_hour=to_hour), see(9.0))
    assert alert.started_at == datetime(2024, 7, 1, 9, tzinfo=UTC).timestamp()


def test_hours_are_those_of_the_time_zone() -> None:
    # In July Vienna is two hours ahead of UTC.
    rule = make_rule(time_zone="Europe/Vienna")
    assert len(run(rule, see(20.0))) == 1
    assert run(rule, see(5.0, TrackId("east", 0, 2))) == []


def test_the_alert_starts_with_the_first_moment_in_these_hours() -> None:
    (alert,) = run(make_rule(), see(22 - 1 / 3600))
    assert alert.started_at == datetime(2024, 7, 1, 22, tzinfo=UTC).timestamp()


def test_a_presence_is_one_situation_whatever_the_tracks() -> None:
    rule = make_rule()
    assert len(run(rule, see(23.0), see(23.001, part=1), see(23.002, TrackId("east", 0, 2)))) == 1
    assert len(run(rule, see(23.5, TrackId("east", 0, 2), part=1))) == 1


def test_other_cameras_are_not_restricted() -> None:
    assert run(make_rule(), see(23.0, TrackId("west", 0, 1))) == []


def test_after_a_merge_it_is_one_presence() -> None:
    rule = make_rule()
    (before,) = run(rule, see(23.0, person_id=2))
    rule.on_correction(Correction(CorrectionKind.MERGED, (1, 2), "test", 0.0))
    (after,) = run(rule, see(23.001, part=1))
    assert (after.person_id, after.started_at) == (1, before.started_at)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"from_hour": 6.0}, "from_hour and .to_hour"),
        ({"to_hour": 25.0}, "from_hour and .to_hour"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../secret"}, "time_zone"),
        ({"cameras": "east"}, "cameras"),
    ],
    ids=["no hour", "no such hour", "unknown zone", "no zone", "no list"],
)
def test_bad_settings_are_named(changes, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_rule(**changes)
    assert str(caught.value).startswith(f"alerts.night.{key}: expected")
