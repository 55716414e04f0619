"""The contract of pose estimators, for each YAML in configs/pose; tiny networks where it names none."""

import pytest
from plugins import plugin_factory, plugin_names
from tiny_networks import write_heatmap_onnx, write_rtmpose_onnx

from pipeline.contracts.test_pose import *  # noqa: F403
from pipeline.contracts.test_pose import Factory


@pytest.fixture(scope="module", params=plugin_names("pose"))
def factory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Factory:
    overrides = {}
    writers = {"rtmpose_onnx": write_rtmpose_onnx, "passerby": write_heatmap_onnx}
    if request.param in writers:
        path = tmp_path_factory.mktemp("weights") / "tiny.onnx"
        overrides["weights"] = str(writers[request.param](path))
    return plugin_factory("pose", request.param, **overrides)
