"""Where people are on the ground plane that cameras share."""

import numpy as np
import pytest
from factories import make_embedding, make_path
from hypothesis import given
from hypothesis import strategies as st

from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects
from pipeline.association.constraints import LinkConstraints, are_two_people
from pipeline.association.cues import co_location_llr
from pipeline.association.geometry.ground_plane import Ground, can_move, log_density, prediction_errors, separation_m
from pipeline.association.geometry.topology import Topology
from pipeline.association.track_segment import TrackSegment
from pipeline.config.composition import load_config
from pipeline.config.plan import make_plan
from pipeline.core import TrackId
from pipeline.core.errors import ConfigError

METRES = Ground({"east": np.diag([0.01, 0.01, 1.0])})


def straight_trajectory(start_s: float, stop_s: float, x: float, speed_m_s: float = 1.0) -> np.ndarray:
    times = np.arange(start_s, stop_s + 1e-9, 0.5)
    places = np.column_stack([x + speed_m_s * (times - start_s), np.zeros(len(times))])
    return np.column_stack([times, places, np.tile([0.1, 0.0, 0.1], (len(times), 1))])


@given(x=st.floats(-6, 6), y=st.floats(-2, 8))
def test_a_camera_of_the_world_maps_its_pixels_to_the_ground(x: float, y: float) -> None:
    camera = Camera("a", (1.0, -9.0, 4.0), (0.0, 0.0, 0.5), 500.0, (360, 640), CameraEffects())
    column, row, _ = camera.project(np.array([[x, y, 0.0]]))[0]
    metres = camera.to_ground @ [column, row, 1.0]
    np.testing.assert_allclose(metres[:2] / metres[2], [x, y], atol=1e-6)


def test_a_trajectory_has_a_point_for_every_half_second_and_the_last() -> None:
    path = make_path(first=0, length=26, box=(100, 100, 140, 200), velocity=(10, 0), frame_hw=(360, 640))
    trajectory = METRES.trajectory("east", path)
    assert 5 <= len(trajectory) <= 8
    assert trajectory[-1, 0] == path.captured_at[-1]
    np.testing.assert_allclose(trajectory[0, 1:3], [1.2, 2.0])


def test_a_camera_without_a_homography_has_no_trajectory() -> None:
    assert METRES.trajectory("west", make_path()).shape == (0, 6)


def test_feet_below_the_picture_give_no_trajectory() -> None:
    whole, cut = (make_path(box=(100, 100, 140, bottom), frame_hw=(360, 640)) for bottom in (340, 360))
    assert len(METRES.trajectory("east", whole)) > 0
    assert len(METRES.trajectory("east", cut)) == 0


def test_the_separation_of_two_people_side_by_side_is_measured() -> None:
    first, second = (
        straight_trajectory(0, 5, 0.0),
        straight_trajectory(1, 8, 1.0) + np.array([0.0, 0.0, 2.0, 0.0, 0.0, 0.0]),
    )
    assert separation_m(first, second) == (2.0, 4.0)
    assert separation_m(first, straight_trajectory(6, 8, 0.0)) == (0.0, 0.0)


def test_a_person_who_keeps_the_velocity_has_no_prediction_error() -> None:
    np.testing.assert_allclose(
        prediction_errors(straight_trajectory(0, 3, 0.0), straight_trajectory(4, 6, 4.0), straight_s=2.0),
        0.0,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        prediction_errors(straight_trajectory(0, 3, 0.0), straight_trajectory(4, 6, 9.0), straight_s=2.0),
        [[-5.0, 0.0], [5.0, 0.0]],
        atol=1e-9,
    )


@given(x=st.floats(-3, 3), y=st.floats(0, 6), tall_m=st.floats(1.6, 1.8))
def test_a_place_follows_from_feet_or_head(x: float, y: float, tall_m: float) -> None:
    camera = Camera("a", (1.0, -9.0, 4.0), (0.0, 0.0, 0.5), 300.0, (360, 640), CameraEffects())
    feet, head = (camera.project(np.array([[x, y, height]]))[0] for height in (0.0, tall_m))
    ground = Ground({"a": camera.to_ground})
    box = (feet[0] - 10, head[1], feet[0] + 10, feet[1])
    for sides in (box, (*box[:3], 360.0)):
        trajectory = ground.trajectory("a", make_path(length=1, box=sides, frame_hw=(360, 640)))
        off = trajectory[:, 1:3] - [x, y]
        assert (
            log_density(off, trajectory[:, 3:])[0]
            > log_density(np.array([[2.5, 0.0]]), np.eye(3)[:1] + np.eye(3)[2:])[0] - 9
        )


def test_the_place_of_a_partly_hidden_person_is_less_certain() -> None:
    camera = Camera("a", (1.0, -9.0, 4.0), (0.0, 0.0, 0.5), 300.0, (360, 640), CameraEffects())
    ground = Ground({"a": camera.to_ground})
    feet, head = (camera.project(np.array([[0.0, 0.0, height]]))[0] for height in (0.0, 1.7))
    whole, half = (
        ground.trajectory(
            "a", make_path(length=1, box=(feet[0] - 10, head[1], feet[0] + 10, bottom), frame_hw=(360, 640))
        )
        for bottom in (feet[1], (feet[1] + head[1]) / 2)
    )
    assert np.linalg.det(half[0, [3, 4, 4, 5]].reshape(2, 2)) > 4 * np.linalg.det(whole[0, [3, 4, 4, 5]].reshape(2, 2))


def test_nobody_moves_faster_than_the_limit() -> None:
    assert can_move(straight_trajectory(0, 3, 0.0), straight_trajectory(5, 6, 8.0), max_m_s=3.0, slack_m=1.0)
    assert not can_move(straight_trajectory(0, 3, 0.0), straight_trajectory(4, 6, 9.0), max_m_s=3.0, slack_m=1.0)


@pytest.mark.parametrize("rows", ["[[1,0],[0,1]]", "[[0,0,0],[0,0,0],[0,0,0]]", "[[a,b,c],[1,2,3],[4,5,6]]"])
def test_an_invalid_homography_is_named_in_the_error(rows: str) -> None:
    with pytest.raises(ConfigError, match=r"site\.ground\.west"):
        make_plan(load_config(["site=demo", f"site.ground.west={rows}"]))


@pytest.mark.parametrize(("shift_px", "two"), [(0, False), (900, True)], ids=["at one place", "nine metres apart"])
def test_one_place_on_the_ground_outweighs_the_stated_overlaps(shift_px: int, two: bool) -> None:
    ground = Ground({"east": np.diag([0.01, 0.01, 1.0]), "west": np.diag([0.01, 0.01, 1.0])})
    constraints = LinkConstraints(Topology(overlaps=frozenset()), leave_after_s=2.0)
    first, second = (
        TrackSegment.begin(
            make_embedding(
                track_id=TrackId(camera_id, 0, 1),
                path=make_path(length=20, box=(100 + left, 100, 140 + left, 200), frame_hw=(1000, 2000)),
            ),
            ground,
        )
        for camera_id, left in (("east", 0), ("west", shift_px))
    )
    assert are_two_people(first, second, constraints) == two
    assert (co_location_llr(first, second) > 0) != two
