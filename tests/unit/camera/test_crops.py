import numpy as np
import pytest
from factories import make_stamp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.crops import (
    BORDER_QUALITY,
    MIN_QUALITY,
    STATIC_NOISE,
    Crop,
    CropBuffer,
    covered_fractions,
    cut,
    is_static_pair,
    qualities,
    resize,
    static_patch,
)


def make_crop(index: int, quality: float = 0.5, fps: float = 10.0) -> Crop:
    box_xyxy = np.array([0, 0, 4, 8], np.float32)
    return Crop(make_stamp(index=index, captured_at=index / fps), box_xyxy, 0.9, np.zeros((8, 4, 3), np.uint8), quality)


CROPS = st.lists(st.tuples(st.integers(1, 30), st.sampled_from([0.1, 0.4, 0.6, 0.9])), min_size=1, max_size=60)


def crops_of(steps: list[tuple[int, float]]) -> list[Crop]:
    indices = np.cumsum([step for step, _ in steps])
    return [make_crop(int(index), quality) for index, (_, quality) in zip(indices, steps, strict=True)]


def filled(crops: list[Crop], num_crops: int, span_s: float) -> CropBuffer:
    buffer = CropBuffer(num_crops, span_s)
    for crop in crops:
        buffer.add(crop)
        assert len(buffer) <= num_crops
    return buffer


@given(CROPS, st.integers(1, 8), st.sampled_from([0.1, 0.5, 2.0]))
def test_a_buffer_never_holds_more_than_allowed_and_is_never_empty(steps, num_crops: int, span_s: float) -> None:
    assert 1 <= len(filled(crops_of(steps), num_crops, span_s)) <= num_crops


@given(CROPS, st.integers(1, 8), st.sampled_from([0.1, 0.5, 2.0]))
def test_crops_come_out_in_order_of_time(steps, num_crops: int, span_s: float) -> None:
    indices = [crop.stamp.index for crop in filled(crops_of(steps), num_crops, span_s).crops()]
    assert indices == sorted(set(indices))


@given(CROPS, st.integers(1, 8), st.sampled_from([0.1, 0.5, 2.0]))
def test_the_best_crop_of_each_span_is_kept(steps, num_crops: int, span_s: float) -> None:
    crops = crops_of(steps)
    begin = crops[0].stamp.captured_at
    while int((crops[-1].stamp.captured_at - begin) / span_s) >= num_crops:
        span_s *= 2
    best: dict[int, float] = {}
    for crop in crops:
        span = int((crop.stamp.captured_at - begin) / span_s)
        best[span] = max(crop.quality, best.get(span, 0.0))
    kept = filled(crops, num_crops, span_s).crops()
    assert [crop.quality for crop in kept] == [best[span] for span in sorted(best)]


@given(CROPS, st.integers(1, 8))
def test_the_best_crop_of_all_is_never_lost(steps, num_crops: int) -> None:
    crops = crops_of(steps)
    kept = filled(crops, num_crops, 0.1).crops()
    assert max(crop.quality for crop in kept) == max(crop.quality for crop in crops)


@given(CROPS, st.integers(2, 8))
def test_asking_first_whether_a_crop_is_wanted_keeps_the_same_crops(steps, num_crops: int) -> None:
    crops = crops_of(steps)
    asked = CropBuffer(num_crops, 0.1)
    for crop in crops:
        if asked.wants(crop.stamp.captured_at, crop.quality):
            asked.add(crop)
    assert [c.stamp for c in asked.crops()] == [c.stamp for c in filled(crops, num_crops, 0.1).crops()]


def test_crops_of_a_long_part_are_spread_over_all_of_it() -> None:
    kept = filled([make_crop(index) for index in range(1000)], 4, 0.25).crops()
    times = [crop.stamp.captured_at for crop in kept]
    assert times[0] == 0.0
    assert times[-1] > 60.0
    assert np.ptp(np.diff(times)) < 0.2


def test_a_box_alone_is_not_covered() -> None:
    assert covered_fractions(np.array([[0, 0, 10, 10]], np.float32)).tolist() == [0.0]


def test_no_boxes_give_no_coverage() -> None:
    assert covered_fractions(np.zeros((0, 4), np.float32)).shape == (0,)


def test_the_smaller_box_of_two_is_covered_more() -> None:
    boxes = np.array([[0, 0, 20, 10], [10, 0, 20, 10]], np.float32)
    assert covered_fractions(boxes).tolist() == [0.5, 1.0]


def test_of_several_boxes_the_one_that_covers_most_counts() -> None:
    boxes = np.array([[0, 0, 20, 10], [0, 0, 6, 10], [14, 0, 24, 10]], np.float32)
    assert covered_fractions(boxes).tolist() == pytest.approx([0.3, 1.0, 0.6])


def quality_of(box=(20, 20, 80, 180), score=1.0, covered=0.0) -> float:
    (quality,) = qualities(
        np.array([box], np.float32), np.array([score], np.float32), np.array([covered], np.float32), (240, 320)
    )
    return float(quality)


def test_a_tall_uncovered_person_with_a_high_score_has_the_best_quality() -> None:
    assert quality_of() == 1.0


@pytest.mark.parametrize(
    "worse",
    [
        {"score": 0.5},
        {"covered": 0.3},
        {"box": (20, 20, 40, 60)},
        {"box": (0, 20, 60, 180)},
        {"box": (20, 80, 80, 240)},
    ],
    ids=["low score", "covered", "small", "cut by the side", "cut by the lower border"],
)
def test_quality_falls_with(worse) -> None:
    assert MIN_QUALITY <= quality_of(**worse) < 1.0


@pytest.mark.parametrize(
    ("options", "quality"),
    [
        ({"score": 0.5}, 0.5),
        ({"covered": 0.3}, 0.7**2),
        ({"covered": 1.5}, MIN_QUALITY),
        ({"box": (20, 20, 40, 52)}, 0.5),
        ({"box": (20, 20, 150, 84)}, 0.5**0.5),
        ({"box": (2, 20, 60, 180)}, BORDER_QUALITY),
        ({"box": (3, 20, 60, 180)}, 1.0),
        ({"box": (20, 2, 80, 180)}, BORDER_QUALITY),
        ({"box": (20, 3, 80, 180)}, 1.0),
        ({"box": (240, 20, 318, 180)}, BORDER_QUALITY),
        ({"box": (240, 20, 317, 180)}, 1.0),
        ({"box": (20, 60, 80, 238)}, BORDER_QUALITY),
        ({"box": (20, 60, 80, 237)}, 1.0),
        ({"box": (0, 0, 320, 240), "score": 0.5, "covered": 0.5}, 0.5 * 0.25 * BORDER_QUALITY),
    ],
    ids=str,
)
def test_quality_is_the_product_of_score_uncovered_part_height_and_border(options, quality: float) -> None:
    assert quality_of(**options) == pytest.approx(quality)


def test_quality_is_never_zero() -> None:
    assert quality_of(covered=1.0, score=0.0) == pytest.approx(MIN_QUALITY)


@given(
    st.tuples(*[st.floats(-50, 250, width=32)] * 2), st.tuples(*[st.floats(0, 300, width=32)] * 2), st.integers(1, 64)
)
def test_a_cut_is_never_empty_and_never_too_large(corner, size, max_side: int) -> None:
    image = np.arange(120 * 160 * 3, dtype=np.uint32).astype(np.uint8).reshape(120, 160, 3)
    box_xyxy = np.array([*corner, corner[0] + size[0], corner[1] + size[1]], np.float32)
    inside = cut(image, box_xyxy, (max_side, max_side))
    assert 1 <= inside.shape[0] <= max(2 * max_side, 1)
    assert 1 <= inside.shape[1] <= max(2 * max_side, 1)


def test_a_cut_shows_what_is_in_the_box() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    inside = cut(image, np.array([10, 20, 30, 60], np.float32), (64, 32))
    np.testing.assert_array_equal(inside, image[20:60, 10:30])
    assert not np.shares_memory(inside, image)


def test_a_pixel_that_the_box_cuts_belongs_to_the_cut() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    inside = cut(image, np.array([10.6, 20.6, 29.2, 59.2], np.float32), (64, 32))
    np.testing.assert_array_equal(inside, image[20:60, 10:30])


def test_a_box_that_leaves_the_picture_shows_the_part_inside() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    np.testing.assert_array_equal(cut(image, np.array([-9, -9, 20, 30], np.float32), (64, 32)), image[:30, :20])
    np.testing.assert_array_equal(cut(image, np.array([150, 90, 190, 140], np.float32), (64, 32)), image[90:, 150:])


@pytest.mark.parametrize(
    ("box_hw", "cut_hw"),
    [((40, 20), (40, 20)), ((41, 20), (20, 10)), ((40, 21), (20, 10)), ((100, 60), (20, 10)), ((15, 15), (15, 15))],
    ids=str,
)
def test_a_cut_is_scaled_down_only_above_twice_the_size(box_hw: tuple[int, int], cut_hw: tuple[int, int]) -> None:
    box_xyxy = np.array([0, 0, box_hw[1], box_hw[0]], np.float32)
    assert cut(np.zeros((120, 160, 3), np.uint8), box_xyxy, (20, 10)).shape == (*cut_hw, 3)


def test_pixels_are_averaged_when_a_picture_shrinks() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[::4, ::4] = 160
    assert (resize(image, (16, 16)) == 10).all()


def test_pixels_are_interpolated_when_a_picture_grows() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[1] = 200
    rows = resize(image, (8, 8))[:, 0, 0].tolist()
    assert rows == sorted(rows)
    assert len(set(rows)) > 4


@pytest.mark.parametrize("size_hw", [(8, 4), (256, 128)])
def test_a_picture_is_brought_to_any_size(size_hw: tuple[int, int]) -> None:
    assert resize(np.zeros((64, 32, 3), np.uint8), size_hw).shape == (*size_hw, 3)


def test_noise_is_not_movement_and_a_moving_person_is() -> None:
    random = np.random.default_rng(0)
    box_xyxy = np.array([10, 10, 60, 110], np.float32)
    image = np.full((120, 160, 3), 100, np.uint8)
    noisy = (image + random.integers(0, 4, image.shape)).astype(np.uint8)
    moved = image.copy()
    moved[40:90, 20:40] = 160
    first = static_patch(image, box_xyxy)
    assert is_static_pair(first, static_patch(noisy, box_xyxy))
    assert not is_static_pair(first, static_patch(moved, box_xyxy))


@pytest.mark.parametrize(("num_brighter", "is_static"), [(199, True), (200, False)], ids=["1.99", "2.0"])
def test_two_pictures_show_movement_from_the_stated_mean_difference_on(num_brighter: int, is_static: bool) -> None:
    first, second = np.full((10, 10), 100, np.uint8), np.full((10, 10), 101, np.uint8)
    second.ravel()[: num_brighter - 100] = 102
    assert STATIC_NOISE == 2.0
    assert is_static_pair(first, second) is is_static
    assert is_static_pair(second, first) is is_static


def test_detail_below_the_size_of_the_static_picture_is_averaged() -> None:
    rows, columns = np.indices((64, 32))
    image = np.repeat((200 * ((rows + columns) % 2))[..., None], 3, axis=2).astype(np.uint8)
    box_xyxy = np.array([0, 0, 32, 64], np.float32)
    assert is_static_pair(static_patch(image, box_xyxy), static_patch(200 - image, box_xyxy))


def test_a_crop_that_is_only_as_good_as_the_held_one_is_not_wanted() -> None:
    buffer = CropBuffer(4, 1.0)
    buffer.add(make_crop(0, 0.5))
    assert not buffer.wants(0.1, 0.5)
    assert buffer.wants(0.1, 0.51)
    buffer.add(make_crop(1, 0.5))
    assert [crop.stamp.index for crop in buffer.crops()] == [0]
