from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from factories import make_path
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.picture_check import check_picture
from pipeline.alerts.plane_geometry import crossings, depths, ground_points, is_inside
from pipeline.alerts.zones import parse_lines, parse_zones
from pipeline.core import TrackPath
from pipeline.core.errors import ConfigError

BUILDER = AlertBuilder(name="rule", severity="info")
ARROW = np.array([[0, 0], [10, 0], [10, 10], [5, 4], [0, 10]], float)


@pytest.mark.parametrize(
    ("point", "expected"),
    [((5, 2), True), ((5, 8), False), ((1, 8), True), ((9.5, 8), True), ((11, 2), False), ((5, -1), False)],
    ids=["body", "notch", "left tip", "right tip", "beside", "above"],
)
def test_a_polygon_may_have_a_notch(point: tuple[float, float], expected: bool) -> None:
    assert is_inside(np.array([point], float), ARROW).tolist() == [expected]


@given(st.integers(0, 20), st.integers(0, 20))
def test_zones_that_share_an_edge_share_no_point_and_leave_no_gap(x: int, y: int) -> None:
    left = np.array([[0, 0], [10, 0], [10, 21], [0, 21]], float)
    right = np.array([[10, 0], [21, 0], [21, 21], [10, 21]], float)
    point = np.array([[x, y]], float)
    assert is_inside(point, left)[0] != is_inside(point, right)[0]


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=20),
    st.integers(0, 4),
)
def test_it_does_not_matter_with_which_corner_a_polygon_begins(points, shift: int) -> None:
    rotated = np.roll(ARROW, shift, axis=0)
    assert np.array_equal(is_inside(np.array(points), ARROW), is_inside(np.array(points), rotated))


def test_no_points_are_in_no_zone() -> None:
    assert is_inside(np.empty((0, 2)), ARROW).shape == (0,)


def test_a_person_cut_by_the_lower_edge_stands_in_the_last_row() -> None:
    path = make_path(length=1, box=(10, 40, 30, 120), frame_hw=(120, 160))
    assert ground_points(path).tolist() == [[20, 119]]


LINE = np.array([[0, 10], [0, 0]], float)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((-1, 5), (1, 5), 1),
        ((1, 5), (-1, 5), -1),
        ((-1, 11), (1, 11), 0),
        ((-1, 5), (-3, 5), 0),
        ((-1, 10), (1, 10), 1),
    ],
    ids=["left to right", "right to left", "past the end", "on one side", "over the end"],
)
def test_a_line_is_crossed_between_its_ends(start, end, expected: int) -> None:
    assert crossings(np.array([start, end], float), LINE).tolist() == [expected]


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 19)), min_size=2, max_size=20))
def test_turning_a_line_round_turns_every_crossing_round(points) -> None:
    path = np.array(points)
    path = path[np.abs(depths(path, LINE)) > 0.01]
    assert np.array_equal(crossings(path, LINE), -crossings(path, LINE[::-1]))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(1, 9)), min_size=2, max_size=20))
def test_crossings_alternate_in_direction_if_the_path_cannot_go_round_the_line(points) -> None:
    path = np.array(points)
    path = path[np.abs(depths(path, LINE)) > 0.01]
    found = [direction for direction in crossings(path, LINE).tolist() if direction]
    assert all(first == -second for first, second in pairwise(found))


@pytest.mark.parametrize(
    ("zones", "message"),
    [
        ({"door": {"camera": "east"}}, r"site\.zones\.door: expected a block with polygon, and perhaps camera"),
        ({"door": [[0, 0]]}, r"zones\.door: expected a block"),
        (
            {"door": {"camera": "east", "max_dwel_s": 3}},
            r"site\.zones\.door: unexpected key max_dwel_s, perhaps max_dwell_s is meant; expected some of camera, ",
        ),
        ({"door": {"camera": "east", "polygon": [[0, 0], [1, 1]]}}, r"zones\.door\.polygon: expected at least three"),
        ({"door": {"camera": "east", "polygon": [[0, 0], [1], [2, 3]]}}, r"zones\.door\.polygon: expected"),
        ({"door": {"camera": "east", "polygon": "here"}}, r"zones\.door\.polygon: expected"),
    ],
    ids=["key missing", "no block", "misspelt key", "two corners", "ragged", "no numbers"],
)
def test_a_bad_zone_is_named(zones, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_zones(zones, BUILDER)


def test_a_zone_and_a_line_have_a_name() -> None:
    with pytest.raises(ConfigError, match=r"site\.zones\.: expected a name for each"):
        parse_zones({"": {"camera": "east", "polygon": [[5, 5], [50, 5], [50, 50]]}}, BUILDER)
    with pytest.raises(ConfigError, match=r"site\.lines\.: expected a name for each"):
        parse_lines({" ": GATE}, BUILDER)


GATE = {"camera": "east", "from": [0, 0], "to": [9, 0], "forbidden": "both"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": [0, 0]}, r"lines\.gate\.from and \.to: expected two different points"),
        ({"to": None}, "expected two different points"),
        (
            {"forbidden": "up"},
            r"lines\.gate\.forbidden: expected one of left_to_right, right_to_left, both, neither, got 'up'",
        ),
        ({"colour": "red"}, r"site\.lines\.gate: unexpected key colour; expected some of camera, "),
        ({"sevrity": "info"}, r"lines\.gate: unexpected key sevrity, perhaps severity is meant"),
    ],
    ids=["one point", "no point", "direction", "unknown key", "misspelt key"],
)
def test_a_bad_line_is_named(change, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_lines({"gate": GATE | change}, BUILDER)


SQUARE = [[10, 10], [90, 10], [90, 90], [10, 90]]


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ({"camera": "east", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]}, "with relative: true"),
        ({"camera": "east", "polygon": [[-9, 1], [-5, 1], [-7, 9]]}, "expected points inside the picture"),
        ({"camera": "east", "relative": True, "polygon": SQUARE}, "expected points inside the picture"),
        ({"camera": "east", "polygon": [[5, 5], [5, 5], [5, 5]]}, "do not all lie on one line"),
        ({"camera": "east", "polygon": [[0, 0], [50, 50], [90, 90]]}, "do not all lie on one line"),
        ({"camera": "east", "polygon": [[0, 0], [90, 90], [90, 0], [0, 90]]}, r"edges \[0.0, 0.0\]-\[90.0, 90.0\] and"),
        ({"polygon": SQUARE}, "expected a camera, or metres: true"),
        ({"metres": True, "polygon": SQUARE}, "expected cameras of site.ground"),
        ({"camera": "east", "relative": 1, "polygon": SQUARE}, r"relative: expected true or false"),
        ({"camera": "east", "polygon": SQUARE, "max_dwell_s": -1}, r"max_dwell_s: expected a number of at least 0"),
        ({"camera": "east", "polygon": SQUARE, "severity": "loud"}, r"severity: expected one of"),
        ({"camera": "east", "polygon": SQUARE, "schedule": {"days": ["someday"]}}, r"schedule\.days: expected some of"),
        ({"camera": "east", "polygon": SQUARE, "schedule": {"from_hour": 25}}, r"from_hour: expected an hour"),
        ({"camera": "east", "polygon": SQUARE, "schedule": []}, r"schedule: expected a block with perhaps days"),
        ({"camera": "east", "polygon": SQUARE, "max_people": -1}, r"max_people: expected a whole number of at least 0"),
        ({"camera": "east", "polygon": SQUARE, "max_people": True}, r"max_people: expected a whole number"),
        ({"camera": "east", "polygon": SQUARE, "max_dwell_s": True}, r"max_dwell_s: expected a number of at least 0"),
        (
            {"camera": "east", "polygon": [[True, False], [90, 0], [90, 90]]},
            r"polygon: expected at least three corners",
        ),
        ({"camera": "east", "polygon": [[1e300, 0], [90, 0], [90, 90]]}, r"polygon: expected at least three corners"),
        ({"camera": "east", "relative": True, "metres": True, "polygon": SQUARE}, "relative: true or metres: true"),
    ],
)
def test_a_zone_that_can_never_alert_is_refused_and_named(zone, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"site\.zones\.door.*{message}"):
        parse_zones({"door": zone}, BUILDER)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"from": [0.5, 0.1], "to": [0.5, 0.9]}, "with relative: true"),
        ({"from": [-5, 1], "to": [-5, 9]}, "expected points inside the picture"),
    ],
)
def test_a_line_that_can_never_be_crossed_is_refused_and_named(change, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"site\.lines\.gate.*{message}"):
        parse_lines({"gate": GATE | change}, BUILDER)


def test_a_shape_outside_the_picture_of_its_camera_is_named() -> None:
    zones = parse_zones({"door": {"camera": "east", "polygon": [[700, 10], [900, 10], [900, 90]]}}, BUILDER)
    lines = parse_lines({"gate": GATE | {"from": [10, 400], "to": [90, 400]}}, BUILDER)
    with pytest.raises(ConfigError, match=r"zones\.door\.polygon: .*the picture of 'east', 640 by 360 pixels"):
        check_picture(zones, "east", {"east": (360, 640)}, BUILDER)
    with pytest.raises(ConfigError, match=r"lines\.gate"):
        check_picture(lines, "east", {"east": (360, 640)}, BUILDER)
    check_picture([*zones, *lines], "west", {"west": (360, 640)}, BUILDER)
    check_picture([*zones, *lines], "east", {"east": (1080, 1920)}, BUILDER)


# "east" shows 6.4 m by 3.6 m of the ground, "west" the 6.4 m to the right of it.
GROUND = {"east": [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]], "west": [[0.01, 0, 6.4], [0, 0.01, 0], [0, 0, 1]]}
FROM_ABOVE = {"east": (360, 640), "west": (360, 640)}


@pytest.mark.parametrize(
    ("polygon", "is_shown"),
    [
        ([[1, 1], [2, 1], [2, 2], [1, 2]], True),
        ([[8, 1], [9, 1], [9, 2], [8, 2]], True),
        ([[-90, -90], [90, -90], [90, 90], [-90, 90]], True),
        ([[-90, 1], [90, 1], [90, 1.1], [-90, 1.1]], True),
        ([[400, 400], [900, 400], [900, 900], [400, 900]], False),
        ([[1, -3], [2, -3], [2, -1], [1, -1]], False),
    ],
    ids=["in one", "in the other", "around all", "across", "far away", "beside"],
)
def test_a_zone_in_metres_that_no_picture_shows_is_named(polygon: list[list[float]], is_shown: bool) -> None:
    zones = parse_zones({"well": {"metres": True, "polygon": polygon}}, BUILDER, GROUND)
    check_picture(zones, "east", {"east": (360, 640)}, BUILDER)  # the other camera may show it
    with (
        nullcontext()
        if is_shown
        else pytest.raises(ConfigError, match=r"zones\.well\.polygon: .* metres where .* east, west, got")
    ):
        check_picture(zones, "west", FROM_ABOVE, BUILDER)


def test_a_line_in_metres_that_no_picture_shows_is_named() -> None:
    near, far = ({**GATE, "metres": True, "from": [x, 1], "to": [x, 2]} for x in (1, 99))
    for gate in (near, far):
        gate.pop("camera", None)
    check_picture(parse_lines({"gate": near}, BUILDER, GROUND), "east", FROM_ABOVE, BUILDER)
    with pytest.raises(ConfigError, match=r"lines\.gate\.from and \.to"):
        check_picture(parse_lines({"gate": far}, BUILDER, GROUND), "east", FROM_ABOVE, BUILDER)


def test_a_zone_behind_a_camera_or_far_away_is_not_shown() -> None:
    """The horizon is the row 100; what lies behind the camera would come to rows above it."""
    ground = {"east": [[1, 0, -320], [0, 0, 1000], [0, 1, -100]]}
    size = {"east": (360, 640)}
    for y, is_shown in ((10.0, True), (-10.0, False), (900.0, False)):
        zone = {"metres": True, "polygon": [[-1, y], [1, y], [1, y + 1], [-1, y + 1]]}
        with nullcontext() if is_shown else pytest.raises(ConfigError):
            check_picture(parse_zones({"well": zone}, BUILDER, ground), "east", size, BUILDER)


def test_fractions_of_the_picture_follow_its_size() -> None:
    half = {"camera": "east", "relative": True, "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
    (zone,) = parse_zones({"left": half}, BUILDER)
    small = make_path(length=1, box=(60, 10, 80, 60), frame_hw=(120, 160))
    large = make_path(length=1, box=(60, 10, 80, 60), frame_hw=(240, 320))
    beside = make_path(length=1, box=(90, 10, 110, 60), frame_hw=(120, 160))
    assert [len(zone.times_inside("east", path)) for path in (small, large, beside)] == [1, 1, 0]
    assert len(zone.times_inside("west", small)) == 0


def test_a_zone_in_metres_is_seen_by_every_camera_with_ground() -> None:
    """One camera has a centimetre to a pixel, the other two centimetres."""
    ground = {"east": [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 1]], "west": [[0.02, 0, 0], [0, 0.02, 0], [0, 0, 1]]}
    zone = {"metres": True, "polygon": [[0.5, 0.5], [1.5, 0.5], [1.5, 1.5], [0.5, 1.5]]}
    (found,) = parse_zones({"well": zone}, BUILDER, ground)
    path = make_path(length=1, box=(90, 20, 110, 100))  # at (1, 1) and at (2, 2) metres
    assert [len(found.times_inside(camera_id, path)) for camera_id in ("east", "west", "north")] == [1, 0, 0]
    corners = found.frame.pixels("west", found.polygon, (120, 160))
    assert corners.round(6).tolist() == [[25, 25], [75, 25], [75, 75], [25, 75]]


def test_a_zone_counts_when_its_schedule_says() -> None:
    zone = {"camera": "east", "polygon": SQUARE, "schedule": {"days": ["thu"], "from_hour": 0, "to_hour": 1}}
    (found,) = parse_zones({"door": zone}, BUILDER)
    path = make_path(length=2, box=(20, 10, 40, 60), fps=1 / 3600)  # the first two hours of 1970, a Thursday
    assert found.times_inside("east", path).tolist() == [0.0]


def _inside(points: np.ndarray, polygon: list[list[float]]) -> list[float]:
    """The moments, from 0 on every 0.1 s, at which somebody with these foot points is in a zone."""
    (zone,) = parse_zones({"zone": {"camera": "east", "polygon": polygon}}, BUILDER)
    boxes = np.column_stack([points[:, 0] - 10, points[:, 1] - 40, points[:, 0] + 10, points[:, 1]])
    path = TrackPath(
        indices=np.arange(len(points)),
        captured_at=np.arange(len(points)) * 0.1,
        boxes_xyxy=boxes.astype(np.float32),
        scores=np.ones(len(points), np.float32),
        frame_hw=(400, 640),
    )
    return zone.times_inside("east", path).round(1).tolist()


def test_a_box_that_grows_over_somebody_in_front_takes_nobody_into_a_zone() -> None:
    points = np.tile([100.0, 195.0], (30, 1)) + np.random.default_rng(1).normal(0, 0.5, (30, 2))
    points[12:15, 1] += 15
    assert _inside(points, [[0, 200], [640, 200], [640, 390], [0, 390]]) == []


@given(st.integers(3, 60), st.integers(0, 29), st.floats(2, 12))
def test_whoever_walks_evenly_through_a_narrow_zone_is_in_it(length: int, at: int, step: float) -> None:
    middle = 20 + step * min(at, length - 1)
    points = np.column_stack([20 + step * np.arange(length), np.full(length, 300.0)])
    narrow = [[middle - step / 2, 250], [middle + step / 2, 250], [middle + step / 2, 350], [middle - step / 2, 350]]
    assert _inside(points, narrow) == [round(0.1 * min(at, length - 1), 1)]
