"""One person, and something else, in the layout of each head: the person is read, in pixels of the input."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detection.dense import Grid
from models.detection.heads import recognise, to_xyxy

HW = (64, 96)
STRIDES = (8, 16, 32)
CELLS = Grid.of(HW, STRIDES)
PERSON_XYXY = np.array([20, 10, 40, 60], np.float32)
THING_XYXY = np.array([60, 30, 80, 50], np.float32)
PERSON, THING = np.array([30, 35, 20, 50], np.float32), np.array([70, 40, 20, 20], np.float32)
"""The same as centre and size."""
SHARES = np.array([96, 64, 96, 64], np.float32)
NUM_CLASSES = 80
CELL = 12 + 3
"""Where in the grid both stand: any cell will do."""


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def dense(rows: int) -> NDArray[np.float32]:
    """Rows of a decoded dense head: each box on its cell, all scores 0, then two that count."""
    grid = np.concatenate([(CELLS.cells + 0.5) * CELLS.strides, np.tile(CELLS.strides, 2)], axis=1)
    table = np.zeros((rows, 4 + NUM_CLASSES), np.float32)
    table[:, :4] = np.tile(grid, (rows // len(CELLS), 1))
    table[CELL, :5] = [*PERSON, 0.8]
    table[CELL + 1, :4], table[CELL + 1, 4 + 7] = THING, 0.9
    return table


def with_objectness(table: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.insert(table, 4, 0.5, axis=1)


def yolox() -> NDArray[np.float32]:
    table = np.zeros((len(CELLS), 5 + NUM_CLASSES), np.float32)
    for cell, box, label, score in ((CELL, PERSON, 0, 0.8), (CELL + 1, THING, 7, 0.9)):
        stride = CELLS.strides[cell, 0]
        table[cell, :2] = box[:2] / stride - CELLS.cells[cell]
        table[cell, 2:4] = np.log(box[2:] / stride)
        table[cell, 4], table[cell, 5 + label] = 0.5, score
    return table


def listed(person: NDArray[np.float32], thing: NDArray[np.float32]) -> NDArray[np.float32]:
    table = np.zeros((300, 6), np.float32)
    table[:2] = [[*thing, 0.9, 7], [*person, 0.8, 0]]
    return table


def queries(*, logits: bool, label: int) -> NDArray[np.float32]:
    table = np.full((300, 4 + 91), -9 if logits else 0, np.float32)
    table[:, :4] = 0.5
    table[4, :4], table[4, 4 + label] = PERSON / SHARES, logit(0.8) if logits else 0.8
    table[9, :4], table[9, 4 + 7] = THING / SHARES, logit(0.9) if logits else 0.9
    return table


APART = queries(logits=True, label=1)
LAYOUTS: dict[str, tuple[str, Mapping[str, NDArray[np.float32]], float]] = {
    "yolox": ("YOLOX", {"output": yolox()[None]}, 0.4),
    "yolov6": ("YOLOv6", {"outputs": with_objectness(dense(len(CELLS)))[None]}, 0.4),
    "yolov5": ("YOLOv5", {"output0": with_objectness(dense(3 * len(CELLS)))[None]}, 0.4),
    "yolov8": ("YOLOv8", {"output0": np.ascontiguousarray(dense(len(CELLS)).T)[None]}, 0.8),
    "yolo26": ("YOLO26, chosen", {"output0": listed(PERSON_XYXY, THING_XYXY)[None]}, 0.8),
    "rt-detr listed": ("RT-DETR", {"output0": listed(PERSON / SHARES, THING / SHARES)[None]}, 0.8),
    "rt-detr queries": ("RT-DETR", {"output0": queries(logits=False, label=0)[None]}, 0.8),
    "yolov7": (
        "YOLOv7 with",
        {"output": np.array([[0, *THING_XYXY, 7, 0.9], [0, *PERSON_XYXY, 0, 0.8]], np.float32)},
        0.8,
    ),
    "rtmdet": (
        "RTMDet",
        {
            "dets": np.array([[[*THING_XYXY, 0.9], [*PERSON_XYXY, 0.8]]], np.float32),
            "labels": np.array([[7, 0]], np.int64),  # type: ignore[dict-item]
        },
        0.8,
    ),
    "d-fine": (
        "D-FINE",
        {
            "labels": np.array([[7, 0]], np.int64),  # type: ignore[dict-item]
            "boxes": np.array([[THING_XYXY, PERSON_XYXY]], np.float32),
            "scores": np.array([[0.9, 0.8]], np.float32),
        },
        0.8,
    ),
    "rf-detr": ("RF-DETR", {"dets": APART[None, :, :4], "labels": APART[None, :, 4:]}, 0.8),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_head_is_recognised_and_its_person_is_read(layout: str) -> None:
    name, outputs, score = LAYOUTS[layout]
    head = recognise(outputs, HW)
    assert head is not None
    assert name in head.name
    boxes_xyxy, scores = head.read(outputs, head.person_label, 0.1)
    np.testing.assert_allclose(boxes_xyxy, [PERSON_XYXY], atol=1e-4)
    np.testing.assert_allclose(scores, [score], atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_score_below_the_least_one_is_left_out(layout: str) -> None:
    _, outputs, score = LAYOUTS[layout]
    head = recognise(outputs, HW)
    assert head is not None
    assert len(head.read(outputs, head.person_label, score + 0.01)[0]) == 0


@pytest.mark.parametrize("layout", ["yolox", "yolov6", "yolov5", "yolov8"])
def test_dense_heads_need_suppression(layout: str) -> None:
    head = recognise(LAYOUTS[layout][1], HW)
    assert head is not None
    assert not head.is_final


def test_a_yolov8_network_turned_round_has_no_objectness() -> None:
    head = recognise({"output0": dense(len(CELLS))[None]}, HW)
    assert head is not None
    boxes_xyxy, scores = head.read({"output0": dense(len(CELLS))[None]}, 0, 0.1)
    np.testing.assert_allclose(boxes_xyxy, [PERSON_XYXY], atol=1e-4)
    np.testing.assert_allclose(scores, [0.8], atol=1e-6)


def test_the_number_of_classes_tells_whether_there_is_objectness() -> None:
    rows = dense(len(CELLS))[:, : 4 + 3]
    turned, with_one = recognise({"a": rows[None]}, HW, num_classes=3), recognise({"a": rows[None]}, HW, num_classes=2)
    assert turned is not None
    assert with_one is not None
    assert "YOLOv8" in turned.name
    assert "YOLOv6" in with_one.name


def test_a_number_of_classes_that_nobody_states_is_not_guessed() -> None:
    assert recognise({"a": dense(len(CELLS))[None, :, : 4 + 3]}, HW) is None


def test_the_same_objectness_everywhere_is_yolov6() -> None:
    head = recognise({"a": with_objectness(dense(len(CELLS)))[None, :, : 5 + 3]}, HW)
    assert head is not None
    assert head.name == "YOLOv6"


@pytest.mark.parametrize("with_more", [False, True], ids=["turned yolov8", "yolov6"])
def test_one_row_a_cell_in_shares_is_not_taken_for_offsets(with_more: bool) -> None:
    rows = dense(len(CELLS))
    rows[:, :4] /= SHARES
    assert recognise({"a": (with_objectness(rows) if with_more else rows)[None]}, HW) is None


def test_a_yolox_network_with_one_class_is_no_list_of_boxes() -> None:
    head = recognise({"output": yolox()[None, :, :6]}, HW)
    assert head is not None
    assert head.name == "YOLOX"


def test_a_list_without_a_box_is_in_pixels_because_zeros_say_nothing() -> None:
    head = recognise({"output0": np.zeros((1, 300, 6), np.float32)}, HW)
    assert head is not None
    assert "chosen inside" in head.name


def test_metadata_decide_where_boxes_do_not() -> None:
    head = recognise({"output0": np.zeros((1, 300, 6), np.float32)}, HW, is_detr=True)
    assert head is not None
    assert head.name == "RT-DETR"


@pytest.mark.parametrize(
    "outputs",
    [
        {"output": np.zeros((1, 77, 84), np.float32), "more": np.zeros((1, 3), np.float32)},
        {"classes": np.zeros((1, 1000), np.float32)},
        {"masks": np.zeros((1, 32, 16, 16), np.float32)},
        {"output": np.zeros((4, 126, 85), np.float32)},
        {"output": np.zeros((1, 17, 333), np.float32)},
        {"output": np.full((1, 100, 84), 40, np.float32)},
        {"output": np.full((1, 100, 84), -0.5, np.float32)},
    ],
    ids=["pair", "classifier", "maps", "batch", "too few rows", "boxes in pixels", "scores below 0"],
)
def test_anything_else_is_no_detector(outputs: dict[str, NDArray[np.float32]]) -> None:
    assert recognise(outputs, HW) is None


def test_a_box_by_centre_and_size_has_its_corners() -> None:
    np.testing.assert_array_equal(to_xyxy(PERSON[None]), [PERSON_XYXY])
