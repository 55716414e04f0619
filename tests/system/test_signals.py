"""SIGTERM and SIGINT end a run in order, on every runtime and however often they come."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from running import start

pytestmark = [pytest.mark.shared, pytest.mark.slow]

RUNTIMES = ["inline", pytest.param("ray", marks=pytest.mark.ray)]


def begin(runtime: str, shared: Path, folder: Path, *, own_session: bool = False) -> subprocess.Popen[str]:
    footage = shared / "data/pets09/vtest.avi"
    overrides = [f"site.cameras={{east: {footage}}}", "replay.speed=1", f"weights_dir={shared / 'models'}"]
    process = start([f"runtime={runtime}", *overrides, f"output_dir={folder}"], own_session=own_session)
    deadline = time.monotonic() + 90
    while not ((folder / "sightings.jsonl").exists() and (folder / "sightings.jsonl").read_text()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no person was seen"
        time.sleep(0.1)
    return process


def assert_a_summary_is_left(process: subprocess.Popen[str], folder: Path) -> None:
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    summary = json.loads((folder / "summary.json").read_text())
    east = summary["cameras"]["east"]
    assert 5 < east["frames_processed"] < 795
    assert east["frames_read"] == east["frames_processed"] + east["frames_dropped"] + east["bad_frames"]
    lines = (folder / "sightings.jsonl").read_text().splitlines()
    assert summary["sightings"] == len([json.loads(line) for line in lines])
    assert (folder / "mot/east.txt").read_text()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_signal_drains_and_sums_up(runtime: str, name: str, shared: Path, tmp_path: Path) -> None:
    process = begin(runtime, shared, tmp_path)
    began = time.monotonic()
    process.send_signal(signal.Signals[name])
    assert_a_summary_is_left(process, tmp_path)
    assert time.monotonic() - began < 25  # flow.drain_s, and Ray's own end


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_repeated_signals_change_nothing(runtime: str, shared: Path, tmp_path: Path) -> None:
    process = begin(runtime, shared, tmp_path)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    assert_a_summary_is_left(process, tmp_path)


@pytest.mark.ray
def test_control_c_in_a_terminal_reaches_every_process_and_still_sums_up(shared: Path, tmp_path: Path) -> None:
    process = begin("ray", shared, tmp_path, own_session=True)
    os.killpg(process.pid, signal.SIGINT)
    assert_a_summary_is_left(process, tmp_path)
