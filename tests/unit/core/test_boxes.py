import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.boxes import area, clip, foot_points, intersection_matrix, iou_matrix

SIDES = st.integers(-100, 300)
BOXES = st.lists(st.tuples(SIDES, SIDES, st.integers(0, 80), st.integers(0, 80)), min_size=1, max_size=6).map(
    lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32)
)


@given(BOXES, BOXES)
def test_overlap_is_a_fraction_and_the_same_both_ways(first, second) -> None:
    iou = iou_matrix(first, second)
    assert iou.shape == (len(first), len(second))
    assert iou.dtype == np.float32
    assert (iou >= 0).all()
    assert (iou <= 1).all()
    np.testing.assert_array_equal(iou, iou_matrix(second, first).T)


@given(BOXES)
def test_a_box_overlaps_itself_wholly_unless_it_is_empty(boxes) -> None:
    np.testing.assert_array_equal(np.diag(iou_matrix(boxes, boxes)), (area(boxes) > 0).astype(np.float32))


@given(BOXES, BOXES)
def test_the_shared_area_of_two_boxes_is_no_larger_than_either(first, second) -> None:
    shared = intersection_matrix(first, second)
    assert (shared <= area(first)[:, None]).all()
    assert (shared <= area(second)[None]).all()


@given(BOXES)
def test_clipped_boxes_lie_in_the_picture(boxes) -> None:
    clipped = clip(boxes, (120, 160))
    assert (clipped >= 0).all()
    assert (clipped <= [160, 120, 160, 120]).all()
    assert (area(clipped) <= area(boxes)).all()


def test_no_boxes_overlap_nothing() -> None:
    none = np.zeros((0, 4), np.float32)
    assert iou_matrix(none, np.ones((3, 4), np.float32)).shape == (0, 3)
    assert foot_points(none).shape == (0, 2)


def test_people_stand_at_the_bottom_of_their_boxes() -> None:
    assert foot_points(np.array([[10, 0, 30, 90]], np.float32)).tolist() == [[20.0, 90.0]]
