"""Event time: the same windows in the same order, whichever camera was faster."""

from dataclasses import replace
from math import inf

import pytest
from factories import make_embedding, make_path
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import Embedding, TrackId
from pipeline.core.records.view_event import ViewEvent, ViewEventKind, ViewReport
from pipeline.runtime.event_time import EventTimeBuffer


def embedding(camera_id: str, at: float, number: int = 1) -> Embedding:
    return make_embedding(TrackId(camera_id, 0, number), path=make_path(first=round(at * 10), length=1))


def names(windows: list[tuple[float, list[Embedding]]]) -> list[tuple[float, list[str]]]:
    return [(end, [str(e.track_id) for e in window]) for end, window in windows]


def test_nothing_is_released_before_every_camera_has_passed() -> None:
    buffer = EventTimeBuffer(["east", "west"], window_s=1.0)
    buffer.add(embedding("east", 0.3))
    buffer.advance("east", 5.0)
    assert buffer.release() == []
    buffer.advance("west", 0.9)
    assert buffer.release() == []
    buffer.advance("west", 1.0)
    assert names(buffer.release()) == [(1.0, ["east/0/1"])]


def test_a_camera_that_has_ended_does_not_hold_the_others_back() -> None:
    buffer = EventTimeBuffer(["east", "west"], window_s=1.0)
    buffer.add(embedding("east", 0.3))
    buffer.advance("west", inf)
    buffer.advance("east", 1.0)
    assert len(buffer.release()) == 1


def test_a_live_camera_far_behind_does_not_hold_the_others_back_and_is_counted_as_late() -> None:
    buffer = EventTimeBuffer(["east", "west"], window_s=1.0, max_lateness_s=3.0)
    buffer.add(embedding("east", 0.3))
    buffer.advance("west", 0.0)
    buffer.advance("east", 2.5)
    assert buffer.release() == []
    buffer.advance("east", 3.5)
    assert names(buffer.release()) == [(1.0, ["east/0/1"])]
    buffer.add(embedding("west", 0.2))
    assert buffer.num_late == 1
    assert names(buffer.release()) == [(1.0, ["west/0/1"])]


@pytest.mark.parametrize("hour_s", [3600.0, -3600.0], ids=["forward", "back"])
@pytest.mark.parametrize("jumping", ["east", "east and west"])
def test_a_clock_that_jumps_an_hour_stalls_no_camera_and_loses_no_embedding(hour_s: float, jumping: str) -> None:
    buffer = EventTimeBuffer(["east", "west"], window_s=1.0, max_lateness_s=3.0)
    released = []
    for second in range(20):
        for camera_id in ("east", "west"):
            at = 10_000.0 + second + (hour_s if second >= 10 and camera_id in jumping else 0.0)
            buffer.add(embedding(camera_id, at, second))
            buffer.advance(camera_id, at)
        released += buffer.release()
        assert len(buffer) <= 8  # nothing waits for longer than before
    for camera_id in ("east", "west"):
        buffer.advance(camera_id, inf)
    released += buffer.release()
    assert sorted(name for _, window in names(released) for name in window) == sorted(
        f"{camera_id}/0/{second}" for camera_id in ("east", "west") for second in range(20)
    )
    assert [end for end, _ in released] == sorted(end for end, _ in released)
    assert (buffer.num_late > 0) == (
        hour_s < 0 or jumping == "east"
    )  # embeddings of cameras that are behind are counted


def test_a_run_that_continues_after_the_clock_was_set_back_still_releases() -> None:
    buffer = EventTimeBuffer(["east"], window_s=1.0, max_lateness_s=3.0)
    buffer.resume(10_000.0)
    buffer.add(embedding("east", 6400.0))
    assert names(buffer.release()) == [(10_000.0, ["east/0/1"])]


moments = st.lists(st.integers(0, 60).map(lambda tenth: tenth / 10), min_size=1, max_size=12).map(sorted)


@given(cameras=st.dictionaries(st.sampled_from("abc"), moments, min_size=1), seed=st.randoms(use_true_random=False))
def test_windows_do_not_depend_on_which_camera_was_faster(cameras, seed) -> None:
    def released(turns: list[str]) -> list[tuple[float, list[str]]]:
        buffer = EventTimeBuffer(sorted(cameras), window_s=0.5)
        windows = []
        left = {camera_id: list(enumerate(times)) for camera_id, times in cameras.items()}
        for camera_id in turns:
            number, at = left[camera_id].pop(0)
            buffer.add(embedding(camera_id, at, number))
            buffer.advance(camera_id, at)
            windows += buffer.release()
        for camera_id in cameras:
            buffer.advance(camera_id, inf)
        windows += buffer.release()
        assert buffer.num_late == 0
        return names(windows)

    in_turn = [camera_id for camera_id, times in sorted(cameras.items()) for _ in times]
    shuffled = list(in_turn)
    seed.shuffle(shuffled)
    assert released(in_turn) == released(shuffled)


@given(number=st.integers(0, 10**6), window_s=st.sampled_from([0.1, 0.2, 0.3, 0.7, 1 / 3]))
def test_an_embedding_at_the_watermark_is_not_late_whatever_the_window(number: int, window_s: float) -> None:
    at = number * window_s  # divided by window_s, this may be rounded to less than number
    one = embedding("east", 0.0)
    buffer = EventTimeBuffer(["east"], window_s=window_s)
    buffer.add(replace(one, completed_at=at - window_s / 2))
    buffer.advance("east", at)
    buffer.release()
    buffer.add(replace(one, completed_at=at))
    assert buffer.num_late == 0
    assert buffer.release() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.booleans()), max_size=40))
def test_nothing_is_lost_or_doubled_even_if_it_is_late(steps) -> None:
    buffer = EventTimeBuffer("ab", window_s=0.5, max_lateness_s=1.0)
    added, windows = [], []
    for number, (camera_id, tenth, advances) in enumerate(steps):
        added.append(f"{camera_id}/0/{number}")
        buffer.add(embedding(camera_id, tenth / 10, number))
        if advances:
            buffer.advance(camera_id, tenth / 10)
        windows += buffer.release()
    for camera_id in "ab":
        buffer.advance(camera_id, inf)
    windows += buffer.release()
    assert sorted(name for _, window in names(windows) for name in window) == sorted(added)
    assert [end for end, _ in windows] == sorted(end for end, _ in windows)
    assert len(buffer) == 0


def test_time_passes_where_nobody_is_seen() -> None:
    buffer = EventTimeBuffer(["east"], window_s=0.5)
    buffer.advance("east", 100.0)
    buffer.advance("east", 112.0)
    assert buffer.release() == [(105.5, []), (110.5, [])]
    buffer.add(embedding("east", 120.2))
    buffer.advance("east", 130.0)
    windows = buffer.release()
    assert [(now, len(items)) for now, items in windows] == [(115.5, 0), (120.5, 1), (125.5, 0)]


TENTHS = st.lists(st.integers(0, 1000).map(lambda tenths: tenths / 10), max_size=8)


@settings(max_examples=50, deadline=None)
@given(TENTHS, TENTHS, st.integers(0, 7))
def test_how_often_a_camera_tells_its_time_does_not_matter(
    seen_at: list[float], told_at: list[float], resumed_after: int
) -> None:
    def released(marks: list[float]) -> list[tuple[float, int]]:
        buffer, found = EventTimeBuffer(["east"], window_s=0.5), []
        buffer.advance("east", 0.0)
        before = 0.0
        for number, mark in enumerate(marks):
            for moment in sorted(moment for moment in seen_at if before <= moment < mark):
                buffer.add(embedding("east", moment))
            buffer.advance("east", mark)
            before = max(before, mark)
            found += [(now, len(items)) for now, items in buffer.release()]
            if number == resumed_after and found:
                busy = [now for now, num in found if num]
                buffer.resume(found[-1][0], busy[-1] if busy else -inf)
        return found

    assert released([*sorted(told_at), 100.5]) == released([100.5])


def test_a_hole_of_fifty_years_is_bridged_in_few_windows() -> None:
    buffer = EventTimeBuffer(["east"], window_s=0.5)
    buffer.add(embedding("east", 1.0))
    buffer.add(embedding("east", 1.6e9))
    buffer.advance("east", 0.0)
    buffer.advance("east", inf)
    assert len(buffer.release()) < 2000


def test_a_report_of_a_view_is_released_in_its_turn() -> None:
    buffer = EventTimeBuffer(["east"], window_s=0.5)
    report = ViewReport("east", 2.2, ViewEvent(ViewEventKind.BLACK, 1.0))
    buffer.add(report)
    buffer.add(embedding("east", 2.1))
    buffer.advance("east", 2.6)
    ((now, items),) = buffer.release()
    assert (now, items[1], buffer.num_late) == (2.5, report, 0)
