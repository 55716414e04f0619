"""Damaged recordings, wrong clocks and long waits, as a user meets them: the whole program."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from running import ROOT, Finished, run, start

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def overrides(shared: Path, cameras: str, folder: Path) -> list[str]:
    return [
        "runtime=inline",
        "site=empty",
        f"site.cameras={{{cameras}}}",
        f"weights_dir={shared / 'models'}",
        f"output_dir={folder}",
    ]


def test_a_damaged_recording_is_summed_up_with_what_was_left_out(shared: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", num_frames=40, noisy=True)
    data = bytearray(clip.read_bytes())
    half = len(data) // 2
    data[half : half + 2000] = bytes(2000)
    clip.write_bytes(data)
    finished = run(overrides(shared, f"east: {clip}", tmp_path / "out"))
    assert finished.code == 0, finished.err
    camera = json.loads((tmp_path / "out/summary.json").read_text())["cameras"]["east"]
    assert camera["bad_frames"] == len(camera["bad_frame_times"]) > 0
    assert camera["frames_read"] == camera["frames_processed"] + camera["frames_dropped"] + camera["bad_frames"] == 40
    assert camera["error"] is None
    assert finished.err.count("camera east: left out a bad frame at ") == 1


def test_control_c_ends_a_replay_that_waits_through_a_hole_of_ten_minutes(shared: Path, tmp_path: Path) -> None:
    times_ms = [*range(0, 1000, 100), *range(600_000, 601_000, 100)]
    clip = make_clip(tmp_path / "hole.mp4", num_frames=20, times_ms=times_ms)
    process = start([*overrides(shared, f"east: {clip}", tmp_path / "out"), "replay.speed=1"])
    deadline = time.monotonic() + 120
    while not (tmp_path / "out/config.yaml").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(4)  # well into the hole
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert time.monotonic() - began < 15
    camera = json.loads((tmp_path / "out/summary.json").read_text())["cameras"]["east"]
    assert camera["frames_processed"] == 10
    assert (tmp_path / "out/mot/east.txt").exists()
    (gap,) = camera["gaps"]
    assert (gap["outcome"], round(gap["seconds"])) == ("kept", 599)


def test_pictures_to_enrol_that_cannot_be_read_are_named_by_their_key(shared: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", num_frames=5)
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna/1.jpg").write_bytes(np.arange(200, dtype=np.uint8).tobytes())
    finished = run([*overrides(shared, f"east: {clip}", tmp_path / "out"), f"enrol={{anna: {tmp_path / 'anna'}}}"])
    assert finished.code == 2
    (line,) = finished.errors
    assert line.startswith("error: enrol.anna: ")
    assert "site.cameras" not in line


DEMO = ROOT / "connectors/synthetic/demo"


def continued(shared: Path, folder: Path, path: Path, **options: float) -> Finished:
    """Run on a recording of camera east, and continue what is in the folder."""
    folder.mkdir(exist_ok=True)
    block = ", ".join([f"uri: {path}", *(f"{key}: {value}" for key, value in options.items())])
    return run([*overrides(shared, f"east: {{{block}}}", folder), "resume=true"])


def test_a_run_is_continued_with_a_later_recording_and_refuses_another_one_of_the_same_time(
    shared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert continued(shared, out, DEMO / "west.mp4", seconds=5).code == 0
    before = json.loads((out / "summary.json").read_text())
    assert before["sightings"] > 0
    lines = (out / "mot/east.txt").read_text().splitlines()
    refused = continued(shared, out, DEMO / "gate.mp4", seconds=5)
    assert refused.code == 2
    (line,) = refused.errors
    assert line.startswith("error: resume: expected the recording that the run in ")
    assert "set its site.cameras.east.starts_at" in line
    same = continued(shared, out, DEMO / "west.mp4", seconds=5)
    assert same.code == 0
    assert json.loads((out / "summary.json").read_text())["passed_over"] > 0
    for _ in range(2):  # begun, and continued itself
        assert continued(shared, out, DEMO / "west.mp4", seconds=4, starts_at=1000.0).code == 0
        after = json.loads((out / "summary.json").read_text())
        assert after["sightings"] > before["sightings"]
        together = (out / "mot/east.txt").read_text().splitlines()
        assert together[: len(lines)] == lines
        numbers = [int(line.split(",")[0]) for line in together[len(lines) :]]
        assert numbers
        assert 50 < min(numbers) <= max(numbers) <= 90


def test_a_killed_run_is_continued_with_frames_behind_the_last_one_in_which_it_saw_somebody(
    shared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert continued(shared, out, DEMO / "west.mp4", seconds=3).code == 0
    (out / "summary.json").unlink()  # a run that is killed leaves none
    seen_until = max(int(line.split(",")[0]) for line in (out / "mot/east.txt").read_text().splitlines())
    assert continued(shared, out, DEMO / "west.mp4", seconds=3, starts_at=1000.0).code == 0
    assert json.loads((out / "recordings.json").read_text())["east"]["first_index"] == seen_until


def test_a_run_that_saw_nobody_is_not_continued_with_a_recording_that_begins_no_later(
    shared: Path, tmp_path: Path
) -> None:
    clips = [make_clip(tmp_path / f"{number}.mp4", num_frames=10 + number) for number in range(3)]
    assert continued(shared, tmp_path / "out", clips[0], starts_at=100).code == 0
    for starts_at in (100, 50):
        refused = continued(shared, tmp_path / "out", clips[1], starts_at=starts_at)
        assert refused.code == 2
        assert f"another one, which begins at {starts_at} s, and that one at 100 s" in refused.err
    assert continued(shared, tmp_path / "out", clips[1], starts_at=101).code == 0
    assert continued(shared, tmp_path / "out", clips[2], starts_at=100.5).code == 2
