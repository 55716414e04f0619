"""How the frames of a recording are paced."""

import threading
import time

from factories import make_frame, make_stamp

from connectors.sources.memory import MemorySource
from pipeline.runtime.camera_clock import CameraClock
from pipeline.runtime.paced_frames import PacedFrames


def paced(times: list[float], speed: float = 1.0) -> PacedFrames:
    frames = [make_frame(make_stamp(index=index, captured_at=at)) for index, at in enumerate(times)]
    return PacedFrames(MemorySource("east", frames), input_hw=(64, 64), speed=speed, clock=CameraClock(behind_s=5.0))


def test_frames_come_when_they_are_due() -> None:
    began = time.time()
    arrived = [(item.arrival.due_at, time.time()) for item in paced([0.0, 0.4, 0.8], speed=4.0).read()]
    for number, (due_at, at) in enumerate(arrived):
        assert 0.1 * number - 0.01 < due_at - began < 0.1 * number + 0.5
        assert at >= due_at


def test_a_wait_of_ten_minutes_is_said_and_ends_at_once_when_it_is_closed() -> None:
    reading = paced([0.0, 600.0])
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.extend(item.frame.stamp.index for item in reading.read()))
    thread.start()
    deadline = time.monotonic() + 10
    while reading.waits_s == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 590 < reading.waits_s <= 600
    began = time.monotonic()
    reading.close()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - began < 1
    assert got == [0]
    assert reading.waits_s == 0


def test_as_fast_as_possible_nothing_is_waited_for() -> None:
    began = time.monotonic()
    assert len(list(paced([0.0, 1e9], speed=float("inf")).read())) == 2
    assert time.monotonic() - began < 5
