"""People of the world: drawn by seed, dressed, and walking without sliding."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.synthetic.attributes import NAMES, attributes
from connectors.synthetic.body import load_body_asset
from connectors.synthetic.character_sampling import MIN_SKIN_CONTRAST, WARDROBES, draw_people, worn_colours
from connectors.synthetic.colour import contrast
from connectors.synthetic.figure import Figure, make_figure
from connectors.synthetic.gait import ACTIONS, NUM_PHASES
from connectors.synthetic.person import Person
from connectors.synthetic.renderer import SLOT_FACES, SLOT_VERTICES
from connectors.synthetic.skeleton import BONES, Skeleton, turn
from connectors.synthetic.surface import cover, vertex_surface
from pipeline.core.errors import ConfigError

KNEES, ANKLES = (13, 14), (15, 16)


def one(seed: int = 0) -> Person:
    return draw_people(1, seed=seed, wardrobe="everyday", lookalikes=0.0)[0]


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return [make_figure(person, 0) for person in draw_people(10, seed=2, wardrobe="everyday", lookalikes=0.0)]


@pytest.mark.parametrize("wardrobe", WARDROBES)
def test_no_garment_has_the_colour_of_its_wearers_skin(wardrobe: str) -> None:
    for person in draw_people(300, seed=3, wardrobe=wardrobe, lookalikes=0.3):
        for outfit in person.outfits:
            assert min(contrast(colour, person.skin) for colour in worn_colours(outfit)) >= MIN_SKIN_CONTRAST - 1


@given(seed=st.integers(0, 10_000))
def test_everybody_is_covered_from_the_shoulders_to_the_middle_of_the_thighs(seed: int) -> None:
    person, surface = one(seed), vertex_surface()
    for outfit in person.outfits:
        covered = cover(surface, outfit, person.hair)
        trunk = (surface.trunk > 0.0) & (surface.trunk < 0.8) & (surface.arm < 0.3)
        thighs = (surface.leg > 0.5) & (surface.along_leg < 0.45)
        assert (covered.top | covered.bottom)[trunk | thighs].all()


def test_the_first_people_of_a_seed_stay_the_same_when_more_are_drawn() -> None:
    few, many = (draw_people(count, seed=5, wardrobe="everyday", lookalikes=0.2) for count in (4, 9))
    assert many[:4] == few


def test_people_differ() -> None:
    people = draw_people(200, seed=5, wardrobe="everyday", lookalikes=0.0)
    assert len({person.body for person in people}) > 150
    assert len({person.outfits[0] for person in people}) == 200


def test_lookalikes_wear_the_same_and_are_still_two() -> None:
    people = draw_people(100, seed=5, wardrobe="everyday", lookalikes=1.0)
    pairs = [(a, b) for a, b in pairwise(people) if a.outfits == b.outfits]
    assert len(pairs) > 60
    assert all((a.height_m, a.body) != (b.height_m, b.body) for a, b in pairs)


def test_a_uniform_is_worn_by_nearly_all() -> None:
    people = draw_people(60, seed=5, wardrobe="uniform", lookalikes=0.0)
    tops = [person.outfits[0].top for person in people]
    assert max(tops.count(top) for top in tops) >= 40


def test_who_changed_wears_another_top() -> None:
    for person in draw_people(60, seed=9, wardrobe="everyday", lookalikes=0.0):
        first, second = (outfit.top for outfit in person.outfits)
        assert first.kind != second.kind or contrast(first.fabric.colour, second.fabric.colour) >= 30


@pytest.mark.parametrize(
    "wrong",
    [{"count": -1}, {"seed": -1}, {"lookalikes": 1.5}, {"wardrobe": "festive"}],
    ids=["count", "seed", "lookalikes", "wardrobe"],
)
def test_what_cannot_be_drawn_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        draw_people(**{"count": 1, "seed": 0, "wardrobe": "everyday", "lookalikes": 0.0, **wrong})  # type: ignore[arg-type]


def test_a_figure_is_the_same_each_time() -> None:
    first, again = make_figure(one(), 0), make_figure(one(), 0)
    assert np.array_equal(first.vertices, again.vertices)
    assert np.array_equal(first.texture, again.texture)
    assert np.array_equal(first.clips["walk"], again.clips["walk"])


@pytest.mark.slow
def test_figures_fit_the_renderers_slots() -> None:
    for person in draw_people(25, seed=1, wardrobe="everyday", lookalikes=0.0):
        figure = make_figure(person, 0)
        assert len(figure.vertices) <= SLOT_VERTICES
        assert len(figure.faces) <= SLOT_FACES
        assert figure.faces.max() < len(figure.vertices)
        np.testing.assert_allclose(figure.bone_weights.sum(axis=1), 1, atol=0.01)
        assert 0 <= figure.uv.min() <= figure.uv.max() <= 1
        assert abs(figure.height_m - person.height_m) < 0.16  # hair, hat and shoes


@pytest.mark.slow
@given(number=st.integers(0, 9), walked_m=st.floats(0, 1000), action=st.sampled_from(ACTIONS))
def test_joints_are_where_joints_are_in_every_pose(
    figures: list[Figure], number: int, walked_m: float, action: str
) -> None:
    figure = figures[number]
    bones = figure.pose(action, walked_m=walked_m, time_s=walked_m, walking=float(action == "walk"))
    keypoints = np.einsum("bij,kbj->ki", bones, figure.keypoints)
    height = figure.height_m
    assert 0.75 * height < keypoints[0, 2] < height  # the nose
    assert (0.35 * height < keypoints[11:13, 2]).all()  # hips
    assert (keypoints[KNEES, 2] < keypoints[11:13, 2]).all()
    assert (keypoints[ANKLES, 2] > 0.0).all()
    assert (keypoints[ANKLES, 2] < 0.35 * height).all()
    if action != "walk":
        assert keypoints[5, 0] > keypoints[6, 0]  # the left shoulder is to the left: they face -y
        assert keypoints[0, 1] < keypoints[3:5, 1].mean()  # and the nose is before the ears


def test_the_foot_on_the_ground_hardly_slides(figures: list[Figure]) -> None:
    slips = []
    for figure in figures:
        ways = np.linspace(0, figure.cycle_m, 40)
        poses = [figure.pose("walk", walked_m=way, time_s=0.0, walking=1.0) for way in ways]
        ankles = np.stack([np.einsum("bij,kbj->ki", pose, figure.keypoints)[list(ANKLES)] for pose in poses])
        ankles[:, :, 1] -= ways[:, None]  # they walk towards -y
        stands = ankles[:-1, :, 2].argmin(axis=1)
        steps = np.arange(len(ways) - 1)
        slips.append(np.abs(ankles[steps + 1, stands, 1] - ankles[steps, stands, 1]))
    assert np.median(slips) < 0.01
    assert np.quantile(slips, 0.9) < 0.03


def test_a_turned_bone_carries_those_below_it() -> None:
    heads = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 2]])
    skeleton = Skeleton(heads, parents=(-1, 0, 1))
    rotations = np.tile(np.eye(3), (1, 3, 1, 1))
    rotations[0, 1] = turn(np.array([1.0, 0, 0]), np.pi / 2)
    matrix = skeleton.pose(rotations)[0, 2]
    np.testing.assert_allclose(matrix[:, :3] @ [0, 0, 2] + matrix[:, 3], [0, -1, 1], atol=1e-12)


def test_clips_have_a_matrix_for_every_bone_and_phase(figures: list[Figure]) -> None:
    assert {clip.shape for clip in figures[0].clips.values()} == {(NUM_PHASES, len(BONES), 3, 4)}


def test_attributes_say_what_is_worn() -> None:
    for person in draw_people(40, seed=4, wardrobe="everyday", lookalikes=0.0):
        outfit = person.outfits[0]
        told = dict(zip(NAMES, attributes(person, outfit), strict=True))
        assert told["female"] == person.female
        assert told["hat"] == (outfit.hat is not None)
        assert told["backpack"] + told["shoulder_bag"] + told["handbag"] == (outfit.bag is not None)


def test_a_damaged_asset_is_named(tmp_path: Path) -> None:
    path = tmp_path / "body.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ConfigError, match=r"body\.npz: expected the exported bodies"):
        load_body_asset(path)
