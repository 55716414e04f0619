"""The two places that open networks: models/backends/onnx_runtime.py and models/backends/openvino.py."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import write_reid_onnx

from models.backends import onnx_runtime, openvino
from models.backends.network import Port, run_crops
from pipeline.core.errors import ConfigError, WeightsError

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("module", ["models.backends.onnx_runtime", "models.backends.openvino"])
def test_importing_leaves_no_trace_of_telemetry(module: str, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment, cwd=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("module", [onnx_runtime, openvino])
def test_an_unknown_device_is_refused(module: object) -> None:
    with pytest.raises(ConfigError, match="device: expected"):
        module.check_device("tpu")


def test_cuda_without_its_provider_is_refused_instead_of_run_elsewhere() -> None:
    if "CUDAExecutionProvider" in onnx_runtime.onnxruntime.get_available_providers():
        pytest.skip("has the provider")
    with pytest.raises(ConfigError, match="doctor --install gpu"):
        onnx_runtime.check_device("cuda")


def test_cuda_is_no_device_of_openvino() -> None:
    with pytest.raises(ConfigError, match="cuda"):
        openvino.check_device("cuda")


def test_a_file_that_is_no_onnx_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"\x00\x01")
    with pytest.raises(WeightsError, match=r"net\.onnx"):
        onnx_runtime.OnnxRuntimeNetwork(tmp_path / "net.onnx", device="cpu", threads=1)


def test_a_file_that_is_no_openvino_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.xml").write_text("<net/>")
    with pytest.raises(WeightsError, match=r"net\.xml"):
        openvino.OpenVinoNetwork(tmp_path / "net.xml", device="cpu", threads=1)


@pytest.mark.shared
def test_openvino_computes_in_single_precision_with_the_threads_it_is_given(shared: Path) -> None:
    path = shared / "models" / "person-detection-retail-0013.xml"
    network = openvino.OpenVinoNetwork(path, device="cpu", threads=1)
    assert network.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert network.compiled.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.shared
def test_colours_are_swapped_inside_the_network(shared: Path) -> None:
    path = shared / "models" / "person-detection-retail-0013.xml"
    image = np.random.default_rng(0).integers(0, 256, (320, 544, 3), np.uint8)
    planes = np.ascontiguousarray(image[None, ..., ::-1].transpose(0, 3, 1, 2), np.float32)
    outside = openvino.OpenVinoNetwork(path, device="cpu", threads=1).run(planes)[0]
    inside = openvino.OpenVinoNetwork(path, device="cpu", threads=1, takes_rgb=True).run(image[None])[0]
    # OpenVINO folds the swap into the first convolution, which then adds in another order.
    np.testing.assert_allclose(inside, outside, atol=1e-5)


@pytest.mark.shared
def test_the_batch_can_be_left_open(shared: Path) -> None:
    path = shared / "models" / "person-reidentification-retail-0288.xml"
    network = openvino.OpenVinoNetwork(path, device="cpu", threads=1, batch=-1)
    assert network.run(np.zeros((3, 3, 256, 128), np.float32))[0].shape[0] == 3


def test_onnx_runtime_tells_the_ports_of_a_network(tmp_path: Path) -> None:
    network = onnx_runtime.OnnxRuntimeNetwork(write_reid_onnx(tmp_path / "net.onnx"), device="cpu", threads=1)
    assert network.inputs == (Port("pictures", "float32", (None, 3, 256, 128)),)
    assert network.outputs == (Port("vectors", "float32", (None, 16)),)


def test_openvino_tells_the_ports_of_a_network(tmp_path: Path) -> None:
    network = openvino.OpenVinoNetwork(write_reid_onnx(tmp_path / "net.onnx"), device="cpu", threads=1)
    assert network.inputs == (Port("pictures", "float32", (None, 3, 256, 128)),)
    assert network.outputs == (Port("vectors", "float32", (None, 16)),)


def test_both_backends_compute_the_same(tmp_path: Path) -> None:
    path = write_reid_onnx(tmp_path / "net.onnx")
    crops = np.random.default_rng(0).uniform(0, 1, (2, 3, 256, 128)).astype(np.float32)
    networks = (onnx_runtime.OnnxRuntimeNetwork, openvino.OpenVinoNetwork)
    (one,), (other,) = (network(path, device="cpu", threads=1).run(crops) for network in networks)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_network_that_takes_one_crop_is_run_once_per_crop(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).uniform(0, 1, (3, 3, 256, 128)).astype(np.float32)
    network = onnx_runtime.OnnxRuntimeNetwork(write_reid_onnx(tmp_path / "1.onnx", batch=1), device="cpu", threads=1)
    (vectors,) = run_crops(network, crops)
    np.testing.assert_array_equal(vectors, np.concatenate([network.run(crop[None])[0] for crop in crops]))


def test_importing_the_backends_changes_neither_the_environment_nor_the_modules_of_others() -> None:
    code = (
        "import cv2, os, sys; before = dict(os.environ)\n"  # cv2 itself says where its libraries are
        "import models.backends.onnx_runtime, models.backends.openvino\n"
        "assert dict(os.environ) == before\n"
        "assert sys.modules.get('openvino_telemetry', sys) is not None"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[4], check=True)
