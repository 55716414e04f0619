"""Networks of single images as ONNX files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_tracklet
from tiny_networks import write_reid_onnx

from models.reid.image_onnx import ImageOnnxEmbedder
from pipeline.core.errors import ConfigError, WeightsError

CROP_HW = (64, 32)


def _arguments(path: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "weights": str(path),
        "weights_dir": None,
        "sha256": None,
        "clip_len": 4,
        "crop_size_hw": CROP_HW,
        "colour_order": "rgb",
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "quality_exponent": 1.0,
        "flip": False,
        "device": "cpu",
        "threads": 1,
    } | changes


def test_the_space_names_the_weights(tmp_path: Path) -> None:
    spaces = [
        ImageOnnxEmbedder(**_arguments(write_reid_onnx(tmp_path / f"{seed}.onnx", hw=CROP_HW, seed=seed))).space
        for seed in (0, 1)
    ]
    assert spaces[0] != spaces[1]
    assert all(space.startswith("tiny@") and len(space) == 11 for space in spaces)


def test_a_network_of_batch_one_gives_the_same_as_one_of_any_batch(tmp_path: Path) -> None:
    tracklet = make_tracklet(num_crops=4, crop_hw=CROP_HW)
    vectors = [
        ImageOnnxEmbedder(**_arguments(write_reid_onnx(tmp_path / f"{batch}.onnx", hw=CROP_HW, batch=batch)))
        .embed([tracklet])[0]
        .vector
        for batch in ("N", 1)
    ]
    # Kernels for one picture and for four may add in another order.
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_the_colour_order_matters(tmp_path: Path) -> None:
    path = write_reid_onnx(tmp_path / "tiny.onnx", hw=CROP_HW)
    tracklet = make_tracklet(num_crops=2, crop_hw=CROP_HW)
    vectors = [
        ImageOnnxEmbedder(**_arguments(path, colour_order=order)).embed([tracklet])[0].vector
        for order in ("rgb", "bgr")
    ]
    assert not np.allclose(vectors[0], vectors[1])


@pytest.mark.parametrize(
    ("network", "error", "names"),
    [
        ({"hw": (32, 32)}, ConfigError, "crop_size_hw"),
        ({"batch": 4}, WeightsError, "crops a call"),
        ({"num_outputs": 2}, WeightsError, "one output"),
    ],
    ids=["size", "batch", "outputs"],
)
def test_a_network_that_does_not_fit_is_refused(
    tmp_path: Path, network: dict[str, Any], error: type[Exception], names: str
) -> None:
    path = write_reid_onnx(tmp_path / "tiny.onnx", **{"hw": CROP_HW} | network)
    with pytest.raises(error, match=names):
        ImageOnnxEmbedder(**_arguments(path))


def test_weights_that_are_absent_are_found_out_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx"):
        ImageOnnxEmbedder.preflight(**_arguments(tmp_path / "none.onnx"))


def test_altered_weights_are_found_out_before_the_start(tmp_path: Path) -> None:
    path = write_reid_onnx(tmp_path / "tiny.onnx", hw=CROP_HW)
    with pytest.raises(WeightsError, match="sha256"):
        ImageOnnxEmbedder.preflight(**_arguments(path, sha256="0" * 64))


def test_a_device_that_is_not_there_is_found_out_before_the_start(tmp_path: Path) -> None:
    path = write_reid_onnx(tmp_path / "tiny.onnx", hw=CROP_HW)
    with pytest.raises(ConfigError, match="device"):
        ImageOnnxEmbedder.preflight(**_arguments(path, device="tpu"))
