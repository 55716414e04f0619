"""Networks of clips as ONNX files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_tracklet
from tiny_networks import write_clip_onnx
from video_networks import embedder_yaml

from pipeline.config.plugins import build
from pipeline.core.errors import ConfigError, DataError, WeightsError

CROP_HW = (64, 32)


def node(path: Path, **changes: Any) -> dict[str, Any]:
    given = embedder_yaml("video_onnx") | {"weights": str(path), "weights_dir": None, "device": "cpu", "threads": 1}
    return given | {"clip_len": 4, "crop_size_hw": list(CROP_HW)} | changes


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_clip_onnx(tmp_path / "tiny.onnx", clip_len=4, hw=CROP_HW)


def test_a_tracklet_is_cut_into_clips_and_averaged(weights: Path) -> None:
    tracklet = make_tracklet(num_crops=8, crop_hw=CROP_HW)
    whole = build(node(weights, clip_scheme="dense"), "embedder")()
    halves = [
        whole.embed([replace(tracklet, **{key: getattr(tracklet, key)[part] for key in CUT})])[0].vector
        for part in (slice(0, 4), slice(4, 8))
    ]
    (embedding,) = whole.embed([tracklet])
    assert embedding.space.startswith("video_onnx@")
    # Vectors of this network are of nearly equal length.
    mean = np.mean(halves, axis=0)
    assert float(embedding.vector @ mean / np.linalg.norm(mean)) > 0.9999


CUT = ("stamps", "boxes_xyxy", "scores", "crops", "qualities")


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"clip_len": 5}, ConfigError, r"expected what .*tiny\.onnx takes, \[1, 4, 3, 64, 32\]"),
        ({"crop_size_hw": [128, 64]}, ConfigError, "crop_size_hw"),
        ({"needs": "keypoints"}, WeightsError, r"expected the inputs \['keypoints', 'pixels'\]"),
    ],
    ids=str,
)
def test_a_network_of_other_clips_is_refused(
    weights: Path, changes: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        build(node(weights, **changes), "embedder")()


@pytest.mark.parametrize("changes", [{"needs": "attributes"}, {"clip_scheme": "x"}, {"max_clips": 0}], ids=str)
def test_invalid_settings_are_refused_before_the_pipeline_starts(weights: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        build(node(weights, **changes), "embedder")


def test_pose_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write_clip_onnx(tmp_path / "tiny.onnx", clip_len=4, hw=CROP_HW, pose="keypoints")
    with pytest.raises(DataError, match="expected keypoints"):
        build(node(path, needs="keypoints"), "embedder")().embed([make_tracklet(crop_hw=CROP_HW)])
