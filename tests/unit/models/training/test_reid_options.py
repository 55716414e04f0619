"""What the options of the re-ID task change: backgrounds behind people, and what the triplet loss measures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from worlds import make_world

from models.training.distortions import swap_background
from models.training.reid.samples import ReidSamples
from models.training.reid.task import ReidTask, batch_hard
from models.training.worlds import World
from pipeline.core.errors import ConfigError, DataError

CROP_HW = (64, 32)


def samples(world: Path, **changed: float) -> ReidSamples:
    known = {"crop_hw": CROP_HW, "outfits": "same", "min_visible": 0.0, "colour": 0.0, "max_bytes": 10**7}
    return ReidSamples([World(world)], **{"background": 0.0, **known, **changed})  # type: ignore[arg-type]


def blank_frames(path: Path, colour: tuple[int, int, int]) -> Path:
    """Make each frame of a world one colour; its crops stay."""
    with np.load(path) as archive:
        arrays = dict(archive)
    one = cv2.imencode(".jpg", np.full((96, 128, 3), colour, np.uint8))[1].ravel()
    count = len(arrays["frame_camera"])
    arrays["frame_jpeg"] = np.tile(one, count)
    arrays["frame_offset"] = np.arange(count + 1, dtype=np.int64) * len(one)
    np.savez(path, **arrays)
    return path


def test_the_person_stays_and_all_around_is_another_picture() -> None:
    image, other = np.full((40, 20, 3), 200, np.uint8), np.full((40, 20, 3), 10, np.uint8)
    mask = np.zeros((40, 20), np.uint8)
    mask[10:30, 5:15] = 255
    swapped = swap_background(image, mask, other)
    assert swapped.dtype == np.uint8
    assert (swapped[12:28, 7:13] == 200).all()
    assert (swapped[:8] == 10).all()
    assert 10 < swapped[10, 10, 0] < 200  # the edge is a mixture


def test_a_share_of_crops_has_a_part_of_a_frame_behind_the_person(tmp_path: Path) -> None:
    world = blank_frames(make_world(tmp_path, frames_per_camera=8), (0, 0, 255))

    def share_of_red(background: float) -> float:
        rng = np.random.default_rng(0)
        crops, _ = samples(world, background=background).draw(rng, num_people=6, crops_each=12)
        # What is cut off the edges and covered differs; the corners of most crops show what is behind the person.
        red = (crops[..., 2] > 180) & (crops[..., :2].max(axis=-1) < 80)
        return float((red.mean(axis=(1, 2)) > 0.04).mean())

    assert share_of_red(0.0) < 0.15
    assert share_of_red(0.5) == pytest.approx(0.5, abs=0.2)
    assert share_of_red(1.0) > 0.75


def test_without_backgrounds_no_masks_are_needed_and_with_them_the_world_is_named(tmp_path: Path) -> None:
    older = make_world(tmp_path, leave_out=("mask_png", "mask_offset"))
    assert samples(older).num_identities > 0
    with pytest.raises(DataError, match=r"0000\.npz: expected arrays mask_png.*render this world again"):
        samples(older, background=0.5)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_of_backgrounds_is_one(share: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"background: expected a share in \[0, 1\]"):
        samples(make_world(tmp_path), background=share)


def test_by_cosine_the_length_of_a_vector_counts_for_nothing() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]])
    people = torch.tensor([0, 0, 1, 1])
    longer = vectors * torch.tensor([[1.0], [9.0], [2.0], [5.0]])
    torch.testing.assert_close(
        batch_hard(longer, people, metric="cosine"), batch_hard(vectors, people, metric="cosine")
    )
    assert not torch.isclose(batch_hard(longer, people), batch_hard(vectors, people))
    # Farthest of the same and nearest of the others: 0.2 and 0.4 for the outer two, 0.2 and 0.04 for the inner.
    expected = (np.log1p(np.exp(0.2 - 0.4)) + np.log1p(np.exp(0.2 - 0.04))) / 2
    assert float(batch_hard(vectors, people, metric="cosine")) == pytest.approx(expected, abs=1e-5)


def test_duplicates_have_a_finite_slope_by_either_metric() -> None:
    for metric in ("euclidean", "cosine"):
        vectors = torch.ones(4, 3, requires_grad=True)
        batch_hard(vectors, torch.tensor([0, 0, 1, 1]), metric=metric).backward()
        assert vectors.grad is not None
        assert bool(vectors.grad.isfinite().all())


def test_an_unknown_triplet_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="triplet: expected euclidean or cosine, got 'manhattan'"):
        ReidTask([], [], seed=0, device=torch.device("cpu"), max_bytes=0, triplet="manhattan")
