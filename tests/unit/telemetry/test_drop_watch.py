import logging

import pytest

from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.drop_watch import DropWatch


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def messages(caplog: pytest.LogCaptureFixture, *minutes: tuple[int, int]) -> list[str]:
    """Return what is said when a camera has processed and dropped so many frames after each minute."""
    clock = Clock()
    watch = DropWatch(clock, load=lambda: 7.25)
    watch.show({"east": CameraStatus()})
    with caplog.at_level(logging.INFO):
        for processed, dropped in minutes:
            clock.now += 60.0
            watch.show({"east": CameraStatus(frames_processed=processed, frames_dropped=dropped)})
    return caplog.messages


def test_a_camera_most_of_whose_frames_are_dropped_is_named_once_with_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (message,) = messages(caplog, (200, 400), (400, 800))
    assert message.startswith("camera east: 67 % of its frames of the last minute were dropped")
    assert "load 7.2 on" in message
    assert "Set its max_fps" in message


def test_a_camera_that_keeps_most_of_its_frames_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    assert messages(caplog, (300, 300), (900, 300)) == []


def test_what_was_dropped_long_ago_does_not_count(caplog: pytest.LogCaptureFixture) -> None:
    assert messages(caplog, (600, 500), (1200, 500), (1800, 500)) == []


def test_the_end_of_it_is_told_and_a_second_time_is_named_again(caplog: pytest.LogCaptureFixture) -> None:
    first, end, second = messages(caplog, (100, 500), (700, 500), (800, 1000))
    assert end == "camera east: 0 % of its frames are dropped now"
    assert "83 %" in first
    assert "83 %" in second


def test_a_camera_that_is_away_or_back_at_a_checkpoint_says_nothing_new(caplog: pytest.LogCaptureFixture) -> None:
    assert len(messages(caplog, (100, 500), (100, 500), (50, 20))) == 1


def test_less_than_a_minute_is_not_judged(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    watch = DropWatch(clock)
    watch.show({"east": CameraStatus()})
    clock.now += 59.0
    watch.show({"east": CameraStatus(frames_dropped=500)})
    assert caplog.messages == []
