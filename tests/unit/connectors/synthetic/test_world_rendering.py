"""Rendered images, and whether their ground truth is correct."""

from dataclasses import replace

import numpy as np
import pytest

from connectors.synthetic.people.character_sampling import sample_characters
from connectors.synthetic.people.figure import Figure, make_figure
from connectors.synthetic.places.light import SUN
from connectors.synthetic.places.materials import Material
from connectors.synthetic.places.place import Lane, Place
from connectors.synthetic.places.primitives import Box
from connectors.synthetic.rendering.background import render_background
from connectors.synthetic.rendering.camera import Camera
from connectors.synthetic.rendering.effects import CameraEffects
from connectors.synthetic.rendering.renderer import Actor, Renderer, Silhouette, bones_in_place
from connectors.synthetic.world import Scenario, World
from pipeline.core.errors import ConfigError

pytestmark = pytest.mark.slow

CAMERA = Camera("front", (0.0, -9.0, 2.5), (0.0, 0.0, 1.0), 500.0, (360, 640), CameraEffects())
WALL = Box((-1.5, -2.0, 0.0), (1.5, -1.8, 2.5), Material("plain", (120, 120, 120)))


def open_place(*primitives: Box) -> Place:
    return Place(
        name="field",
        primitives=primitives,
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
    background = render_background(place, CAMERA.scaled(supersample))
    bounds = (-8.0, -3.0, 8.0, 3.0)
    return Renderer([CAMERA], [background], SUN, bounds=bounds, supersample=supersample, device="cpu")


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    people = sample_characters(3, seed=11, wardrobe="everyday", lookalikes=0.0)
    return [make_figure(person, 0) for person in people]


def standing(figure: Figure, key: int, x: float, y: float) -> Actor:
    bones = figure.pose("stand", walked_m=0.0, time_s=0.0, walking=0.0)
    return Actor((key, 0), figure, bones_in_place(bones, x=x, y=y, heading=-np.pi / 2))


def observe(place: Place, actors: list[Actor], *, supersample: int = 1) -> tuple[np.ndarray, dict[int, Silhouette]]:
    drawn = renderer(place, supersample=supersample)
    drawn.place(actors)
    image, seen = drawn.render(0)
    return image, {key[0]: silhouette for key, silhouette in seen.items()}


def test_a_person_alone_is_fully_visible(figures: list[Figure]) -> None:
    _, seen = observe(open_place(), [standing(figures[0], 0, 0.0, 0.0)])
    assert seen[0].visible_px == seen[0].own_px > 500
    np.testing.assert_array_equal(seen[0].visible_xyxy, seen[0].full_xyxy)


def test_a_person_behind_a_wall_is_hidden_and_keeps_the_full_box(figures: list[Figure]) -> None:
    _, seen = observe(open_place(WALL), [standing(figures[0], 0, 0.0, 0.0)])
    _, free = observe(open_place(), [standing(figures[0], 0, 0.0, 0.0)])
    assert seen[0].visible_px == 0
    np.testing.assert_array_equal(seen[0].full_xyxy, free[0].full_xyxy)
    assert set(seen[0].keypoints[:, 2]) == {1.0}


def test_a_person_in_front_hides_the_person_behind(figures: list[Figure]) -> None:
    _, seen = observe(open_place(), [standing(figures[0], 0, 0.0, 0.0), standing(figures[1], 1, 0.05, 1.0)])
    assert seen[0].visible_px == seen[0].own_px
    assert seen[1].visible_px < 0.6 * seen[1].own_px


def test_the_box_encloses_the_projected_vertices(figures: list[Figure]) -> None:
    actor = standing(figures[0], 0, 1.0, 0.5)
    _, seen = observe(open_place(), [actor], supersample=2)
    matrices = actor.bones[figures[0].bone_ids]
    weights = figures[0].bone_weights[..., None, None]
    blended = (matrices * weights).sum(axis=1)
    points = np.einsum("vij,vj->vi", blended[:, :, :3], figures[0].vertices) + blended[:, :, 3]
    projected = CAMERA.project(points)[:, :2]
    box = np.concatenate([projected.min(axis=0), projected.max(axis=0)])
    np.testing.assert_allclose(seen[0].full_xyxy, box, atol=1.0)


def test_keypoints_are_the_projected_joints(figures: list[Figure]) -> None:
    actor = standing(figures[0], 0, -1.0, 0.0)
    _, seen = observe(open_place(), [actor])
    np.testing.assert_allclose(seen[0].keypoints[:, :2], CAMERA.project(actor.keypoints)[:, :2], atol=1e-3)
    assert (seen[0].keypoints[[0, 5, 6, 13, 14], 2] == 2).all()  # nose, shoulders and knees


def test_a_person_partly_outside_the_image_has_a_larger_whole_box(figures: list[Figure]) -> None:
    _, seen = observe(open_place(), [standing(figures[0], 0, -5.75, 0.0)])
    full, whole = seen[0].full_xyxy, seen[0].whole_xyxy
    assert full[0] == 0.0
    assert whole[0] < -1.0


def test_a_person_outside_the_image_is_not_in_the_ground_truth(figures: list[Figure]) -> None:
    assert observe(open_place(), [standing(figures[0], 0, 30.0, 0.0)])[1] == {}


def test_people_cast_shadows(figures: list[Figure]) -> None:
    empty, _ = observe(open_place(), [])
    image, _ = observe(open_place(), [standing(figures[0], 0, 0.0, 0.0)])
    darker = (image.sum(axis=2) < 0.75 * empty.sum(axis=2)).sum()
    assert darker > 300


def test_many_people_at_once_keep_their_own_silhouettes(figures: list[Figure]) -> None:
    """More than 32 people: silhouettes are stored in words of 32 bits."""
    places = [(-6 + 12 * i / 39, (i % 4) * 0.8) for i in range(40)]
    actors = [standing(figures[i % 3], i, x, y) for i, (x, y) in enumerate(places)]
    _, seen = observe(open_place(), actors)
    alone = {i: observe(open_place(), [actor])[1][i] for i, actor in enumerate(actors) if i in (0, 31, 32, 39)}
    for i, silhouette in alone.items():
        assert seen[i].own_px == silhouette.own_px
        np.testing.assert_array_equal(seen[i].full_xyxy, silhouette.full_xyxy)


def test_a_world_is_reproducible_and_independent_of_the_rendered_cameras() -> None:
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


def test_a_smaller_image_shows_the_same_people_at_scaled_positions() -> None:
    scenario = Scenario(people=6, seed=4)
    (whole,), (small,) = (next(World(it, ["east"]).moments(1)) for it in (scenario, replace(scenario, scale=0.5)))
    assert small.frame.size_hw == (180, 320)
    boxes = {person.person_id: person.full_xyxy for person in whole.people}
    for person in small.people:
        np.testing.assert_allclose(2 * person.full_xyxy, boxes[person.person_id], atol=2.5)


def test_a_long_exposure_blurs_walking_people_and_keeps_the_ground_truth() -> None:
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


def test_positions_are_interpolated_between_two_steps() -> None:
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
def test_an_invalid_scenario_is_an_error_that_names_the_value(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        World(replace(Scenario(), **wrong))  # type: ignore[arg-type]


def test_an_unknown_camera_is_refused() -> None:
    with pytest.raises(ConfigError, match="attic"):
        World(Scenario(), ["attic"])
