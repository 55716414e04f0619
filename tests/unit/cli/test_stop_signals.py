"""A command that stops on SIGINT and SIGTERM does so at any moment until its process is gone."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = """
import asyncio, atexit, time
from pipeline.cli.stop_signals import stop_on_signals

def late():
    print("on the way out", flush=True)
    time.sleep(0.3)

atexit.register(late)

async def work():
    stop = stop_on_signals()
    print("works", flush=True)
    await asyncio.wait_for(stop.wait(), 20)

asyncio.run(work())
print("its loop is closed", flush=True)
time.sleep(0.3)
"""


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_signals_before_and_after_the_end_of_the_loop_end_in_order(name: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in ("works", "its loop is closed", "on the way out"):
            assert process.stdout.readline().strip() == line
            process.send_signal(name)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("command", [["pipeline/run.py"], ["-m", "pipeline.cli.main", "run"]])
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_a_run_loads_its_packages_end_it_in_order(
    name: signal.Signals, command: list[str], tmp_path: Path
) -> None:
    words = [sys.executable, *command, "site=demo", "runtime=inline", f"output_dir={tmp_path / 'run'}"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not catches(process.pid, signal.SIGTERM):
            assert process.poll() is None
            time.sleep(0.01)
        for _ in range(5):
            process.send_signal(name)
            time.sleep(0.02)
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors) == (0, "stopped before the first frame\n", "")
    assert not (tmp_path / "run").exists()


def catches(pid: int, name: signal.Signals) -> bool:
    """Return whether a process has a handler of its own for a signal."""
    found = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return found is not None and bool(int(found[1], 16) >> (name - 1) & 1)
