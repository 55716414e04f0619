"""The run under test, started again whenever it ends by itself, as a supervisor would."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from ray_cluster import TwoNodes
from running import ROOT, environment

AGAIN_AFTER_S = 1.0
NEEDS_A_PERSON = 3
"""Exit code of a run that cannot be continued as it is: nothing that a fault may lead to."""


class Job:
    """A run.

    Args:
        overrides: Of the run, without ``output_dir``.
        output: Its folder.
        cluster: The Ray cluster; None: inline.

    Attributes:
        lives: When it was started each time, Unix seconds.
        ends: Exit code of each life that ended by itself or by a fault.
    """

    def __init__(self, overrides: Sequence[str], output: Path, cluster: TwoNodes | None) -> None:
        self.output = output
        self.lives: list[float] = []
        self.ends: list[int] = []
        self._cluster = cluster
        self._overrides = [*overrides, f"output_dir={output}"]
        self._log = (output.parent / f"{output.name}.log").open("ab")
        self._is_over = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    @property
    def log(self) -> Path:
        """What it printed."""
        return Path(self._log.name)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the run: its own, and those of its actors."""
        own = [psutil.Process(self._process.pid)] if self._process.poll() is None else []
        return own + ([] if self._cluster is None else self._cluster.workers())

    def kill(self) -> None:
        """Kill it; it is started again."""
        self._process.kill()

    def stop(self, timeout_s: float) -> int | None:
        """Stop it in order; return the exit code, None if that takes too long."""
        self._is_over.set()
        self._keeper.join()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        finally:
            self._log.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        variables = {"PYTHONPATH": str(ROOT)} if self._cluster is None else self._cluster.variables
        again = ["resume=true"] if self.output.is_dir() else []
        self.lives.append(time.time())
        return subprocess.Popen(
            [sys.executable, "pipeline/run.py", *self._overrides, *again],
            cwd=ROOT,
            env=environment(**variables),
            stdout=self._log,
            stderr=self._log,
        )

    def _keep(self) -> None:
        while not self._is_over.wait(0.2):
            code = self._process.poll()
            if code is None:
                continue
            self.ends.append(code)
            if code == NEEDS_A_PERSON or self._is_over.wait(AGAIN_AFTER_S):
                return
            self._process = self._start()
