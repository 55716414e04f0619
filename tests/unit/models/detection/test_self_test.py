import pytest

from models.detection.heads import BGR_255, RGB_1, RGB_IMAGENET
from models.detection.self_test import find_pixel_range, load_people


@pytest.mark.parametrize("hw", [(416, 416), (384, 640), (640, 320)], ids=str)
def test_the_picture_fits_any_input(hw: tuple[int, int]) -> None:
    picture = load_people(hw)
    assert picture.shape == (*hw, 3)
    assert picture.std() > 20


def test_a_range_with_which_people_are_found_is_kept() -> None:
    assert find_pixel_range(lambda pixels: 1 if pixels == BGR_255 else 3, BGR_255) is None


def test_the_range_with_most_people_is_proposed_where_nobody_is_found() -> None:
    found = {RGB_1: 1, RGB_IMAGENET: 3}
    assert find_pixel_range(lambda pixels: found.get(pixels, 0), BGR_255) == RGB_IMAGENET


def test_a_network_that_finds_nobody_in_any_way_gets_no_proposal() -> None:
    assert find_pixel_range(lambda pixels: 0, RGB_1) is None
