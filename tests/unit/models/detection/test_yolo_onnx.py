"""A YOLO network that was exported to ONNX: both kinds of output."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from factories import make_stamp
from onnx import TensorProto, helper, numpy_helper

from models.detection.yolo_onnx import YoloOnnxDetector
from pipeline.camera.detection import letterbox
from pipeline.core import Detections, Frame
from pipeline.core.errors import WeightsError


def write_network(path: Path, table: np.ndarray, hw: tuple[int, int] = (64, 64)) -> Path:
    """Write a network that says the same of every white picture, and half the numbers of a grey one."""
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["table", "brightest"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "yolo",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *hw])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, *table.shape])],
        [numpy_helper.from_array(table[None].astype(np.float32), "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def found_by(weights: Path, **changes: Any) -> Detections:
    arguments: dict[str, Any] = {
        "weights": str(weights),
        "weights_dir": None,
        "sha256": None,
        "input_hw": (64, 64),
        "person_label": 0,
        "min_score": 0.1,
        "nms_iou": 0.45,
        "device": "cpu",
        "threads": 1,
    }
    detector = YoloOnnxDetector(**arguments | changes)
    frame = Frame(make_stamp(), np.full((128, 128, 3), 255, np.uint8))
    (found,) = detector.detect([letterbox(frame, (64, 64))])
    return found


def test_columns_are_boxes_around_a_centre_and_scores_of_classes(tmp_path: Path) -> None:
    columns = np.array([[20, 30, 10, 20, 0.9, 0.1], [21, 30, 10, 20, 0.8, 0.0], [50, 30, 10, 20, 0.05, 0.9]]).T
    found = found_by(write_network(tmp_path / "yolo.onnx", columns))
    np.testing.assert_allclose(found.boxes_xyxy, [[30, 40, 50, 80]])  # the frame is twice as large
    np.testing.assert_allclose(found.scores, [0.9], rtol=1e-6)


def test_rows_are_boxes_with_a_score_and_a_class(tmp_path: Path) -> None:
    rows = np.array([[15, 20, 25, 40, 0.9, 0], [15, 20, 25, 40, 0.8, 0], [1, 1, 9, 9, 0.9, 2], [1, 1, 9, 9, 0.05, 0]])
    found = found_by(write_network(tmp_path / "yolo.onnx", rows))
    np.testing.assert_allclose(found.boxes_xyxy, [[30, 40, 50, 80]] * 2)  # the network has suppressed already
    assert found_by(tmp_path / "yolo.onnx", person_label=2).boxes_xyxy.tolist() == [[2, 2, 18, 18]]


def test_another_size_or_class_than_the_network_has_is_refused_with_what_to_set(tmp_path: Path) -> None:
    weights = write_network(tmp_path / "yolo.onnx", np.zeros((84, 20)))
    with pytest.raises(WeightsError, match=r"set input_hw to what the network takes"):
        found_by(weights, input_hw=(640, 640))
    with pytest.raises(WeightsError, match="person_label"):
        found_by(weights, person_label=80)
