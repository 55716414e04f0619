"""The two places that open networks: models/backends/onnx_runtime.py and models/backends/openvino.py."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.backends import onnx_runtime as _onnx
from models.backends import openvino as _openvino
from pipeline.core.errors import ConfigError, WeightsError

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("module", ["models.backends.onnx_runtime", "models.backends.openvino"])
def test_importing_leaves_no_trace_of_telemetry(module: str, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment, cwd=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("module", [_onnx, _openvino])
def test_a_device_that_nobody_knows_is_refused(module: object) -> None:
    with pytest.raises(ConfigError, match="device: expected"):
        module.check_device("tpu")


def test_cuda_without_its_provider_is_refused_instead_of_run_elsewhere() -> None:
    if "CUDAExecutionProvider" in _onnx.onnxruntime.get_available_providers():
        pytest.skip("has the provider")
    with pytest.raises(ConfigError, match="onnxruntime-gpu"):
        _onnx.check_device("cuda")


def test_cuda_is_no_device_of_openvino() -> None:
    with pytest.raises(ConfigError, match="cuda"):
        _openvino.check_device("cuda")


def test_a_file_that_is_no_onnx_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x00\x01")
    with pytest.raises(WeightsError, match=r"net\.onnx"):
        _onnx.open_session(tmp_path / "net.onnx", device="cpu", threads=1)


def test_a_file_that_is_no_openvino_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.xml").write_text("<net/>")
    with pytest.raises(WeightsError, match=r"net\.xml"):
        _openvino.compile_model(tmp_path / "net.xml", device="cpu", threads=1)


@pytest.mark.shared
def test_openvino_computes_in_single_precision_with_the_threads_it_is_given(shared: Path) -> None:
    path = shared / "models" / "person-detection-retail-0013.xml"
    network = _openvino.compile_model(path, device="cpu", threads=1)
    assert network.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert network.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.shared
def test_colours_are_swapped_inside_the_network(shared: Path) -> None:
    path = shared / "models" / "person-detection-retail-0013.xml"
    image = np.random.default_rng(0).integers(0, 256, (320, 544, 3), np.uint8)
    planes = np.ascontiguousarray(image[None, ..., ::-1].transpose(0, 3, 1, 2), np.float32)
    outside = _openvino.compile_model(path, device="cpu", threads=1)([planes])[0]
    inside = _openvino.compile_bgr_model(path, device="cpu", threads=1)([image[None]])[0]
    # OpenVINO folds the swap into the first convolution, which then adds in another order.
    np.testing.assert_allclose(inside, outside, atol=1e-5)


@pytest.mark.shared
def test_the_batch_can_be_left_open(shared: Path) -> None:
    path = shared / "models" / "person-reidentification-retail-0288.xml"
    network = _openvino.compile_model(path, device="cpu", threads=1, batch=-1)
    assert network([np.zeros((3, 3, 256, 128), np.float32)])[0].shape[0] == 3
