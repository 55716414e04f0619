from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.synthetic.places.catalogue import build_place
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.obstacles import Obstacles
from connectors.synthetic.places.place import Lane, Spot, lane_points, lengths_m, shortest_route
from connectors.synthetic.places.primitives import Box, Cylinder
from pipeline.core.errors import ConfigError

PLACES = ("plaza", "corridor", "shop", "campus")
STONE = Material("plain", (100, 100, 100))


def test_an_unknown_place_is_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match=r"plaza, corridor, shop, campus.*got 'moon'"):
        build_place("moon")


def test_an_unknown_camera_is_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match="expected one of west, east, north, gate, got 'south'"):
        build_place("plaza").camera("south")


def test_a_negative_variant_is_refused() -> None:
    with pytest.raises(ConfigError, match="variant of plaza: expected 0 or more, got -1"):
        build_place("plaza", -1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variants"), [("plaza", 25), ("corridor", 25), ("shop", 25), ("campus", 3)])
def test_every_variant_is_a_valid_place_and_the_same_each_time(name: str, variants: int) -> None:
    for variant in range(variants):
        assert build_place(name, variant) == build_place(name, variant)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_variants_differ_in_objects_and_cameras_but_not_in_nodes(name: str) -> None:
    first, second = build_place(name, 1), build_place(name, 2)
    assert first.cameras != second.cameras
    assert first.primitives != second.primitives
    assert first.nodes == second.nodes
    assert [camera.name for camera in first.cameras] == [camera.name for camera in build_place(name).cameras]


@pytest.mark.parametrize("name", ["plaza", "corridor", "shop"])
def test_people_in_view_are_large_enough_to_recognise(name: str) -> None:
    place = build_place(name)
    ground = np.concatenate([lane_points(place.nodes, lane) for lane in place.edges])
    for camera in place.cameras:
        feet = camera.project(np.column_stack([ground, np.zeros(len(ground))]))
        heads = camera.project(np.column_stack([ground, np.full(len(ground), 1.72)]))
        seen = (feet[:, 2] > 0.5) & (feet[:, :2] > 0).all(1) & (feet[:, :2] < camera.size_hw[::-1]).all(1)
        tall = np.hypot(*(feet - heads)[seen, :2].T)
        assert np.mean((tall > 50) & (tall < 260)) > 0.3


def test_a_lane_through_a_wall_is_refused() -> None:
    place = build_place("plaza")
    wall = Box((-4.0, -6.0, 0.0), (-3.8, 0.0, 2.0), STONE)
    with pytest.raises(ConfigError, match="expected a free lane from w to sw, got an obstacle"):
        replace(place, primitives=(*place.primitives, wall))


def test_a_camera_inside_a_wall_is_refused() -> None:
    place = build_place("plaza")
    inside = replace(place.cameras[0], name="blind", position=(20.0, -9.0, 3.0))
    with pytest.raises(ConfigError, match="camera blind: expected it in the open"):
        replace(place, cameras=(inside,))


def test_a_lane_to_nowhere_is_refused() -> None:
    place = build_place("plaza")
    with pytest.raises(ConfigError, match=r"expected a node of .*got 'moon'"):
        replace(place, edges=(*place.edges, Lane("w", "moon", 1.0)))


def test_a_node_without_a_lane_is_refused() -> None:
    place = build_place("plaza")
    with pytest.raises(ConfigError, match=r"got none to \['roof'\]"):
        replace(place, nodes={**place.nodes, "roof": (0.0, 40.0)})


def test_two_cameras_of_one_name_are_refused() -> None:
    place = build_place("plaza")
    with pytest.raises(ConfigError, match="cameras of different names"):
        replace(place, cameras=(*place.cameras, place.cameras[0]))


def test_an_unknown_action_at_a_spot_is_refused() -> None:
    place = build_place("plaza")
    with pytest.raises(ConfigError, match="expected stand, phone or talk, got 'dance'"):
        replace(place, spots=(Spot("w", (-8.0, -1.0), 0.0, "dance"),))


def test_a_place_with_one_door_is_refused() -> None:
    with pytest.raises(ConfigError, match="two doors or more"):
        replace(build_place("plaza"), doors=("cafe",))


def test_leaves_overhead_and_markings_on_the_ground_are_no_obstacles() -> None:
    overhead, line = Box((0, 0, 2.0), (1, 1, 3.0), STONE), Box((0, 0, 0.0), (1, 1, 0.02), STONE)
    post = Cylinder((5.0, 5.0), 0.5, (0.0, 1.0), STONE)
    obstacles = Obstacles([overhead, line, post])
    assert obstacles.boxes_xyxy.shape == (0, 4)
    assert obstacles.circles.tolist() == [[5.0, 5.0, 0.5]]


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_only_points_near_an_obstacle_are_moved_and_they_end_outside_it(x: float, y: float) -> None:
    obstacles = Obstacles(
        [Box((-1.0, -0.5, 0.0), (1.0, 0.5, 2.0), STONE), Cylinder((3.0, 3.0), 0.6, (0.0, 1.0), STONE)]
    )
    point = np.array([[x, y]])
    moved = obstacles.pushed_out(point, 0.27)
    assert obstacles.clearance_m(moved)[0] >= 0.27 - 1e-9
    if obstacles.clearance_m(point)[0] >= 0.27:
        assert (moved == point).all()


def test_the_shortest_route_is_taken() -> None:
    place = build_place("plaza")
    lengths = lengths_m(place)
    assert shortest_route(lengths, "cafe", "w") == ["cafe", "nw", "w"]
    assert shortest_route({**lengths, ("nw", "w"): 1e3}, "cafe", "w") != ["cafe", "nw", "w"]
