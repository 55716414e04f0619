"""Runs the program as a user does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Finished:
    """What a run left: exit code, standard output, the error lines of standard error, seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, **changes}


def start(overrides: Sequence[str], *, own_session: bool = False, **changes: str) -> subprocess.Popen[str]:
    """Start it; in a session of its own, a test can signal all of its processes at once."""
    return subprocess.Popen(
        [sys.executable, "pipeline/run.py", *overrides],
        cwd=ROOT,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_session,
    )


def run(overrides: Sequence[str], timeout_s: float = 120, **changes: str) -> Finished:
    began = time.monotonic()
    process = start(overrides, **changes)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Finished(process.returncode, out, err, time.monotonic() - began)


def interrupt(process: subprocess.Popen[str], timeout_s: float = 60) -> Finished:
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=timeout_s)
    return Finished(process.returncode, out, err, time.monotonic() - began)
