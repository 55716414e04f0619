"""Video networks in the pipeline: weights, clips, pose and settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from factories import make_tracklet
from safetensors.torch import load_file, save_file
from video_networks import CROP_HW, embedder_yaml, make_network, save_network

from models.reid.networks.clip_network import Clips
from models.reid.networks.lstrl import Lstrl
from pipeline.config.plugins import build
from pipeline.core.errors import ConfigError, WeightsError


def node(**changes: Any) -> dict[str, Any]:
    """A narrow LSTRL as configuration."""
    given = embedder_yaml("lstrl")
    given["network"] |= {"width_mult": 1 / 8}
    given |= {"crop_size_hw": list(CROP_HW), "clip_len": 4, "weights": "random", "weights_dir": None}
    return given | {"device": "cpu", "threads": 1} | changes


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "narrow.safetensors"
    save_network(path, make_network(Lstrl, seed=7))
    return path


def test_what_was_saved_is_what_is_served(weights: Path) -> None:
    tracklet = make_tracklet(num_crops=4, crop_hw=CROP_HW)
    embedder = build(node(weights=str(weights)), "embedder")()
    pixels = torch.from_numpy(tracklet.crops.copy()).permute(0, 3, 1, 2)[None].float() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = make_network(Lstrl, seed=7)(Clips((pixels - mean) / std)).vector[0].numpy()
    (embedding,) = embedder.embed([tracklet])
    np.testing.assert_allclose(embedding.vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_the_space_names_the_weights_or_that_there_are_none(weights: Path) -> None:
    assert build(node(weights=str(weights)), "embedder")().space.startswith("lstrl@")
    assert build(node(), "embedder")().space == "lstrl@random"


def test_random_weights_are_the_same_everywhere_and_leave_other_chance_alone() -> None:
    state = torch.random.get_rng_state()
    tracklet = make_tracklet(num_crops=4, crop_hw=CROP_HW)
    vectors = [build(node(), "embedder")().embed([tracklet])[0].vector for _ in range(2)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_long_tracklet_is_cut_into_as_many_clips_as_asked_for() -> None:
    tracklet = make_tracklet(num_crops=40, crop_hw=CROP_HW)
    vectors = [
        build(node(clip_scheme="dense", max_clips=max_clips), "embedder")().embed([tracklet])[0].vector
        for max_clips in (1, 2, 10, 50)
    ]
    assert not np.array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[2], vectors[3])


def test_a_damaged_checkpoint_is_refused_before_the_pipeline_starts(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"narrow\.safetensors: expected a readable safetensors file"):
        build(node(weights=str(weights)), "embedder")


def test_a_foreign_checkpoint_is_refused_with_the_names_of_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"head.weight": torch.ones(3)}, path)
    with pytest.raises(WeightsError, match=r"foreign\.safetensors: .*missing.*1 foreign \['head.weight'\]"):
        build(node(weights=str(path)), "embedder")


def test_a_checkpoint_of_another_width_is_refused(weights: Path) -> None:
    wider = node(weights=str(weights))
    wider["network"]["width_mult"] = 1 / 4
    with pytest.raises(WeightsError, match="of another shape"):
        build(wider, "embedder")


def test_a_checkpoint_with_a_tensor_that_is_missing_is_refused(weights: Path) -> None:
    tensors = load_file(weights)
    del tensors["mae.layer2.omega1.bias"]
    save_file(tensors, weights)
    with pytest.raises(WeightsError, match=r"1 tensors missing \['mae.layer2.omega1.bias'\]"):
        build(node(weights=str(weights)), "embedder")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"clip_scheme": "all"}, "clip_scheme"),
        ({"max_clips": 0}, "max_clips"),
        ({"clip_len": 0}, "clip_len"),
        ({"precision": "float8"}, "precision"),
        ({"device": "tpu"}, "device"),
        ({"needs": "keypoints"}, "needs: expected nothing, as Lstrl does"),
        ({"crop_size_hw": [64]}, "crop_size_hw"),
        ({"std": [0, 1, 1]}, "std"),
        ({"network": {"_target_": "models.reid.networks.lstrl.Lstrl", "wide": 2}}, "embedder.network: .*wide"),
        ({"network": {"_target_": "os.system"}}, "embedder.network._target_"),
        (
            {"network": {"_target_": "models.reid.networks.lstrl.Lstrl", "width_mult": "big"}},
            "embedder.network.width_mult",
        ),
    ],
    ids=str,
)
def test_invalid_settings_are_refused_before_the_pipeline_starts(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build(node(**changes), "embedder")
