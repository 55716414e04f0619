"""Heat-maps of a network to keypoints, with a network that points at the brightest spot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_path, make_tracklet
from tiny_networks import write_heatmap_onnx, write_reid_onnx

from models.pose.heatmap_onnx import HeatmapOnnxEstimator
from pipeline.core.errors import ConfigError, WeightsError

CROP_HW = (256, 128)


def _arguments(path: Path, **changes: Any) -> dict[str, Any]:
    return {
        "weights": str(path),
        "weights_dir": None,
        "sha256": None,
        "input_hw": (192, 96),
        "colour_order": "bgr",
        "mean": [0, 0, 0],
        "std": [255, 255, 255],
        "margin": 1.05,
        "heatmap_hw": (64, 32),
        "device": "cpu",
        "threads": 1,
    } | changes


def _spots(*centres_yx: tuple[int, int]):
    crops = np.zeros((len(centres_yx), *CROP_HW, 3), np.uint8)
    rows, columns = np.mgrid[: CROP_HW[0], : CROP_HW[1]]
    for crop, (y, x) in zip(crops, centres_yx, strict=True):
        crop[:] = 204 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 12**2))[..., None]
    path = make_path(box=(10, 10, 50, 90))
    return replace(make_tracklet(path=path, num_crops=len(crops), crop_hw=CROP_HW), crops=crops)


@pytest.mark.parametrize("batch", ["N", 1], ids=["any batch", "batch of one"])
@pytest.mark.parametrize("margin", [1.0, 1.25])
def test_keypoints_lie_where_the_maps_are_highest(tmp_path: Path, batch: str | int, margin: float) -> None:
    path = write_heatmap_onnx(tmp_path / "tiny.onnx", batch=batch)
    (tracklet,) = HeatmapOnnxEstimator(**_arguments(path, margin=margin)).estimate([_spots((60, 30), (200, 100))])
    assert tracklet.keypoints[:, 0, 0] == pytest.approx([30 / 128, 100 / 128], abs=0.03)
    assert tracklet.keypoints[:, 0, 1] == pytest.approx([60 / 256, 200 / 256], abs=0.025)
    assert tracklet.keypoints[..., 2] == pytest.approx(0.77, abs=0.04)


def test_heatmaps_lie_over_the_crop(tmp_path: Path) -> None:
    estimator = HeatmapOnnxEstimator(**_arguments(write_heatmap_onnx(tmp_path / "tiny.onnx")))
    (tracklet,) = estimator.estimate([_spots((60, 30), (200, 100))])
    assert tracklet.heatmaps.shape == (2, 17, 64, 32)
    for heatmap, (row, column) in zip(tracklet.heatmaps[:, 3], [(15, 7.5), (50, 25)], strict=True):
        bright = np.argwhere(heatmap > 0.7 * heatmap.max())
        assert np.abs(bright.mean(axis=0) + 0.5 - (row, column)).max() <= 1


@pytest.mark.parametrize(
    ("network", "changes", "error", "names"),
    [
        ({"hw": (192, 192)}, {}, ConfigError, "input_hw"),
        ({"num_keypoints": 26}, {}, WeightsError, "17 keypoints"),
        ({"batch": 4}, {}, WeightsError, "crops a call"),
        ({}, {"colour_order": "hsv"}, ConfigError, "colour_order"),
    ],
    ids=["size", "keypoints", "batch", "colours"],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, network: dict[str, Any], changes: dict[str, Any], error: type[Exception], names: str
) -> None:
    path = write_heatmap_onnx(tmp_path / "tiny.onnx", **network)
    with pytest.raises(error, match=names):
        HeatmapOnnxEstimator(**_arguments(path, **changes))


def test_a_network_without_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="N, 17"):
        HeatmapOnnxEstimator(**_arguments(write_reid_onnx(tmp_path / "reid.onnx")))
