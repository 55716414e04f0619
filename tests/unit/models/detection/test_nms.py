import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.detection.nms import suppress
from pipeline.core.boxes import iou_matrix


@st.composite
def boxes_and_scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    length = draw(st.integers(0, 12))
    corners = draw(arrays(np.float32, (length, 2), elements=st.integers(0, 20)))
    sides = draw(arrays(np.float32, (length, 2), elements=st.integers(0, 15)))
    scores = draw(arrays(np.float32, length, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    return np.concatenate([corners, corners + sides], axis=1), scores


@given(boxes_and_scores(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_it_keeps_what_the_textbook_keeps(found: tuple[np.ndarray, np.ndarray], max_iou: float) -> None:
    boxes_xyxy, scores = found
    overlaps = iou_matrix(boxes_xyxy, boxes_xyxy)
    expected: list[int] = []
    for row in sorted(range(len(scores)), key=lambda row: (-scores[row], row)):
        if all(overlaps[row, better] <= np.float32(max_iou) for better in expected):
            expected.append(row)
    assert suppress(boxes_xyxy, scores, max_iou=max_iou).tolist() == expected


def test_of_equal_boxes_with_equal_scores_the_first_stays() -> None:
    boxes_xyxy = np.array([[0, 0, 4, 4]] * 3, np.float32)
    assert suppress(boxes_xyxy, np.full(3, 0.5, np.float32), max_iou=0.5).tolist() == [0]


def test_no_boxes_leave_no_rows_that_can_be_used_as_an_index() -> None:
    boxes_xyxy, scores = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    assert boxes_xyxy[suppress(boxes_xyxy, scores, max_iou=0.5)].shape == (0, 4)
