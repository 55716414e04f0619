"""How a trained network becomes a file."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from models.backends.onnx_runtime import OnnxRuntimeNetwork  # noqa: E402
from models.training.export import halve_weights  # noqa: E402


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3, bias=False), torch.nn.Flatten()
    ).eval()
    path = tmp_path / "network.onnx"
    torch.onnx.export(
        network, (torch.zeros(1, 3, 8, 8),), path, input_names=["images"], output_names=["output"], dynamo=False
    )
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_weights_in_16_bits_take_half_of_the_bytes_and_change_little(path: Path) -> None:
    pixels = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    size = path.stat().st_size
    (before,) = OnnxRuntimeNetwork(path, device="cpu", threads=1).run(pixels)
    halve_weights(path)
    (after,) = OnnxRuntimeNetwork(path, device="cpu", threads=1).run(pixels)
    assert path.stat().st_size < 0.55 * size
    assert after.dtype == np.float32
    np.testing.assert_allclose(after, before, atol=2e-3 * np.abs(before).max())
    assert np.abs(after - before).max() > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_weights_that_16_bits_do_not_hold_stay_as_they_are(tmp_path: Path) -> None:
    network = torch.nn.Linear(64, 64, bias=False)
    network.weight.data.fill_(1e6)
    path = tmp_path / "large.onnx"
    torch.onnx.export(network, (torch.zeros(1, 64),), path, input_names=["images"], output_names=["o"], dynamo=False)
    before = path.read_bytes()
    halve_weights(path)
    pixels = np.ones((1, 64), np.float32)
    (found,) = OnnxRuntimeNetwork(path, device="cpu", threads=1).run(pixels)
    assert np.isfinite(found).all()
    assert abs(path.stat().st_size - len(before)) < 200
