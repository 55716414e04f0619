import pytest
from factories import make_path, make_sighting

from pipeline.alerts.rules.line_crossing import LineCrossingRule
from pipeline.core import Alert, Sighting, TrackId

TRACK = TrackId("east", 0, 1)


def make_rule(forbidden: str = "left_to_right", min_depth_px: float = 2.0, camera: str = "east") -> LineCrossingRule:
    """A line up the picture at x = 80, from y = 119 to y = 60."""
    gate = {"camera": camera, "from": [80, 119], "to": [80, 60], "forbidden": forbidden}
    return LineCrossingRule(
        name="line", severity="warning", lines={"gate": gate}, min_depth_px=min_depth_px, forget_after_s=60.0
    )


def walk(
    from_x: float, to_x: float, *, first: int = 0, steps: int = 11, foot_y: float = 90.0, part: int = 0
) -> Sighting:
    """Foot points in equal steps from one side to the other."""
    velocity = ((to_x - from_x) / (steps - 1), 0.0)
    path = make_path(first, steps, (from_x - 10, foot_y - 60, from_x + 10, foot_y), velocity)
    return make_sighting(1, TRACK, part, path)


def run(rule: LineCrossingRule, *sightings: Sighting) -> list[Alert]:
    return [alert for sighting in sightings for alert in rule.on_sighting(sighting)]


@pytest.mark.parametrize(
    ("forbidden", "from_x", "to_x", "count"),
    [
        ("left_to_right", 45, 115, 1),
        ("left_to_right", 115, 45, 0),
        ("right_to_left", 115, 45, 1),
        ("right_to_left", 45, 115, 0),
        ("both", 45, 115, 1),
        ("both", 115, 45, 1),
        ("both", 45, 75, 0),
    ],
)
def test_only_the_forbidden_direction_raises_an_alert(forbidden: str, from_x: float, to_x: float, count: int) -> None:
    assert len(run(make_rule(forbidden), walk(from_x, to_x))) == count


def test_a_crossing_begins_with_the_first_point_well_over_the_line() -> None:
    # Foot points at 45, 52, 59, 66, 73, 80, 87 …
    (alert,) = run(make_rule(min_depth_px=8.0), walk(45, 115))
    assert (alert.key, alert.started_at, alert.raised_at) == ("line/1/0.700/gate", 0.7, 0.7)
    assert alert.evidence == (TRACK,)


def test_a_crossing_between_two_parts_of_a_track_is_seen() -> None:
    alerts = run(make_rule(), walk(40, 70), walk(90, 120, first=11, part=1))
    assert [alert.started_at for alert in alerts] == [1.1]


def test_jitter_on_the_line_is_not_a_crossing() -> None:
    assert run(make_rule("both", min_depth_px=4.0), walk(78, 83), walk(83, 77, first=11, part=1)) == []


def test_a_person_who_turns_round_on_the_line_has_not_crossed_it() -> None:
    assert run(make_rule("both"), walk(45, 81), walk(81, 45, first=11, part=1)) == []


def test_a_person_who_walks_round_the_line_has_not_crossed_it() -> None:
    assert run(make_rule("both"), walk(45, 115, foot_y=50.0)) == []


def test_a_line_belongs_to_one_camera() -> None:
    assert run(make_rule("both", camera="west"), walk(45, 115)) == []


def test_there_and_back_are_two_crossings() -> None:
    alerts = run(make_rule("both"), walk(45, 115), walk(115, 45, first=11, part=1))
    assert len(alerts) == 2
