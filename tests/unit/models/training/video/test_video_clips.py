"""Training clips: where they come from and what is done to them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from video_datasets import write_mars
from worlds import make_world

from models.training.video.augment import augment, crop_padded, crop_scaled, erase, mirror
from models.training.video.datasets.mars import load_mars
from models.training.video.posed import draw_heatmaps
from models.training.video.recipe import FOLDER, load_recipe
from models.training.video.sources import FileTracklets, PosedClips, WorldTracklets
from models.training.worlds import World
from pipeline.core import PoseNeed, Tracklet
from pipeline.core.errors import ConfigError, DataError

CROP_HW = (64, 32)
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(make_world(tmp_path_factory.mktemp("rendered"), num_people=5, frames_per_camera=7))


@pytest.fixture
def source(world: World) -> WorldTracklets:
    return WorldTracklets([world], crop_hw=CROP_HW, min_visible=0.4, max_bytes=10**8)


def draw_clip(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A clip with a white spot at the first keypoint of every frame."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0.35, 0.65, (3, 17, 3)).astype(np.float32)
    images = np.zeros((3, *CROP_HW, 3), np.uint8)
    for image, (x, y, _) in zip(images, keypoints[:, 0], strict=True):
        image[int(y * 64), int(x * 32)] = 255
        keypoints[:, 0] = keypoints[0, 0]
    images[:] = images[0]
    return images, keypoints


def spot_of(image: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(image[..., 0] >= 0.5 * image[..., 0].max())
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def test_a_tracklet_of_a_world_is_one_person_in_one_camera(world: World, source: WorldTracklets) -> None:
    read = world.read("frame_camera", "box_frame", "box_person", "crop_box")
    box = read["crop_box"]
    pairs = set(zip(read["box_person"][box], read["frame_camera"][read["box_frame"][box]], strict=True))
    assert len(source.people) == len(source.cameras) == len(source.lengths) == len(pairs)
    assert source.lengths.sum() == len(box)
    assert set(source.people) == set(range(len({person for person, _ in pairs})))


def test_clips_of_a_world_are_rgb_with_keypoints_of_the_crop(source: WorldTracklets) -> None:
    images, keypoints = source.clip(0, np.array([0, 0]))
    assert images.shape == (2, *CROP_HW, 3)
    assert images.dtype == np.uint8
    # The head of these people is (220, 180, 150) in RGB.
    x, y = (keypoints[0, 0, :2] * (32, 64)).astype(int)
    np.testing.assert_allclose(images[0, y, x].astype(int), [220, 180, 150], atol=40)
    assert (keypoints[..., 2] == 1).all()


def test_a_world_in_which_no_person_is_seen_well_is_reported(world: World) -> None:
    with pytest.raises(ConfigError, match="visibility"):
        WorldTracklets([world], crop_hw=CROP_HW, min_visible=1.1, max_bytes=0)


def test_clips_of_a_data_set_are_read_from_its_pictures(tmp_path: Path) -> None:
    train = load_mars(write_mars(tmp_path), protocol="usual").train
    source = FileTracklets(train, crop_hw=(32, 16))
    images, keypoints = source.clip(3, np.array([2, 0]))
    assert images.shape == (2, 32, 16, 3)
    assert not keypoints.any()
    assert source.lengths.tolist() == [len(tracklet.paths) for tracklet in train]


def test_a_picture_that_is_damaged_is_named(tmp_path: Path) -> None:
    train = load_mars(write_mars(tmp_path), protocol="usual").train
    train[0].paths[1].write_bytes(train[0].paths[1].read_bytes()[:40])
    with pytest.raises(DataError, match=r"0001C1T0000F002\.jpg: expected a picture"):
        FileTracklets(train, crop_hw=(32, 16)).clip(0, np.array([0, 1]))


def test_a_damaged_picture_is_skipped_and_named_if_that_is_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = load_mars(write_mars(tmp_path), protocol="usual").train
    train[0].paths[1].write_bytes(b"")
    source = FileTracklets(train, crop_hw=(32, 16), skip_damaged=True)
    images, _ = source.clip(0, np.array([1, 2]))
    np.testing.assert_array_equal(images[0], images[1])
    assert "0001C1T0000F002.jpg: no picture" in caplog.text
    for path in train[0].paths:
        path.unlink()
    with pytest.raises(DataError, match=r"0001C1T0000F002\.jpg: expected a picture"):
        source.clip(0, np.array([1]))


class Waver:
    """A pose estimator that places each person in the middle."""

    gives = PoseNeed.KEYPOINTS

    def estimate(self, tracklets: list[Tracklet]) -> list[Tracklet]:
        return [replace(one, keypoints=np.full((len(one), 17, 3), 0.5, np.float32)) for one in tracklets]


def test_keypoints_are_those_that_an_estimator_finds_where_one_is_set(tmp_path: Path) -> None:
    train = load_mars(write_mars(tmp_path), protocol="usual").train
    source = PosedClips(FileTracklets(train, crop_hw=(32, 16)), Waver)
    images, keypoints = source.clip(0, np.array([1, 0, 1]))
    assert images.shape == (3, 32, 16, 3)
    assert keypoints.shape == (3, 17, 3)
    assert (keypoints == 0.5).all()


def test_an_estimator_is_believed_more_than_the_truth_of_a_world(source: WorldTracklets) -> None:
    _, keypoints = PosedClips(source, Waver).clip(0, np.array([0]))
    assert (keypoints == 0.5).all()


def test_colours_change_alike_in_all_frames_of_a_clip() -> None:
    images, keypoints = draw_clip()
    images = np.repeat(images[:1], len(images), axis=0)
    rng = np.random.default_rng(3)
    found, _ = augment(images, keypoints, rng, flip=False, crop="none", erasing=False, colour=1.0)
    assert not np.array_equal(found[0], images[0])
    np.testing.assert_array_equal(found, np.repeat(found[:1], len(found), axis=0))


def test_a_mirror_swaps_left_and_right_and_twice_is_nothing() -> None:
    images, keypoints = draw_clip()
    mirrored = mirror(images, keypoints)
    np.testing.assert_allclose(spot_of(mirrored[0][0]), mirrored[1][0, 0, :2] * (32, 64), atol=1.01)
    np.testing.assert_allclose(mirrored[1][:, 5, 0], 1 - keypoints[:, 6, 0], atol=1e-6)
    for found, expected in zip(mirror(*mirrored), (images, keypoints), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@given(st.integers(0, 500))
def test_what_is_cropped_keeps_its_keypoints_where_they_are(seed: int) -> None:
    for crop in (crop_padded, crop_scaled):
        images, keypoints = crop(*draw_clip(seed), np.random.default_rng(seed))
        assert images.shape == (3, *CROP_HW, 3)
        np.testing.assert_array_equal(images[0], images[2])
        if images.any():
            np.testing.assert_allclose(spot_of(images[0]), keypoints[0, 0, :2] * (32, 64), atol=1.7)


def test_half_of_the_frames_lose_a_rectangle_to_the_mean_colour() -> None:
    image = np.zeros((*CROP_HW, 3), np.uint8)
    erased = [erase(image, np.random.default_rng(seed)) for seed in range(400)]
    areas = np.array([(picture == (124, 116, 104)).all(-1).mean() for picture in erased])
    assert 0.4 < (areas > 0).mean() < 0.6
    assert areas[areas > 0].min() > 0.015
    assert areas.max() < 0.41
    assert not image.any()


def test_without_any_augmentation_a_clip_stays_as_it_is() -> None:
    images, keypoints = draw_clip()
    found = augment(images, keypoints, np.random.default_rng(0), flip=False, crop="none", erasing=False)
    assert found[0] is images
    assert found[1] is keypoints
    with pytest.raises(ConfigError, match="crop: expected none, pad or scale"):
        augment(images, keypoints, np.random.default_rng(0), flip=False, crop="centre", erasing=False)


def test_heat_maps_have_their_peak_at_the_keypoint_as_high_as_its_score() -> None:
    keypoints = torch.zeros(1, 2, 17, 3)
    keypoints[0, 1, 4] = torch.tensor([(3 + 0.5) / 8, (10 + 0.5) / 16, 0.7])
    heatmaps = draw_heatmaps(keypoints, (16, 8))
    assert heatmaps.shape == (1, 2, 17, 16, 8)
    assert heatmaps[0, 1, 4].argmax() == 10 * 8 + 3
    assert heatmaps[0, 1, 4].max() == pytest.approx(0.7)
    assert not heatmaps[0, 0].any()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_read(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.num_people * recipe.num_each == (24 if name == "rendered" else 32)
    assert 0 < recipe.rate(recipe.epochs - 1) < recipe.rate(recipe.warm_up_epochs) == recipe.learning_rate


def test_the_rate_grows_while_warming_up_and_falls_at_its_milestones() -> None:
    recipe = load_recipe("rapa")
    rates = [recipe.rate(epoch) / recipe.learning_rate for epoch in (0, 5, 10, 99, 100, 200, 399)]
    assert rates == pytest.approx([0.01, 0.505, 1, 1, 0.1, 0.01, 0.001])


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("nothing", {}, "recipe: expected one of asanet"),
        ("ctl", {"hue": 1}, "hue"),
        ("ctl", {"optimiser": "sgd"}, "optimiser"),
        ("ctl", {"triplet": "x"}, "triplet"),
    ],
)
def test_a_mistake_in_a_recipe_is_named(name: str, changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_recipe(name, **changes)
