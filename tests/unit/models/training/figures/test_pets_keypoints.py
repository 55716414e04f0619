"""Skeletons of real people: what is drawn, and that no real picture gets into the project."""

from pathlib import Path

import numpy as np
import pytest

from models.training.figures.card_figures import CardOptions
from models.training.figures.pets_keypoints import PetsOptions, choose, compare, main, to_true_crops
from models.training.scoring.pets import HalfCrops
from models.weights.store import SHIPPED
from pipeline.core.errors import ConfigError


@pytest.fixture
def people() -> HalfCrops:
    boxes = np.array([[10, 20, 50, 120], [400, 20, 430, 95], [402, 20, 432, 95]], np.float32)
    return HalfCrops(np.zeros((3, 128, 64, 3), np.uint8), boxes, np.array([1, 1, 1]), np.array([0, 1, 1]), (576, 768))


def test_crops_get_back_the_shape_they_have_in_the_frame(people: HalfCrops) -> None:
    assert [crop.image.shape for crop in to_true_crops(people)] == [(100, 40, 3), (75, 30, 3), (75, 30, 3)]


def test_a_person_is_shown_once_in_each_half(people: HalfCrops) -> None:
    assert len({int(people.halves[row]) for row in choose(people, count=9, seed=0)}) == 2


def test_distances_are_in_heights_and_of_sure_keypoints_alone(people: HalfCrops) -> None:
    found = np.full((3, 17, 3), 0.5, np.float32)
    other = found.copy()
    other[..., 0] += 0.5
    other[1:, :, 2] = 0.0
    median, near, count = compare(found, other, to_true_crops(people))
    # Half of a width of 40 px is a fifth of a height of 100 px.
    assert (median, near, count) == (pytest.approx(0.2), 0.0, 17)


@pytest.mark.parametrize("folder", [[], [f"out={SHIPPED.parents[1] / 'docs'}"]], ids=["the cards", "elsewhere"])
def test_real_pictures_are_not_drawn_into_the_project(folder: list[str]) -> None:
    with pytest.raises(ConfigError, match="out: expected a folder outside the project"):
        main(["ground=crops", *folder])


def test_pictures_and_exported_networks_go_to_the_folder_of_the_cards() -> None:
    assert (Path(PetsOptions().out) / "passerby_keypoints.md").is_file()
    assert (Path(CardOptions().out) / "passerby_keypoints.md").is_file()


def test_an_unknown_ground_is_refused() -> None:
    with pytest.raises(ConfigError, match="ground: expected plain or crops"):
        main(["ground=snow"])


@pytest.mark.shared
@pytest.mark.slow
def test_what_is_shipped_has_skeletons_on_plain_ground(shared: Path, tmp_path: Path) -> None:
    main(["pose=passerby", f"out={tmp_path}"])
    assert (tmp_path / "passerby_keypoints_pets.jpg").stat().st_size < 150_000
