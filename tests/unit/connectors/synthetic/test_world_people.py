"""Synthetic people: sampled by seed, dressed, and walking without sliding feet."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.synthetic.people.attributes import NAMES, attributes
from connectors.synthetic.people.body import load_body_asset
from connectors.synthetic.people.character_sampling import MIN_SKIN_CONTRAST, WARDROBES, sample_characters, worn_colours
from connectors.synthetic.people.colour import contrast
from connectors.synthetic.people.figure import Figure, make_figure
from connectors.synthetic.people.gait import ACTIONS, NUM_PHASES
from connectors.synthetic.people.person import Person
from connectors.synthetic.people.skeleton import BONES, Skeleton, turn
from connectors.synthetic.people.surface import cover, vertex_surface
from connectors.synthetic.rendering.renderer import SLOT_FACES, SLOT_VERTICES
from pipeline.core.errors import ConfigError

KNEES, ANKLES = (13, 14), (15, 16)


def one(seed: int = 0) -> Person:
    return sample_characters(1, seed=seed, wardrobe="everyday", lookalikes=0.0)[0]


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return [make_figure(person, 0) for person in sample_characters(10, seed=2, wardrobe="everyday", lookalikes=0.0)]


@pytest.mark.parametrize("wardrobe", WARDROBES)
def test_no_garment_has_the_colour_of_the_wearers_skin(wardrobe: str) -> None:
    for person in sample_characters(300, seed=3, wardrobe=wardrobe, lookalikes=0.3):
        for outfit in person.outfits:
            assert min(contrast(colour, person.skin) for colour in worn_colours(outfit)) >= MIN_SKIN_CONTRAST - 1


@given(seed=st.integers(0, 10_000))
def test_clothes_cover_every_person_from_the_shoulders_to_the_middle_of_the_thighs(seed: int) -> None:
    person, surface = one(seed), vertex_surface()
    for outfit in person.outfits:
        covered = cover(surface, outfit, person.hair)
        trunk = (surface.trunk > 0.0) & (surface.trunk < 0.8) & (surface.arm < 0.3)
        thighs = (surface.leg > 0.5) & (surface.along_leg < 0.45)
        assert (covered.top | covered.bottom)[trunk | thighs].all()


def test_a_larger_count_keeps_the_first_people_of_a_seed() -> None:
    few, many = (sample_characters(count, seed=5, wardrobe="everyday", lookalikes=0.2) for count in (4, 9))
    assert many[:4] == few


def test_people_differ() -> None:
    people = sample_characters(200, seed=5, wardrobe="everyday", lookalikes=0.0)
    assert len({person.body for person in people}) > 150
    assert len({person.outfits[0] for person in people}) == 200


def test_lookalikes_wear_the_same_clothes_on_different_bodies() -> None:
    people = sample_characters(100, seed=5, wardrobe="everyday", lookalikes=1.0)
    pairs = [(a, b) for a, b in pairwise(people) if a.outfits == b.outfits]
    assert len(pairs) > 60
    assert all((a.height_m, a.body) != (b.height_m, b.body) for a, b in pairs)


def test_nearly_all_people_wear_the_uniform() -> None:
    people = sample_characters(60, seed=5, wardrobe="uniform", lookalikes=0.0)
    tops = [person.outfits[0].top for person in people]
    assert max(tops.count(top) for top in tops) >= 40


def test_a_changed_outfit_has_another_top() -> None:
    for person in sample_characters(60, seed=9, wardrobe="everyday", lookalikes=0.0):
        first, second = (outfit.top for outfit in person.outfits)
        assert first.kind != second.kind or contrast(first.fabric.colour, second.fabric.colour) >= 30


@pytest.mark.parametrize(
    "wrong",
    [{"count": -1}, {"seed": -1}, {"lookalikes": 1.5}, {"wardrobe": "festive"}],
    ids=["count", "seed", "lookalikes", "wardrobe"],
)
def test_an_invalid_argument_of_sampling_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        sample_characters(**{"count": 1, "seed": 0, "wardrobe": "everyday", "lookalikes": 0.0, **wrong})  # type: ignore[arg-type]


def test_a_figure_is_reproducible() -> None:
    first, again = make_figure(one(), 0), make_figure(one(), 0)
    assert np.array_equal(first.vertices, again.vertices)
    assert np.array_equal(first.texture, again.texture)
    assert np.array_equal(first.clips["walk"], again.clips["walk"])


@pytest.mark.slow
def test_figures_fit_the_renderers_slots() -> None:
    for person in sample_characters(25, seed=1, wardrobe="everyday", lookalikes=0.0):
        figure = make_figure(person, 0)
        assert len(figure.vertices) <= SLOT_VERTICES
        assert len(figure.faces) <= SLOT_FACES
        assert figure.faces.max() < len(figure.vertices)
        np.testing.assert_allclose(figure.bone_weights.sum(axis=1), 1, atol=0.01)
        assert 0 <= figure.uv.min() <= figure.uv.max() <= 1
        assert abs(figure.height_m - person.height_m) < 0.16  # hair, hat and shoes


@pytest.mark.slow
@given(number=st.integers(0, 9), walked_m=st.floats(0, 1000), action=st.sampled_from(ACTIONS))
def test_joints_are_at_plausible_heights_in_every_pose(
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
        distances = np.linspace(0, figure.cycle_m, 40)
        poses = [figure.pose("walk", walked_m=distance, time_s=0.0, walking=1.0) for distance in distances]
        ankles = np.stack([np.einsum("bij,kbj->ki", pose, figure.keypoints)[list(ANKLES)] for pose in poses])
        ankles[:, :, 1] -= distances[:, None]  # they walk towards -y
        stands = ankles[:-1, :, 2].argmin(axis=1)
        steps = np.arange(len(distances) - 1)
        slips.append(np.abs(ankles[steps + 1, stands, 1] - ankles[steps, stands, 1]))
    assert np.median(slips) < 0.01
    assert np.quantile(slips, 0.9) < 0.03


def test_a_rotated_bone_moves_its_children() -> None:
    heads = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 2]])
    skeleton = Skeleton(heads, parents=(-1, 0, 1))
    rotations = np.tile(np.eye(3), (1, 3, 1, 1))
    rotations[0, 1] = turn(np.array([1.0, 0, 0]), np.pi / 2)
    matrix = skeleton.pose(rotations)[0, 2]
    np.testing.assert_allclose(matrix[:, :3] @ [0, 0, 2] + matrix[:, 3], [0, -1, 1], atol=1e-12)


def test_clips_have_a_matrix_for_every_bone_and_phase(figures: list[Figure]) -> None:
    assert {clip.shape for clip in figures[0].clips.values()} == {(NUM_PHASES, len(BONES), 3, 4)}


def test_attributes_describe_the_outfit() -> None:
    for person in sample_characters(40, seed=4, wardrobe="everyday", lookalikes=0.0):
        outfit = person.outfits[0]
        described = dict(zip(NAMES, attributes(person, outfit), strict=True))
        assert described["female"] == person.female
        assert described["hat"] == (outfit.hat is not None)
        assert described["backpack"] + described["shoulder_bag"] + described["handbag"] == (outfit.bag is not None)


def test_a_damaged_asset_is_named(tmp_path: Path) -> None:
    path = tmp_path / "body.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ConfigError, match=r"body\.npz: expected the exported bodies"):
        load_body_asset(path)
