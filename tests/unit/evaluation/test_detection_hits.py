import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.detection import find_hits

BOXES = np.array([[0, 0, 10, 20], [30, 0, 40, 20], [60, 0, 70, 20]], np.float32)


def test_each_true_box_is_hit_once() -> None:
    found = np.concatenate([BOXES[[1, 1]], BOXES[:1]])
    assert find_hits(found, BOXES).tolist() == [True, False, True]


def test_a_box_that_overlaps_too_little_is_no_hit() -> None:
    shifted = BOXES[:1] + np.array([5, 0, 5, 0], np.float32)
    assert not find_hits(shifted, BOXES).any()
    assert find_hits(shifted, BOXES, min_iou=0.3).all()


def test_no_true_boxes_and_no_found_boxes() -> None:
    assert find_hits(BOXES, np.empty((0, 4), np.float32)).tolist() == [False] * 3
    assert find_hits(np.empty((0, 4), np.float32), BOXES).shape == (0,)


@given(st.lists(st.sampled_from(range(3)), max_size=8))
def test_there_are_as_many_hits_as_people_found(rows: list[int]) -> None:
    assert find_hits(BOXES[rows], BOXES).sum() == len(set(rows))
