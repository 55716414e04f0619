import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from camera_parts import LIMITS, FakePipeline, make_actor, make_frames
from hypothesis import given
from hypothesis import strategies as st

from connectors.sources.memory import MemorySource
from connectors.sources.stream_clock import StreamClock
from pipeline.core import Frame
from pipeline.core.records.clock_offset import AHEAD_S
from pipeline.core.records.source_report import SourceReport
from pipeline.runtime.cameras.camera_clock import WAITED_S, CameraClock


@pytest.mark.parametrize("ahead_s", [0.0, 0.4, -0.1, -4.9])
def test_a_clock_that_is_right_within_the_bounds_is_trusted(ahead_s: float) -> None:
    clock = CameraClock("east", behind_s=5.0)
    assert [clock.corrected(at + ahead_s, at) for at in (100.0, 101.0, 102.0)] == [
        at + ahead_s for at in (100.0, 101.0, 102.0)
    ]
    assert clock.ahead_s == pytest.approx(ahead_s)


@pytest.mark.parametrize("ahead_s", [0.6, 3600.0, -5.1, -3600.0])
def test_a_clock_that_is_wrong_is_moved_and_keeps_its_distances(ahead_s: float) -> None:
    clock = CameraClock("east", behind_s=5.0)
    now = [100.0, 100.1, 100.2]
    assert [clock.corrected(at + ahead_s, at + 0.01) for at in now] == pytest.approx([at + 0.01 for at in now])
    assert clock.ahead_s == pytest.approx(ahead_s - 0.01)


def test_a_clock_that_is_set_back_while_the_camera_is_open_is_moved_again() -> None:
    clock = CameraClock("east", behind_s=5.0)
    assert clock.corrected(100.0, 100.0) == 100.0
    assert clock.corrected(101.0 - 3600, 101.0) == 101.0
    assert clock.corrected(102.0 - 3600, 102.0) == 102.0


def test_frames_that_waited_while_the_process_stood_still_keep_their_times() -> None:
    clock = CameraClock("east", behind_s=5.0)
    assert clock.corrected(100.0, 100.0) == 100.0
    assert [clock.corrected(at, 114.0) for at in (100.2, 100.4, 108.0)] == [100.2, 100.4, 108.0]
    assert clock.corrected(114.2, 114.2) == 114.2


def test_frames_that_stay_old_are_those_of_a_clock_that_is_behind() -> None:
    clock = CameraClock("east", behind_s=5.0)
    assert clock.corrected(100.0, 100.0) == 100.0
    assert clock.corrected(101.0, 115.0) == 101.0
    assert clock.corrected(101.5 + WAITED_S, 115.5 + WAITED_S) == 115.5 + WAITED_S


@given(st.lists(st.tuples(st.floats(0.001, 10.0), st.floats(-1e5, 1e5)), min_size=1))
def test_stamps_ascend_and_stay_near_this_machines_time_whatever_the_clock_does(
    steps: list[tuple[float, float]],
) -> None:
    clock, now, stamps = CameraClock("east", behind_s=5.0), 1e6, []
    near_at = now
    for wait_s, ahead_s in steps:
        now += wait_s
        stamps.append(clock.corrected(now + ahead_s, now))
        assert stamps[-1] <= now + AHEAD_S + 0.001 * len(steps) + 1e-6
        if stamps[-1] >= now - 5.0 - 1e-6:
            near_at = now
        assert now - near_at <= WAITED_S + 10.0
    assert all(later > earlier for earlier, later in pairwise(stamps))


def test_a_senders_clock_that_was_set_right_again_is_shown_as_right_although_the_times_go_on_from_the_last() -> None:
    class LiveSource(MemorySource):
        clock = StreamClock[Frame]("east", is_absolute=True, usual_step_s=0.01)

        def frames(self) -> Iterator[Frame]:
            for frame in super().frames():
                time.sleep(0.01)
                ahead_s = 20.0 if frame.stamp.index < 20 else 0.0
                for each, at in self.clock.push(frame, time.time() + ahead_s):
                    yield replace(each, stamp=replace(each.stamp, captured_at=at))

        def report(self) -> SourceReport:
            return SourceReport(shift_s=self.clock.shift_s)

    source = LiveSource("east", make_frames(60), live=True)
    status = asyncio.run(make_actor(source, FakePipeline(), replace(LIMITS, max_lateness_s=5.0)).run())
    assert source.clock.shift_s == pytest.approx(20.0, abs=1.0)
    assert status.clock_ahead_s == pytest.approx(0.0, abs=1.0)
