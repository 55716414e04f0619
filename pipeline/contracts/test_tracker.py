"""What every tracker must do."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.contracts.records import make_detections, make_stamp
from pipeline.core import UNCONFIRMED, Detections, Tracker, TrackUpdate

Factory = Callable[[], Tracker]
NUM_FRAMES = 60


def walk(index: int) -> Detections:
    """Three people who walk side by side; the third is there only for a while."""
    boxes = [(x + 2 * index, 20.0, x + 2 * index + 30, 110.0) for x in (0, 60, 120)]
    return make_detections(boxes[: 3 if 10 <= index < 30 else 2], stamp=make_stamp(index=index))


def said(update: TrackUpdate) -> tuple[list[int], tuple[int, ...]]:
    return update.numbers.tolist(), update.ended


def test_rows_stay_aligned_and_numbers_stay(factory: Factory) -> None:
    tracker = factory()
    numbers = [tracker.update(walk(index)).numbers for index in range(10)]
    assert all(len(each) == 2 and each.dtype == np.int64 for each in numbers)
    first, second = numbers[-1].tolist()
    assert UNCONFIRMED < 0 < first != second > 0
    np.testing.assert_array_equal(numbers[-2], numbers[-1])


def test_who_leaves_is_ended_once(factory: Factory) -> None:
    tracker = factory()
    ended = [number for index in range(NUM_FRAMES) for number in tracker.update(walk(index)).ended]
    assert len(ended) == len(set(ended)) == 1


def test_the_same_detections_get_the_same_numbers(factory: Factory) -> None:
    first, second = factory(), factory()
    for index in range(NUM_FRAMES):
        assert said(first.update(walk(index))) == said(second.update(walk(index)))


@pytest.mark.parametrize("at", [0, 5, 12, 31])
def test_a_copy_goes_on_as_it_would_itself(factory: Factory, at: int) -> None:
    tracker = factory()
    for index in range(at):
        tracker.update(walk(index))
    copies = [copy.deepcopy(tracker), pickle.loads(pickle.dumps(tracker))]
    for index in range(at, NUM_FRAMES):
        expected = said(tracker.update(walk(index)))
        assert [said(each.update(walk(index))) for each in copies] == [expected, expected]


def test_frames_without_people_are_taken(factory: Factory) -> None:
    tracker = factory()
    for index in range(5):
        assert said(tracker.update(make_detections([], stamp=make_stamp(index=index)))) == ([], ())
