"""What the clock of a stream makes of times that cameras and recorders write."""

import logging
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sources.stream_clock import MAX_HELD, StreamClock
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.records.source_report import GapOutcome

STEP_S = 0.1


def clock(**options: object) -> StreamClock[int]:
    return StreamClock("east", usual_step_s=STEP_S, **options)  # type: ignore[arg-type]


def times(stamps: Sequence[float | None], made: StreamClock[int] | None = None) -> list[float]:
    """Return the time of every frame; checks that each frame comes out once, in order, and that times ascend."""
    made = made or clock()
    done = [each for index, stamp in enumerate(stamps) for each in made.push(index, stamp)] + made.flush()
    assert [item for item, _ in done] == list(range(len(stamps)))
    found = [at for _, at in done]
    assert (np.diff(found) > 0).all()
    return found


def even(count: int, begin: float = 0.0) -> list[float]:
    return [begin + index * STEP_S for index in range(count)]


def test_times_of_a_sound_stream_are_returned_at_once_and_bit_for_bit() -> None:
    made = clock(starts_at=1.7e9)
    for index, stamp in enumerate(even(50)):
        assert made.push(index, stamp) == [(index, 1.7e9 + stamp)]
    assert made.num_repaired == 0


@pytest.mark.parametrize("size", [37600.0, 90000.0, 1.5, 0.5, -3.0, -0.15])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_outliers_lie_between_their_neighbours_and_the_rest_is_untouched(size: float, count: int) -> None:
    stamps = even(40)
    for place in range(20, 20 + count):
        stamps[place] += size
    found = times(stamps)
    np.testing.assert_allclose(found, even(40), atol=3.01 * STEP_S if abs(size) < 0.6 else 1e-9)
    np.testing.assert_allclose(found[28:], even(40)[28:], atol=1e-9)


def test_doubled_stamps_are_spread_inside_the_next_interval() -> None:
    np.testing.assert_allclose(times([stamp for stamp in even(20)[::2] for _ in range(2)]), even(20), atol=1e-9)


def test_stamps_on_every_third_frame_are_enough() -> None:
    stamps = [stamp if index % 3 == 0 else None for index, stamp in enumerate(even(31))]
    np.testing.assert_allclose(times(stamps), even(31), atol=1e-9)


def test_frames_before_the_first_stamp_have_their_usual_length() -> None:
    np.testing.assert_allclose(times([None, None, 5.0, 5.1, 5.2]), even(5), atol=1e-9)


def test_without_any_stamp_the_length_of_each_frame_counts() -> None:
    made = clock()
    done = [each for index in range(5) for each in made.push(index, None, 0.25)] + made.flush()
    np.testing.assert_allclose([at for _, at in done], [0.0, 0.25, 0.5, 0.75, 1.0])


def test_a_clock_that_begins_again_is_a_stated_restart() -> None:
    made = clock()
    np.testing.assert_allclose(times(even(30) + even(30), made), even(60), atol=1e-9)
    (gap,) = made.gaps
    assert gap.outcome is GapOutcome.RESTARTED
    assert gap.at == pytest.approx(2.9)


def test_a_lasting_leap_is_a_stated_gap_that_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    made = clock()
    stamps = even(20) + even(20, 602.0)
    assert times(stamps, made) == stamps
    (gap,) = made.gaps
    assert (gap.outcome, gap.seconds, gap.at) == (GapOutcome.KEPT, pytest.approx(600.1), pytest.approx(1.9))
    assert "camera east: the times leap by 600.1 s" in caplog.text


def test_a_gap_can_be_cut_or_refused() -> None:
    stamps = even(20) + even(20, 602.0)
    made = clock(on_gap="cut")
    np.testing.assert_allclose(times(stamps, made), even(40), atol=1e-9)
    assert made.gaps[0].outcome is GapOutcome.CUT
    with pytest.raises(SourceLostError, match=r"^expected times without a gap, got one of 600\.1 s"):
        times(stamps, clock(on_gap="refuse"))
    with pytest.raises(ConfigError, match=r"east\.on_gap: expected one of keep, cut, refuse"):
        clock(on_gap="drop")


def test_a_leap_of_more_than_a_day_is_a_clock_that_was_set() -> None:
    made = clock()
    np.testing.assert_allclose(times([0.0, *even(20, 1.7e9)], made), even(21), atol=1e-6)
    assert made.gaps[0].outcome is GapOutcome.CUT


def test_one_picture_a_minute_is_no_row_of_gaps() -> None:
    made = clock()
    stamps = [60.0 * index for index in range(50)]
    assert times(stamps, made) == stamps
    assert len(made.gaps) < 8


def test_a_last_frame_that_is_far_ahead_is_not_believed() -> None:
    assert times([*even(20), 37600.0])[-1] == pytest.approx(2.0)
    assert times([*even(20), 30.0])[-1] == 30.0


def test_a_corrected_clock_is_returned_to_when_it_is_later_again() -> None:
    made = clock(is_absolute=True)
    begin = 1.7e9
    stamps = [*even(20, begin + 100), *even(30, begin), *even(20, begin + 500)]
    found = times(stamps[:50], made)
    assert made.shift_s == pytest.approx(102.0)
    found += times(stamps[50:], made)
    assert made.shift_s == 0.0
    assert found[:20] == stamps[:20]
    np.testing.assert_allclose(found[20:50], even(30, begin + 102), atol=1e-5)
    assert found[50:] == stamps[50:]
    assert [gap.outcome for gap in made.gaps] == [GapOutcome.RESTARTED, GapOutcome.KEPT]


def test_another_opening_goes_on_after_the_last_frame() -> None:
    made = clock()
    made.go_on(50.0)
    np.testing.assert_allclose(times(even(5), made), even(5, 50.1), atol=1e-9)


def test_another_opening_of_a_corrected_clock_goes_on_after_the_last_frame() -> None:
    made = clock(is_absolute=True)
    made.go_on(1.7e9)
    np.testing.assert_allclose(times(even(5, 1.6e9), made), even(5, 1.7e9 + STEP_S), atol=1e-5)
    later = clock(is_absolute=True)
    later.go_on(1.7e9)
    assert times(even(5, 1.7e9 + 30), later) == even(5, 1.7e9 + 30)


def test_a_pause_that_another_clock_confirms_is_taken_at_once_and_is_no_gap() -> None:
    made = clock(is_absolute=True)
    begin = 1.7e9
    for index, stamp in enumerate(even(20, begin)):
        made.push(index, stamp, elapsed_s=STEP_S)
    assert made.push(20, begin + 31.9, elapsed_s=30.02) == [(20, begin + 31.9)]
    assert made.push(21, begin + 90.0, elapsed_s=STEP_S) == []
    assert made.gaps == ()


def test_repairs_are_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    made = clock()
    with caplog.at_level(logging.WARNING):
        times([stamp for stamp in even(20)[::2] for _ in range(2)], made)
    assert made.num_repaired == 10
    assert caplog.text.count("was replaced") == 1


steps = st.lists(st.floats(1e-3, 3600.0), min_size=1, max_size=60)
anything = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e9), st.sampled_from(even(40))), min_size=1, max_size=80)


@settings(deadline=None)
@given(steps)
def test_stamps_that_ascend_are_returned_as_they_are(ascending: list[float]) -> None:
    stamps = [0.0, *np.cumsum([*ascending, STEP_S, STEP_S]).tolist()]
    made = clock()
    assert times(stamps, made) == stamps
    assert made.num_repaired == 0


@settings(deadline=None)
@given(anything, st.sampled_from(["keep", "cut"]), st.booleans())
def test_whatever_is_written_each_frame_comes_once_and_times_ascend(
    stamps: list[float | None], on_gap: str, is_absolute: bool
) -> None:
    times(stamps, clock(on_gap=on_gap, is_absolute=is_absolute))


@settings(deadline=None)
@given(anything)
def test_few_frames_are_held(stamps: list[float | None]) -> None:
    made = clock()
    num_out = 0
    for index, stamp in enumerate(stamps):
        num_out += len(made.push(index, stamp))
        assert index + 1 - num_out <= MAX_HELD


@settings(deadline=None)
@given(st.data())
def test_random_damage_does_not_move_the_frames_around_it(data: st.DataObject) -> None:
    """Outliers, missing and doubled stamps, up to three in a row, ten frames apart: all other times stay."""
    stamps: list[float | None] = list(even(100))
    damaged = set()
    for begin in range(10, 90, 10):
        for place in range(begin, begin + data.draw(st.integers(0, 3))):
            damaged.add(place)
            stamps[place] = data.draw(
                st.one_of(st.none(), st.just(stamps[place - 1]), st.floats(1e3, 1e6), st.floats(-1e6, -1e3))
            )
    found = times(stamps)
    for index, at in enumerate(found):
        assert at == pytest.approx(index * STEP_S, abs=1e-9 if index not in damaged else 3.01 * STEP_S)
