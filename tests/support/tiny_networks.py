"""ONNX files of a few kB that have the inputs and outputs of real networks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_reid_onnx(
    path: Path,
    *,
    dim: int = 16,
    hw: Sequence[int] = (256, 128),
    batch: int | str = "N",
    seed: int = 0,
    num_outputs: int = 1,
) -> Path:
    """Write a network of single images with random weights: one strided convolution, mean over places."""
    weights = np.random.default_rng(seed).normal(size=(dim, 3, 16, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["pictures", "weights"], ["maps"], strides=[16, 16]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vectors"]),
    ]
    outputs = {"vectors": [batch, dim], "pooled": [batch, dim, 1, 1]}
    constants = {"weights": weights}
    names = list(outputs)[:num_outputs]
    return _write(path, nodes, {"pictures": [batch, 3, *hw]}, {name: outputs[name] for name in names}, constants)


def write_clip_onnx(path: Path, *, clip_len: int = 4, hw: Sequence[int] = (128, 64), pose: str | None = None) -> Path:
    """Write a network of clips with random weights: a strided convolution of the mean frame, mean over places."""
    weights = np.random.default_rng(0).normal(size=(16, 3, 16, 16)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["pixels", "time"], ["frame"], keepdims=0),
        helper.make_node("Conv", ["frame", "weights"], ["maps"], strides=[16, 16]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vectors"]),
    ]
    inputs: dict[str, list[int | str]] = {"pixels": [1, clip_len, 3, *hw]}
    if pose is not None:
        inputs[pose] = [1, clip_len, 17, 3]
    return _write(path, nodes, inputs, {"vectors": [1, 16]}, {"weights": weights, "time": np.array([1], np.int64)})


def write_rtmpose_onnx(
    path: Path, *, hw: Sequence[int] = (256, 192), batch: int | str = "N", num_keypoints: int = 17
) -> Path:
    """Write a network whose keypoints all lie on the brightest spot of the picture; two bins a pixel."""
    nodes, constants = [], {}
    for axis, size, others in (("x", hw[1], [1, 2]), ("y", hw[0], [1, 3])):
        constants |= {
            f"others_{axis}": np.array(others, np.int64),
            f"repeat_{axis}": np.array([1, num_keypoints, 1, 2], np.int64),
            f"column_{axis}": np.array([-1, 1, size, 1], np.int64),
            f"flat_{axis}": np.array([0, num_keypoints, 2 * size], np.int64),
        }
        nodes += [
            helper.make_node("ReduceMax", ["pictures", f"others_{axis}"], [f"peaks_{axis}"], keepdims=0),
            helper.make_node("Reshape", [f"peaks_{axis}", f"column_{axis}"], [f"unfolded_{axis}"]),
            helper.make_node("Tile", [f"unfolded_{axis}", f"repeat_{axis}"], [f"tiled_{axis}"]),
            helper.make_node("Reshape", [f"tiled_{axis}", f"flat_{axis}"], [f"simcc_{axis}"]),
        ]
    outputs = {
        "simcc_x": [batch, num_keypoints, 2 * hw[1]],
        "simcc_y": [batch, num_keypoints, 2 * hw[0]],
    }
    return _write(path, nodes, {"pictures": [batch, 3, *hw]}, outputs, constants)


def write_heatmap_onnx(
    path: Path, *, hw: Sequence[int] = (192, 96), batch: int | str = "N", num_keypoints: int = 17
) -> Path:
    """Write a network whose maps all show the picture itself, at a quarter of its size."""
    # One filter a keypoint: the mean of 4 x 4 pixels and three colours.
    weights = np.full((num_keypoints, 3, 4, 4), 1 / 48, np.float32)
    nodes = [helper.make_node("Conv", ["pictures", "weights"], ["maps"], strides=[4, 4])]
    shape = [batch, num_keypoints, hw[0] // 4, hw[1] // 4]
    return _write(path, nodes, {"pictures": [batch, 3, *hw]}, {"maps": shape}, {"weights": weights})


def write_yolo_onnx(path: Path, *, hw: Sequence[int] = (640, 640)) -> Path:
    """Write a network with the outputs of YOLOv8 to v12 that finds one person in the middle of every picture."""
    cells = sum((hw[0] // stride) * (hw[1] // stride) for stride in (8, 16, 32))
    table = np.zeros((1, 84, cells), np.float32)
    table[0, :4] = 16.0
    table[0, :5, 0] = [hw[1] / 2, hw[0] / 2, hw[1] / 10, hw[0] / 4, 0.9]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["table", "nothing"], ["output0"]),
    ]
    constants = {"table": table, "zero": np.zeros((), np.float32)}
    return _write(path, nodes, {"images": [1, 3, *hw]}, {"output0": [1, 84, cells]}, constants)


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[int | str]],
    outputs: dict[str, list[int | str]],
    constants: dict[str, np.ndarray],
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
