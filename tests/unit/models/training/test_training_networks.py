"""Shapes and sizes of the networks, and what is drawn for them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from worlds import make_world

from models.training.detector.assignment import assign, decode, pairwise_iou
from models.training.detector.network import ExportedYolox, YoloxSmall
from models.training.detector.samples import DetectorSamples
from models.training.distortions import cover, distort_colour, distort_detail
from models.training.keypoints.network import HeatmapSmall
from models.training.keypoints.samples import VISIBLE, KeypointSamples
from models.training.keypoints.task import bumps
from models.training.layers import count_macs, num_parameters
from models.training.reid.network import ExportedReid, OmniSmall
from models.training.reid.pretrained import MobileReid
from models.training.reid.samples import ReidSamples
from models.training.reid.task import batch_hard
from models.training.worlds import World
from pipeline.core.errors import ConfigError


@pytest.mark.parametrize(
    ("make", "size_hw", "shape", "max_parameters", "max_macs"),
    [
        (lambda: ExportedYolox(YoloxSmall()), (320, 416), (2730, 6), 1.0e6, 0.45e9),
        (HeatmapSmall, (192, 96), (17, 48, 24), 1.5e6, 0.18e9),
        (lambda: ExportedReid(OmniSmall()), (128, 64), (256,), 2.0e6, 0.1e9),
        (lambda: ExportedReid(MobileReid()), (128, 64), (256,), 3.0e6, 0.1e9),
    ],
    ids=["detector", "keypoints", "reid", "reid from ImageNet"],
)
def test_networks_stay_small(
    make: Callable[[], nn.Module],
    size_hw: tuple[int, int],
    shape: tuple[int, ...],
    max_parameters: float,
    max_macs: float,
) -> None:
    network = make().eval()
    pixels = torch.zeros(1, 3, *size_hw)
    with torch.no_grad():
        assert network(pixels).shape == (1, *shape)
    assert num_parameters(network) <= max_parameters
    assert count_macs(network, pixels) <= max_macs


@given(st.integers(0, 2**32), st.integers(20, 90), st.integers(16, 90))
def test_a_distorted_picture_is_a_picture_of_the_same_size(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    before = image.copy()
    distorted = cover(distort_detail(distort_colour(image, rng), rng), rng, share=(0.1, 0.5))
    assert distorted.shape == image.shape
    assert distorted.dtype == np.uint8
    np.testing.assert_array_equal(image, before)


def test_colours_stay_if_they_are_not_to_be_distorted() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    distorted = distort_colour(image, np.random.default_rng(1), strength=0.0)
    np.testing.assert_allclose(distorted.astype(int), image, atol=1)


def test_drawing_is_repeatable_and_boxes_lie_in_the_picture(tmp_path: Path) -> None:
    samples = DetectorSamples([World(make_world(tmp_path))], input_hw=(96, 128), max_bytes=10**9)
    for seed in range(60):
        one, other = (samples.draw(np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
        assert one.image.shape == (96, 128, 3)
        assert len(one.kinds) == len(one.boxes_xyxy)
        assert (one.boxes_xyxy >= 0).all()
        assert (one.boxes_xyxy <= [128, 96, 128, 96]).all()
        assert (one.boxes_xyxy[:, :2] < one.boxes_xyxy[:, 2:]).all()


def test_people_who_are_hardly_visible_count_neither_way(tmp_path: Path) -> None:
    path = make_world(tmp_path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"visibility": np.full_like(arrays["visibility"], 0.2)})
    samples = DetectorSamples([World(path)], input_hw=(96, 128), max_bytes=0)
    assert (samples.frame(0).kinds == -1).all()


def test_a_place_is_assigned_to_one_person_at_most_and_each_person_has_one() -> None:
    rows, columns = np.mgrid[:8, :8]
    cells = torch.tensor(np.stack([columns.ravel(), rows.ravel()], 1), dtype=torch.float32)
    strides = torch.full((64, 1), 8.0)
    people = torch.tensor([[[4.0, 4, 28, 60], [20, 4, 44, 60], [0, 0, 0, 0]]])
    boxes = decode(torch.zeros(1, 64, 6), cells, strides)
    answers, owner, iou = assign(
        people, torch.tensor([[True, True, False]]), boxes, torch.full((1, 64), 0.5), cells, strides
    )
    assert set(owner[answers].tolist()) == {0, 1}
    assert ((iou >= 0) & (iou <= 1)).all()


def test_a_picture_without_people_has_no_answers() -> None:
    cells, strides = torch.zeros(4, 2), torch.full((4, 1), 8.0)
    boxes = decode(torch.zeros(1, 4, 6), cells, strides)
    answers, _, _ = assign(
        torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.bool), boxes, torch.full((1, 4), 0.5), cells, strides
    )
    assert not answers.any()


def test_the_overlap_of_a_box_with_itself_is_one() -> None:
    box = torch.tensor([[[2.0, 3, 9, 20]]])
    assert pairwise_iou(box, box).item() == pytest.approx(1)


def test_drawn_keypoints_lie_where_the_picture_says(tmp_path: Path) -> None:
    samples = KeypointSamples([World(make_world(tmp_path))], input_hw=(96, 64), min_visible=0.4, max_bytes=10**9)
    for row in samples.rows:
        posed = samples.plain(row)
        nose = posed.points_xy[0]
        # Heads of these people are of one colour, BGR.
        colour = posed.image[round(float(nose[1])), round(float(nose[0]))].astype(int)
        assert np.abs(colour - (150, 180, 220)).max() < 45
        assert (posed.visible == VISIBLE).sum() >= 15


def test_mirrored_people_keep_their_left_on_the_right_side(tmp_path: Path) -> None:
    samples = KeypointSamples([World(make_world(tmp_path))], input_hw=(96, 64), min_visible=0.4, max_bytes=10**9)
    for seed in range(30):
        posed = samples.draw(np.random.default_rng(seed))
        # These people all look at us: their left shoulder is on the right of the picture, mirrored or not.
        assert posed.points_xy[5, 0] > posed.points_xy[6, 0]


def test_bumps_peak_at_the_keypoints() -> None:
    points = torch.full((1, 17, 2), -5.0)
    points[0, 3] = torch.tensor([20.0, 40.0])
    visible = torch.zeros(1, 17, dtype=torch.int64)
    visible[0, 3] = 2
    maps = bumps(points, visible, (24, 16))
    assert maps.shape == (1, 17, 24, 16)
    assert maps[0, 3, 10, 5] == 1
    assert maps.sum() == maps[0, 3].sum()


def test_the_crops_of_a_person_are_of_different_cameras_first(tmp_path: Path) -> None:
    worlds = [World(make_world(tmp_path, number)) for number in range(2)]
    samples = ReidSamples(worlds, crop_hw=(64, 32), outfits="same", min_visible=0.4, colour=1.0, max_bytes=10**9)
    assert samples.num_identities == 12
    for person, rows in enumerate(samples._rows_of):
        assert (samples.identities[rows] == person).all()
        views = samples._views(rows, 2, np.random.default_rng(0))
        if len(set(samples.cameras[rows])) > 1:
            assert len(set(samples.cameras[views])) == 2


def test_outfits_can_be_people_of_their_own(tmp_path: Path) -> None:
    path = make_world(tmp_path)
    with np.load(path) as file:
        arrays = dict(file)
    outfits = np.arange(len(arrays["box_outfit"]), dtype=np.int16) % 2
    np.savez(path, **arrays | {"box_outfit": outfits})
    same, apart = (
        ReidSamples(
            [World(path)], crop_hw=(64, 32), outfits=how, min_visible=0.4, colour=1.0, max_bytes=0
        ).num_identities
        for how in ("same", "apart")
    )
    assert apart > same


def test_an_unknown_way_with_outfits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="outfits: expected same or apart"):
        ReidSamples([], crop_hw=(64, 32), outfits="both", min_visible=0.4, colour=1.0, max_bytes=0)


def test_the_triplet_loss_prefers_people_apart() -> None:
    identities = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[0.0, 0], [0.1, 0], [5, 0], [5.1, 0]])
    mixed = torch.tensor([[0.0, 0], [5, 0], [0.1, 0], [5.1, 0]])
    assert batch_hard(apart, identities) < 0.02
    assert batch_hard(mixed, identities) > 4
