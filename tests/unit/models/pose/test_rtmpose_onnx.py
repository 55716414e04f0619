"""RTMPose's answers to keypoints and heat-maps, with a network that points at the brightest spot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_path, make_tracklet
from tiny_networks import write_reid_onnx, write_rtmpose_onnx

from models.pose.rtmpose_onnx import RtmposeOnnxEstimator
from pipeline.core.errors import ConfigError, WeightsError

CROP_HW = (256, 128)


def _arguments(path: Path, **changes: Any) -> dict[str, Any]:
    return {
        "weights": str(path),
        "weights_dir": None,
        "sha256": None,
        "input_hw": (256, 192),
        "mean": [0, 0, 0],
        "std": [255, 255, 255],
        "margin": 1.25,
        "heatmap_hw": (64, 32),
        "device": "cpu",
        "threads": 1,
    } | changes


def _spots(*centres_yx: tuple[int, int]):
    crops = np.zeros((len(centres_yx), *CROP_HW, 3), np.uint8)
    for crop, (y, x) in zip(crops, centres_yx, strict=True):
        crop[y - 2 : y + 3, x - 2 : x + 3] = 204
    path = make_path(box=(10, 10, 50, 90))
    return replace(make_tracklet(path=path, num_crops=len(crops), crop_hw=CROP_HW), crops=crops)


@pytest.mark.parametrize("batch", ["N", 1], ids=["any batch", "batch of one"])
@pytest.mark.parametrize("margin", [1.0, 1.25])
def test_keypoints_lie_where_the_network_points(tmp_path: Path, batch: str | int, margin: float) -> None:
    path = write_rtmpose_onnx(tmp_path / "tiny.onnx", batch=batch)
    estimator = RtmposeOnnxEstimator(**_arguments(path, margin=margin))
    (tracklet,) = estimator.estimate([_spots((60, 30), (200, 100))])
    # Within the spot, 5 of 128 pixels wide.
    assert tracklet.keypoints[:, 0, 0] == pytest.approx([30 / 128, 100 / 128], abs=0.025)
    assert tracklet.keypoints[:, 0, 1] == pytest.approx([60 / 256, 200 / 256], abs=0.025)
    assert tracklet.keypoints[..., 2] == pytest.approx(0.8, abs=0.01)


def test_heatmaps_peak_in_the_cells_of_the_keypoints(tmp_path: Path) -> None:
    estimator = RtmposeOnnxEstimator(**_arguments(write_rtmpose_onnx(tmp_path / "tiny.onnx")))
    (tracklet,) = estimator.estimate([_spots((60, 30), (200, 100))])
    assert tracklet.heatmaps.shape == (2, 17, 64, 32)
    for heatmap, (row, column) in zip(tracklet.heatmaps[:, 3], [(15, 7), (50, 25)], strict=True):
        bright = np.argwhere(heatmap > 0.9 * heatmap.max())
        assert np.abs(bright.mean(axis=0) - (row, column)).max() <= 1
        assert len(bright) <= 9
    assert tracklet.heatmaps.max() == pytest.approx(0.64, abs=0.02)


@pytest.mark.parametrize(
    ("network", "changes", "error", "names"),
    [
        ({"hw": (192, 192)}, {}, ConfigError, "input_hw"),
        ({"num_keypoints": 26}, {}, WeightsError, "17 keypoints"),
        ({"batch": 4}, {}, WeightsError, "crops a call"),
    ],
    ids=["size", "keypoints", "batch"],
)
def test_a_network_that_does_not_fit_is_refused(
    tmp_path: Path, network: dict[str, Any], changes: dict[str, Any], error: type[Exception], names: str
) -> None:
    path = write_rtmpose_onnx(tmp_path / "tiny.onnx", **network)
    with pytest.raises(error, match=names):
        RtmposeOnnxEstimator(**_arguments(path, **changes))


def test_another_kind_of_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="simcc_x"):
        RtmposeOnnxEstimator(**_arguments(write_reid_onnx(tmp_path / "reid.onnx")))
