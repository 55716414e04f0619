import numpy as np
import pytest
from factories import make_stamp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.crops import (
    MIN_QUALITY,
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
