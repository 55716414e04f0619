"""What cameras of the world see, and that what is said to be true of it is."""

from dataclasses import replace

import numpy as np
import pytest

from connectors.synthetic.background import cast_background
from connectors.synthetic.camera import Camera
from connectors.synthetic.character_sampling import draw_people
from connectors.synthetic.effects import CameraEffects
from connectors.synthetic.figure import Figure, make_figure
from connectors.synthetic.light import SUN
from connectors.synthetic.place import Lane, Place
from connectors.synthetic.primitives import Box, Material
from connectors.synthetic.renderer import Actor, Renderer, Silhouette, bones_in_place
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

CAMERA = Camera("front", (0.0, -9.0, 2.5), (0.0, 0.0, 1.0), 500.0, (360, 640), CameraEffects())
WALL = Box((-1.5, -2.0, 0.0), (1.5, -1.8, 2.5), Material("plain", (120, 120, 120)))


def open_place(*solids: Box) -> Place:
    return Place(
        name="field",
        solids=solids,
        ground=Material("plain", (150, 150, 150)),
        light=SUN,
        cameras=(CAMERA,),
        doors=("left", "right"),
        nodes={"left": (-8.0, 1.0), "right": (8.0, 1.0)},
        edges=(Lane("left", "right", 0.5),),
        spots=(),
        capacity=20,
    )


def renderer(place: Place, *, supersample: int = 1) -> Renderer:
    background = cast_background(place, CAMERA.scaled(supersample))
    bounds = (-8.0, -3.0, 8.0, 3.0)
    return Renderer([CAMERA], [background], SUN, bounds=bounds, supersample=supersample, device="cpu")


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    people = draw_people(3, seed=11, wardrobe="everyday", lookalikes=0.0)
    return [make_figure(person, 0) for person in people]


def standing(figure: Figure, key: int, x: float, y: float) -> Actor:
    bones = figure.pose("stand", walked_m=0.0, time_s=0.0, walking=0.0)
    return Actor((key, 0), figure, bones_in_place(bones, x=x, y=y, heading=-np.pi / 2))


def look(place: Place, actors: list[Actor], *, supersample: int = 1) -> tuple[np.ndarray, dict[int, Silhouette]]:
    drawn = renderer(place, supersample=supersample)
    drawn.place(actors)
    image, seen = drawn.render(0)
    return image, {key[0]: silhouette for key, silhouette in seen.items()}


def test_who_stands_alone_is_fully_visible(figures: list[Figure]) -> None:
    _, seen = look(open_place(), [standing(figures[0], 0, 0.0, 0.0)])
    assert seen[0].visible_px == seen[0].own_px > 500
    np.testing.assert_array_equal(seen[0].visible_xyxy, seen[0].full_xyxy)


def test_who_stands_behind_a_wall_is_hidden_and_the_truth_still_knows_where(figures: list[Figure]) -> None:
    _, seen = look(open_place(WALL), [standing(figures[0], 0, 0.0, 0.0)])
    _, free = look(open_place(), [standing(figures[0], 0, 0.0, 0.0)])
    assert seen[0].visible_px == 0
    np.testing.assert_array_equal(seen[0].full_xyxy, free[0].full_xyxy)
    assert set(seen[0].keypoints[:, 2]) == {1.0}


def test_who_stands_before_another_hides_them(figures: list[Figure]) -> None:
    _, seen = look(open_place(), [standing(figures[0], 0, 0.0, 0.0), standing(figures[1], 1, 0.05, 1.0)])
    assert seen[0].visible_px == seen[0].own_px
    assert seen[1].visible_px < 0.6 * seen[1].own_px


def test_the_box_is_that_of_the_projected_vertices(figures: list[Figure]) -> None:
    actor = standing(figures[0], 0, 1.0, 0.5)
    _, seen = look(open_place(), [actor], supersample=2)
    matrices = actor.bones[figures[0].bone_ids]
    weights = figures[0].bone_weights[..., None, None]
    blended = (matrices * weights).sum(axis=1)
    points = np.einsum("vij,vj->vi", blended[:, :, :3], figures[0].vertices) + blended[:, :, 3]
    projected = CAMERA.project(points)[:, :2]
    box = np.concatenate([projected.min(axis=0), projected.max(axis=0)])
    np.testing.assert_allclose(seen[0].full_xyxy, box, atol=1.0)


def test_keypoints_are_where_the_camera_projects_the_joints(figures: list[Figure]) -> None:
    actor = standing(figures[0], 0, -1.0, 0.0)
    _, seen = look(open_place(), [actor])
    np.testing.assert_allclose(seen[0].keypoints[:, :2], CAMERA.project(actor.keypoints)[:, :2], atol=1e-3)
    assert (seen[0].keypoints[[0, 5, 6, 13, 14], 2] == 2).all()  # nose, shoulders and knees of who faces the camera


def test_who_is_half_out_of_the_picture_is_said_to_be(figures: list[Figure]) -> None:
    _, seen = look(open_place(), [standing(figures[0], 0, -5.75, 0.0)])
    full, whole = seen[0].full_xyxy, seen[0].whole_xyxy
    assert full[0] == 0.0
    assert whole[0] < -1.0


def test_nobody_outside_the_picture_is_in_the_truth(figures: list[Figure]) -> None:
    assert look(open_place(), [standing(figures[0], 0, 30.0, 0.0)])[1] == {}


def test_people_throw_shadows(figures: list[Figure]) -> None:
    empty, _ = look(open_place(), [])
    image, _ = look(open_place(), [standing(figures[0], 0, 0.0, 0.0)])
    darker = (image.sum(axis=2) < 0.75 * empty.sum(axis=2)).sum()
    assert darker > 300


def test_many_people_at_once_keep_their_own_silhouettes(figures: list[Figure]) -> None:
    """More than 32: silhouettes are kept in words of 32 bits."""
    places = [(-6 + 12 * i / 39, (i % 4) * 0.8) for i in range(40)]
    actors = [standing(figures[i % 3], i, x, y) for i, (x, y) in enumerate(places)]
    _, seen = look(open_place(), actors)
    alone = {i: look(open_place(), [actor])[1][i] for i, actor in enumerate(actors) if i in (0, 31, 32, 39)}
    for i, silhouette in alone.items():
        assert seen[i].own_px == silhouette.own_px
        np.testing.assert_array_equal(seen[i].full_xyxy, silhouette.full_xyxy)


def test_a_world_is_the_same_each_time_whichever_cameras_are_drawn() -> None:
    scenario = Scenario(place="plaza", people=6, seed=4)
    whole = [view for views in World(scenario).moments(3) for view in views]
    name = whole[1].frame.stamp.camera_id
    alone = [view for views in World(scenario, [name]).moments(3) for view in views]
    for view in alone:
        twin = next(other for other in whole if other.frame.stamp == view.frame.stamp)
        np.testing.assert_array_equal(view.frame.image, twin.frame.image)
        assert [person.person_id for person in view.people] == [person.person_id for person in twin.people]


def test_another_seed_is_another_world() -> None:
    first, second = (next(World(Scenario(people=6, seed=seed)).moments(1))[0].frame.image for seed in (1, 2))
    assert not np.array_equal(first, second)


def test_a_smaller_picture_shows_the_same_people_at_smaller_places() -> None:
    scenario = Scenario(people=6, seed=4)
    (whole,), (small,) = (next(World(it, ["east"]).moments(1)) for it in (scenario, replace(scenario, scale=0.5)))
    assert small.frame.size_hw == (180, 320)
    boxes = {person.person_id: person.full_xyxy for person in whole.people}
    for person in small.people:
        np.testing.assert_allclose(2 * person.full_xyxy, boxes[person.person_id], atol=2.5)


def test_an_open_shutter_blurs_who_walks_and_leaves_the_truth_as_it_is() -> None:
    scenario = Scenario(people=12, seed=4)
    sharp, blurred = (
        list(World(it, ["east"]).moments(3))[-1][0] for it in (scenario, replace(scenario, shutter_s=0.05))
    )
    assert [person.person_id for person in sharp.people] == [person.person_id for person in blurred.people]
    for person, same in zip(sharp.people, blurred.people, strict=True):
        np.testing.assert_allclose(person.full_xyxy, same.full_xyxy, atol=1e-3)
    apart = np.abs(sharp.frame.image.astype(int) - blurred.frame.image).max(axis=2) > 30
    walker = max((it for it in sharp.people if it.visibility > 0.9), key=lambda it: it.speed_m_s)
    left, top, right, bottom = walker.visible_xyxy.astype(int)
    assert walker.speed_m_s > 0.8
    assert apart[top:bottom, left:right].mean() > 5 * apart.mean()


def test_between_two_steps_people_are_between_their_places() -> None:
    world = World(Scenario(people=10, seed=3))
    before, half, after = (
        {stance.person: stance for stance in world.stances_at(time_s)} for time_s in (1.0, 1.05, 1.1)
    )
    walkers = [who for who in before if who in after and before[who].speed_m_s > 0.5]
    assert walkers
    for who in walkers:
        assert half[who].x == pytest.approx((before[who].x + after[who].x) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"place": "moon"}, "moon"),
        ({"people": 10_000}, "10000"),
        ({"people": -3}, "-3"),
        ({"returns": 1.5}, "1.5"),
        ({"fps": 0.0}, "0.0"),
        ({"scale": 0.0}, "0.0"),
        ({"shutter_s": 0.2}, "0.2"),
        ({"supersample": 9}, "9"),
        ({"wardrobe": "festive"}, "festive"),
    ],
    ids=lambda value: str(value),
)
def test_a_world_that_cannot_be_names_what_is_wrong(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        World(replace(Scenario(), **wrong))  # type: ignore[arg-type]


def test_an_unknown_camera_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="attic"):
        World(Scenario(), ["attic"])
