"""Runs the program as a user does: as a process of its own."""

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
    """A finished process: exit code, standard output, standard error, seconds that it took."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def errors(self) -> list[str]:
        """The lines of standard error that name a mistake."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of this process without the variables of Ray, with these changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, **changes}


def start(overrides: Sequence[str], *, own_session: bool = False, **changes: str) -> subprocess.Popen[str]:
    """Start a run; with a session of its own, a test can signal all its processes at once."""
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
    """Run to the end."""
    began = time.monotonic()
    process = start(overrides, **changes)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Finished(process.returncode, out, err, time.monotonic() - began)


def interrupt(process: subprocess.Popen[str], timeout_s: float = 60) -> Finished:
    """Send SIGTERM, and wait for the end."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=timeout_s)
    return Finished(process.returncode, out, err, time.monotonic() - began)
