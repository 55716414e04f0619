"""How the vectors of crops become one."""

from dataclasses import replace

import numpy as np
import pytest
from factories import make_tracklet
from hypothesis import given
from hypothesis import strategies as st

from models.reid.averaging import CropAverage, normalise
from pipeline.core.errors import DataError, ShapeError

CROP_HW = (4, 2)


def _first_pixel(crops: np.ndarray) -> np.ndarray:
    return crops[:, 0, 0].astype(np.float32)


def _tracklet(colours: list[list[int]], qualities: list[float]):
    crops = np.zeros((len(colours), *CROP_HW, 3), np.uint8)
    crops[:, 0, 0] = colours
    tracklet = make_tracklet(num_crops=len(colours), crop_hw=CROP_HW)
    return replace(tracklet, crops=crops, qualities=np.array(qualities, np.float32))


def _average(embed_crops=_first_pixel, exponent: float = 1.0, flip: bool = False) -> CropAverage:
    return CropAverage(embed_crops, space="test@0", crop_size_hw=CROP_HW, quality_exponent=exponent, flip=flip)


def test_each_crop_counts_with_its_direction_and_not_with_its_length() -> None:
    (embedding,) = _average().embed([_tracklet([[200, 0, 0], [0, 10, 0]], [1, 1])])
    assert embedding.vector == pytest.approx([2**-0.5, 2**-0.5, 0])


def test_better_crops_count_more() -> None:
    (embedding,) = _average().embed([_tracklet([[200, 0, 0], [0, 10, 0]], [0.8, 0.6])])
    assert embedding.vector == pytest.approx([0.8, 0.6, 0])


def test_an_exponent_of_zero_lets_all_crops_count_the_same() -> None:
    (embedding,) = _average(exponent=0).embed([_tracklet([[200, 0, 0], [0, 10, 0]], [0.8, 0.1])])
    assert embedding.vector == pytest.approx([2**-0.5, 2**-0.5, 0])


def test_a_flipped_crop_counts_like_the_crop() -> None:
    crops = np.zeros((1, *CROP_HW, 3), np.uint8)
    crops[0, 0, 0], crops[0, 0, -1] = (100, 0, 0), (0, 100, 0)
    tracklet = replace(make_tracklet(num_crops=1, crop_hw=CROP_HW), crops=crops)
    (embedding,) = _average(flip=True).embed([tracklet])
    assert embedding.vector == pytest.approx([2**-0.5, 2**-0.5, 0])


def test_every_tracklet_is_a_batch_of_its_own() -> None:
    sizes = []

    def embed_crops(crops: np.ndarray) -> np.ndarray:
        sizes.append(len(crops))
        return _first_pixel(crops)

    colours = [[1, 2, 3], [3, 2, 1]]
    _average(embed_crops).embed([_tracklet(colours, [1, 1]), _tracklet(colours[:1], [1])])
    assert sizes == [2, 1]


@pytest.mark.parametrize("value", [0, np.nan, np.inf], ids=str)
def test_a_vector_without_direction_is_an_error(value: float) -> None:
    with pytest.raises(DataError, match="check the weights"):
        _average(lambda crops: np.full((len(crops), 3), value, np.float32)).embed([_tracklet([[1, 1, 1]], [1])])


def test_a_tracklet_without_crops_is_an_error() -> None:
    with pytest.raises(ShapeError, match="got 0"):
        _average().embed([make_tracklet(num_crops=0, crop_hw=CROP_HW)])


@given(st.lists(st.tuples(*[st.integers(-1000, 1000)] * 3).filter(any), min_size=1, max_size=9))
def test_normalised_rows_do_not_depend_on_each_other(rows: list[tuple[int, int, int]]) -> None:
    vectors = np.array(rows, np.float64)
    together = normalise(vectors)
    np.testing.assert_array_equal(together, np.concatenate([normalise(vector[None]) for vector in vectors]))
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)
