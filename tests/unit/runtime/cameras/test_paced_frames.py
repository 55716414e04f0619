"""How the frames of a recording are paced."""

import math
import threading
import time

import numpy as np
import pytest
from factories import make_frame, make_stamp

from connectors.sources.memory import MemorySource
from pipeline.camera.privacy_mask import GREY, MaskedSource, parse_masks
from pipeline.core import Frame, FrameStamp
from pipeline.runtime.cameras.camera_clock import CameraClock
from pipeline.runtime.cameras.paced_frames import PacedFrames
from pipeline.runtime.plan import CameraIntake
from pipeline.telemetry.camera_status import CameraStatus


def paced(times: list[float], speed: float = 1.0, max_fps: float | None = None) -> PacedFrames:
    frames = [make_frame(make_stamp(index=index, captured_at=at)) for index, at in enumerate(times)]
    source = MemorySource("east", frames)
    clock = CameraClock("east", behind_s=5.0)
    return PacedFrames(source, input_hw=(64, 64), speed=speed, clock=clock, intake=CameraIntake(max_fps=max_fps))


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
    assert time.monotonic() - began < 10
    assert got == [0]
    assert reading.waits_s == 0


def test_as_fast_as_possible_nothing_is_waited_for() -> None:
    began = time.monotonic()
    assert len(list(paced([0.0, 1e9], speed=float("inf")).read())) == 2
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("fps", [25, 30, 10, 12.5])
@pytest.mark.parametrize("max_fps", [10.0, 5.0, 1.0])
def test_so_many_frames_a_second_are_taken_as_evenly_as_they_come(fps: float, max_fps: float) -> None:
    reading = paced([index / fps for index in range(int(20 * fps))], speed=math.inf, max_fps=max_fps)
    times = [item.frame.stamp.captured_at for item in reading.read()]
    assert len(times) == pytest.approx(20 * max_fps, abs=1)
    steps = np.diff(times)
    assert steps.min() > 1 / max_fps - 1.01 / fps
    assert steps.max() < 1 / max_fps + 1.01 / fps


def test_a_rate_at_which_people_are_lost_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    list(paced([index / 2 for index in range(60)], speed=math.inf).read())
    assert caplog.text.count("camera east gives 2.0 frames/s") == 1
    caplog.clear()
    list(paced([index / 10 for index in range(60)], speed=math.inf).read())
    assert caplog.text == ""


def test_the_offset_of_a_camera_is_added_to_its_times() -> None:
    frames = [make_frame(make_stamp(index=index, captured_at=float(index))) for index in range(3)]
    clock = CameraClock("east", behind_s=5.0)
    intake = CameraIntake(offset_s=-2.5)
    reading = PacedFrames(MemorySource("east", frames), input_hw=(64, 64), speed=math.inf, clock=clock, intake=intake)
    assert [item.frame.stamp.captured_at for item in reading.read()] == [-2.5, -1.5, -0.5]


def test_frames_of_a_later_recording_are_numbered_on_and_continued_by_their_own_number() -> None:
    frames = [make_frame(make_stamp(index=index, captured_at=float(index))) for index in range(6)]
    intake, clock = CameraIntake(first_index=100), CameraClock("east", behind_s=5.0)

    def reading() -> PacedFrames:
        return PacedFrames(MemorySource("east", frames), input_hw=(64, 64), speed=math.inf, clock=clock, intake=intake)

    stamps = [item.frame.stamp for item in reading().read()]
    assert [stamp.index for stamp in stamps] == list(range(100, 106))
    after = reading()
    after.go_on(stamps[3], CameraStatus("east"), None)
    assert [item.frame.stamp for item in after.read()] == stamps[4:]


def test_a_mask_in_pixels_stays_where_it_was_drawn_when_another_process_goes_on() -> None:
    frames = [Frame(FrameStamp("east", index, float(index)), np.full((80, 120, 3), 255, np.uint8)) for index in (0, 1)]
    masks = parse_masks({"yard": {"camera": "east", "polygon": [[30, 0], [60, 0], [60, 40], [30, 40]]}})["east"]
    source = MaskedSource(lambda: MemorySource("east", frames), masks)
    after = PacedFrames(source, input_hw=(64, 64), speed=math.inf, clock=CameraClock("east", behind_s=5.0))
    after.go_on(frames[0].stamp, CameraStatus("east"), (40, 60))
    (item,) = after.read()
    assert (item.frame.image[:, 30:] == GREY).all(), "the right half, as in the first picture of 60x40"
    assert (item.frame.image[:, :29] == 255).all()
