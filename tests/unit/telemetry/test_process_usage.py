"""Processor time and memory of a process and those below it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.telemetry.process_usage import ProcessUsage, usage_below

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells it")


def test_what_a_child_uses_counts() -> None:
    own, _ = usage_below(os.getpid())
    assert own.rss_mb > own.pss_mb > 5
    work = (
        "import time; a = b'x' * 50_000_000\nwhile time.process_time() < .3: pass\nprint(1, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        _, below = usage_below(os.getpid())
        assert below.num >= 1  # what earlier tests left may not have ended yet
        assert below.cpu_s >= 0.25
        assert below.pss_mb > 50
    finally:
        child.kill()
        child.communicate()


def test_time_of_children_that_have_ended_stays() -> None:
    before = usage_below(os.getpid())[0].cpu_s
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < .2: pass"], check=True)
    assert usage_below(os.getpid())[0].cpu_s - before >= 0.2


def test_a_process_that_is_gone_uses_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert usage_below(child.pid) == (ProcessUsage(), ProcessUsage())


def test_usages_add_up() -> None:
    assert ProcessUsage(1, 2, 3, 4, 5) + ProcessUsage(1, 1, 1, 1, 1) == ProcessUsage(2, 3, 4, 5, 6)
