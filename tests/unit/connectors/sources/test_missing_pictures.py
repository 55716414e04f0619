"""Pictures that never came are found by the stamps of those that did."""

import random
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.missing_pictures import MissingPictures

STEP = 3600
NUM = 200


def found(stamps: Iterable[int | None], *, max_step: float = 60 * 90_000) -> list[int]:
    """Return the stamps of the pictures that are found missing."""
    missing = MissingPictures(max_step)
    holes = [hole for stamp in stamps for hole in missing.push(stamp)] + missing.flush()
    places = [stamp for hole in holes for stamp in hole.stamps]
    assert missing.num_missing == len(places)
    return places


def even(count: int = NUM, step: int = STEP) -> list[int]:
    return [index * step for index in range(count)]


@settings(max_examples=60)
@given(st.sets(st.integers(8, NUM - 9), max_size=12))
def test_each_picture_that_is_left_out_of_an_even_stream_is_found_at_its_time(lost: set[int]) -> None:
    kept = [stamp for index, stamp in enumerate(even()) if index not in lost]
    places = found(kept)
    if all(sum(near in lost for near in range(index - 12, index + 12)) <= 3 for index in lost):
        assert places == [index * STEP for index in sorted(lost)]
    assert len(places) <= len(lost)


def test_a_quarter_that_is_lost_at_random_is_found_for_the_most_part() -> None:
    rng = random.Random(0)
    kept = [stamp for stamp in even(2000) if rng.random() < 0.75]
    assert 0.7 < len(found(kept)) / (2000 - len(kept)) <= 1.0


def in_decoding_order(stamps: Sequence[int]) -> list[int]:
    """Return stamps as those of a stream with two pictures between each two others."""
    return [stamps[at] for begin in range(0, len(stamps) - 3, 3) for at in (begin + 3, begin + 1, begin + 2)]


def test_pictures_that_are_decoded_in_another_order_are_not_missing() -> None:
    assert found(in_decoding_order(even(199))) == []
    assert found([stamp for stamp in in_decoding_order(even(199)) if stamp != 80 * STEP]) == [80 * STEP]


@pytest.mark.parametrize("seed", range(5))
def test_a_camera_whose_pictures_come_unevenly_or_that_changes_its_rate_loses_none(seed: int) -> None:
    rng = random.Random(seed)
    uneven, at = [0], 0
    for _ in range(NUM):
        at += int(STEP * rng.uniform(0.2, 3.0))
        uneven.append(at)
    assert len(found(uneven)) <= 3
    slower = even(100) + [100 * STEP + index * 2 * STEP for index in range(100)]
    faster = [index * 3 * STEP for index in range(100)] + [300 * STEP + index * STEP for index in range(100)]
    jittery = [stamp + rng.randrange(-STEP // 10, STEP // 10) for stamp in even()]
    assert found(slower) == found(faster) == found(jittery) == []


def test_stamps_that_are_wrong_missing_or_begin_again_are_no_loss() -> None:
    far = even()
    far[50] += 10**9
    back = even()
    back[50] = 0
    without: list[int | None] = [*even()]
    without[60] = without[61] = None
    again = [stamp + 10**8 for stamp in even()] + even()
    for stamps in (far, back, without, again):
        assert found(stamps) == []


def test_a_pause_is_no_loss() -> None:
    paused = even(50) + [stamp + 10**6 for stamp in even(50)]
    assert found(paused, max_step=10**5) == []


def test_where_damage_must_be_seen_a_leap_alone_is_no_loss() -> None:
    for is_damaged, expected in ((False, []), (True, [100 * STEP])):
        missing = MissingPictures(10**6, needs_damage=True)
        kept = [index for index in range(NUM) if index != 100]
        holes = [
            hole for index in kept for hole in missing.push(index * STEP, is_damaged=is_damaged and index == 101)
        ] + missing.flush()
        assert [stamp for hole in holes for stamp in hole.stamps] == expected


@pytest.mark.parametrize("back", [20, 60, 100, 5000])
@pytest.mark.parametrize("order", [list, in_decoding_order])
def test_what_is_lost_after_a_clock_began_again_is_found_however_far_it_went_back(
    back: int, order: Callable[[list[int]], list[int]]
) -> None:
    begin = 5000 * STEP
    before = [begin + stamp for stamp in even(121)]
    again = [begin + (120 - back) * STEP + stamp for stamp in even(121)]
    lost = {again[2 + 30], again[2 + 60], again[2 + 61]}
    places = found([*order(before), *(stamp for stamp in order(again) if stamp not in lost)], max_step=250 * STEP)
    assert sorted(places) == sorted(lost)


def test_one_stamp_that_is_far_ahead_is_no_clock_that_began_again() -> None:
    stamps = [stamp + (50 * STEP if stamp == 80 * STEP else 0) for stamp in even() if stamp != 120 * STEP]
    assert found(stamps, max_step=250 * STEP) == [120 * STEP]
