"""Crops into a pose network, and points back."""

import numpy as np
import pytest
from factories import make_path, make_tracklet
from hypothesis import given
from hypothesis import strategies as st

from models.pose.crops import Letterbox, letterbox_each

sizes = st.tuples(st.integers(8, 300), st.integers(8, 300))


@given(crop_hw=sizes, input_hw=st.sampled_from([(192, 192), (256, 192)]), margin=st.sampled_from([1.0, 1.25]))
def test_the_corners_of_a_crop_come_back(crop_hw, input_hw, margin) -> None:
    letterbox = Letterbox(crop_hw, input_hw, margin=margin)
    rows, columns = letterbox.cells(0, 1), letterbox.cells(1, 1)
    corners = np.array([[columns[0], rows[0]], [columns[1], rows[1]]], np.float32)
    np.testing.assert_array_equal(letterbox.to_crop(corners), [[0, 0], [1, 1]])


@given(crop_hw=sizes)
def test_a_crop_is_in_the_middle_and_the_rest_is_black(crop_hw) -> None:
    letterbox = Letterbox(crop_hw, (192, 192), margin=1.25)
    image = letterbox.apply(np.full((256, 128, 3), 200, np.uint8))
    inside = np.argwhere(image[..., 0] > 0)
    assert (image[..., 0] > 0).sum() == np.prod(np.ptp(inside, axis=0) + 1)
    assert np.abs(inside.mean(axis=0) - 95.5).max() <= 0.5


def test_people_get_back_the_shape_they_had_in_the_frame() -> None:
    path = make_path(box=(10, 10, 30, 110), frame_hw=(100, 100))
    tracklet = make_tracklet(path=path, num_crops=1, crop_hw=(256, 128))
    (letterbox,) = letterbox_each(tracklet, (180, 180), margin=1.0)
    assert (np.ptp(letterbox.cells(0, 1)), np.ptp(letterbox.cells(1, 1))) == (180, 40)


def test_the_whole_input_is_used() -> None:
    letterbox = Letterbox((256, 128), (256, 192), margin=1.0)
    assert (np.ptp(letterbox.cells(0, 1)), np.ptp(letterbox.cells(1, 1))) == (256, 128)


def test_points_beyond_the_crop_are_put_on_its_edge() -> None:
    letterbox = Letterbox((256, 128), (256, 192), margin=1.0)
    points = letterbox.to_crop(np.array([[0, 10], [191, 300]], np.float32))
    assert points[:, 0].tolist() == [0, 1]
    assert points[1, 1] == pytest.approx(1)
