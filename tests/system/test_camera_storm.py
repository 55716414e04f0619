"""Many camera commands at once: each is answered, none is lost, nothing is left of cameras that have gone."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from footage import write_clip
from rtsp_server import RtspServer
from running import ROOT, environment
from test_changed_cameras import PUBLIC, camera, seen
from test_faults import summary, wait_for

from pipeline.cli.cameras.changes import check_at_rest
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, SubmittedCameraCommand
from pipeline.ledger.cameras.submit import submit_camera_command

pytestmark = [pytest.mark.shared, pytest.mark.slow]

ADD, REMOVE, CHANGE = CameraCommandKind.ADD, CameraCommandKind.REMOVE, CameraCommandKind.CHANGE
AWAY = "rtsp://127.0.0.1:1/live"
ROUND = (
    (ADD, "here", "done"),
    (ADD, "here", "refused"),
    (CHANGE, "away", "refused"),
    (CHANGE, "here", "done"),
    (REMOVE, "", "done"),
    (REMOVE, "", "refused"),
    (CHANGE, "here", "refused"),
    (ADD, "away", "refused"),
)
"""Commands for one name, and what comes of each."""
SLACK = 3
"""Threads and descriptors that come and go by themselves: the pool of asyncio, a file that is being written."""


def storm(
    process: "subprocess.Popen[bytes]", out: Path, url: str, names: list[str], num_rounds: int
) -> list[SubmittedCameraCommand]:
    """Submit rounds of commands, those of each name from a thread of its own, and return what came of them."""

    def submit(name: str) -> None:
        for kind, where, _ in ROUND * num_rounds:
            entry = {"": None, "here": {"uri": url, "max_fps": 4, "detector": {"min_score": 0.05}}, "away": AWAY}[where]
            submit_camera_command(out, CameraCommand(kind, name, name, 0.0, entry=entry), check_at_rest)

    before = len(CameraBook(out).commands())
    threads = [threading.Thread(target=submit, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def is_answered() -> bool:
        assert process.poll() is None, (out.parent / "log").read_text()
        return not CameraBook(out).commands("pending")

    wait_for(is_answered, 800)
    return CameraBook(out).commands()[before:]


def check_answers(commands: list[SubmittedCameraCommand], names: list[str], num_rounds: int) -> None:
    assert len(commands) == len(names) * num_rounds * len(ROUND)
    for name in names:
        own = [each for each in commands if each.command.camera_id == name]
        expected = [outcome for *_, outcome in ROUND] * num_rounds
        assert [each.state for each in own] == expected, [each.outcome for each in own]
    assert all(each.outcome and "\n" not in each.outcome for each in commands)


def used_by(process_id: int) -> tuple[int, int]:
    """The threads and descriptors of a process."""
    of = Path(f"/proc/{process_id}")
    return len(os.listdir(of / "task")), len(os.listdir(of / "fd"))


def people(out: Path, name: str) -> Iterator[tuple[str, int]]:
    """The start of the camera's session and the person of each sighting."""
    for line in (out / "sightings.jsonl").read_text().splitlines():
        sighting: Any = json.loads(line)
        if sighting["camera_id"] == name:
            yield sighting["track"].split("/")[1], sighting["person_id"]


@pytest.fixture
def media(clip: Path, tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    write_clip(clip, tmp_path / "media/film.mp4", 40)
    return tmp_path / "media"


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("runtime", "names", "num_rounds"),
    [("inline", ["a", "b", "c", "d"], 1), pytest.param("ray", ["a"], 1, marks=pytest.mark.ray)],
    ids=["sixty inline", "sixteen on Ray"],
)
def test_a_storm_of_commands_is_answered_and_leaves_nothing_behind(
    media: Path, tmp_path: Path, shared: Path, runtime: str, names: list[str], num_rounds: int
) -> None:
    out = tmp_path / "out"
    with RtspServer(media) as server:
        url = server.url("film.mp4", endless=True)
        words = [*PUBLIC, f"weights_dir={shared / 'models'}", f"output_dir={out}", f"runtime={runtime}"]
        words += [f"site.cameras={{east: {camera(url)}}}", "matcher.leave_after_s=inf"]
        with (tmp_path / "log").open("wb") as log:  # a pipe that nobody reads would fill
            process = subprocess.Popen(
                [sys.executable, "pipeline/run.py", *words], cwd=ROOT, env=environment(), stdout=log, stderr=log
            )
        try:
            wait_for(lambda: process.poll() is not None or "east" in seen(out), 240)
            check_answers(storm(process, out, url, names, 1), names, 1)
            before = used_by(process.pid)
            check_answers(storm(process, out, url, names, num_rounds), names, num_rounds)
            after = used_by(process.pid)
            count = len(seen(out))
            wait_for(lambda: len(seen(out)) > count, 60)  # the camera that stayed is followed all the time
            # A name that comes back keeps its people.
            sessions = {start for start, _ in people(out, "a")}
            entry = {"uri": url, "max_fps": 4}
            submit_camera_command(out, CameraCommand(ADD, "a", "ann", 0.0, entry=entry), check_at_rest)
            wait_for(lambda: CameraBook(out).commands()[-1].state == "done", 120)
            wait_for(lambda: len([1 for start, _ in people(out, "a") if start not in sessions]) > 5, 120)
            process.send_signal(signal.SIGTERM)
            assert process.wait(90) == 0, (tmp_path / "log").read_text()
        finally:
            process.kill()
            process.wait()
    cameras = summary(out)["cameras"]
    assert set(cameras) == {"east", *names}
    for status in cameras.values():
        assert status["error"] is None
        assert status["frames_read"] == status["frames_processed"] + status["frames_dropped"] + status["bad_frames"]
    assert all(now <= then + SLACK for then, now in zip(before, after, strict=True)), (before, after)
    east = {person for _, person in people(out, "east")}
    assert {person for start, person in people(out, "a") if start not in sessions} & east
