from itertools import pairwise

import numpy as np
import pytest
from factories import make_path
from hypothesis import given
from hypothesis import strategies as st

from pipeline.alerts.alert_builder import AlertBuilder
from pipeline.alerts.zones import crossings, depths, ground_points, is_inside, parse_lines, parse_zones
from pipeline.core.errors import ConfigError

ISSUER = AlertBuilder(name="rule", severity="info")
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
        ({"door": {"camera": "east"}}, r"alerts\.rule\.zones\.door: expected a block with camera, polygon"),
        ({"door": [[0, 0]]}, r"zones\.door: expected a block"),
        ({"door": {"camera": "east", "polygon": [[0, 0], [1, 1]]}}, r"zones\.door\.polygon: expected at least three"),
        ({"door": {"camera": "east", "polygon": [[0, 0], [1], [2, 3]]}}, r"zones\.door\.polygon: expected"),
        ({"door": {"camera": "east", "polygon": "here"}}, r"zones\.door\.polygon: expected"),
    ],
    ids=["key missing", "no block", "two corners", "ragged", "no numbers"],
)
def test_a_bad_zone_is_named(zones, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_zones(zones, ISSUER)


GATE = {"camera": "east", "from": [0, 0], "to": [9, 0], "forbidden": "both"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": [0, 0]}, r"lines\.gate\.from and \.to: expected two different points"),
        ({"to": None}, "expected two different points"),
        ({"forbidden": "up"}, r"lines\.gate\.forbidden: expected one of left_to_right, right_to_left, both, got 'up'"),
        ({"colour": "red"}, r"lines\.gate: expected a block with camera, forbidden, from, to"),
    ],
    ids=["one point", "no point", "direction", "unknown key"],
)
def test_a_bad_line_is_named(change, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_lines({"gate": GATE | change}, ISSUER)
