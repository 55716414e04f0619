import io
import logging
import sys

import pytest

from pipeline.telemetry import progress
from pipeline.telemetry.camera_status import CameraStatus
from pipeline.telemetry.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def status(frames: int = 0, error: str | None = None, waits_s: float = 0.0) -> CameraStatus:
    return CameraStatus(
        frames_processed=frames,
        frames_dropped=3,
        bad_frames=1,
        tracklets=12,
        people_now=2,
        lag_s=0.5,
        waits_s=waits_s,
        error=error,
    )


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_without_a_terminal_a_line_is_logged_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    with caplog.at_level(logging.INFO), Progress() as shown:
        for second in range(12):
            clock.now = 100.0 + second
            shown.show({"east": status(10 * second)})
    assert caplog.messages == ["camera east: 100 frames, 10.0 fps, 3 dropped, 1 bad, lag 0.5 s, people now 2"]


def test_it_says_how_long_a_replay_waits_for_its_next_frame(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    with caplog.at_level(logging.INFO), Progress() as shown:
        clock.now = 110.0
        shown.show({"east": status(waits_s=311.8)})
    assert caplog.messages[0].endswith("people now 2; waits 312 s for the next frame")


def test_without_a_terminal_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as shown:
        shown.show({"east": status()})
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_a_table_with_every_camera_and_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with Progress() as shown:
        shown.show({"east": status(1234), "west": status(5, error="no route to host")})
    text = terminal.getvalue()
    assert all(word in text for word in ("people now", "east", "1,234", "west", "no route to host"))


def test_an_error_with_brackets_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with Progress() as shown:
        shown.show({"east": status(error="[Errno 5] [/dev/video0] lost")})
    assert "[Errno 5] [/dev/video0] lost" in terminal.getvalue()
