"""The contract of embedders, for each YAML in configs/embedder; tiny or random networks where it names none."""

from pathlib import Path
from typing import Any

import pytest
from plugins import plugin_factory, plugin_names
from tiny_networks import write_clip_onnx, write_reid_onnx
from video_networks import CROP_HW, NARROW, video_names

from pipeline.contracts.test_embedder import *  # noqa: F403
from pipeline.contracts.test_embedder import Factory


@pytest.fixture(scope="module", params=plugin_names("embedder"))
def factory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Factory:
    overrides: dict[str, Any] = {}
    if request.param == "image_onnx":
        overrides["weights"] = str(write_reid_onnx(_folder(tmp_path_factory) / "tiny.onnx"))
    if request.param == "video_onnx":
        overrides["weights"] = str(write_clip_onnx(_folder(tmp_path_factory) / "tiny.onnx"))
    if request.param in video_names():
        overrides |= {"weights": "random", "network": {"width_mult": NARROW}, "crop_size_hw": CROP_HW}
    return plugin_factory("embedder", request.param, **overrides)


def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")
