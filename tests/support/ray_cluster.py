"""Ray clusters of a test's own, on this machine."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from rtsp_server import free_port
from running import ROOT, environment

ACTORS = tuple(f"ray::{kind}" for kind in ("camera", "detect", "pose", "embed", "match"))
"""How the titles of the processes of a run begin."""

SECOND = '--resources={"second": 1000}'

RAY = Path(sys.executable).with_name("ray")


def cluster_environment(**changes: str) -> dict[str, str]:
    """Return the environment of a cluster that nobody else can join."""
    return environment(
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        PATH=f"{RAY.parent}{os.pathsep}{os.environ['PATH']}",
        **changes,
    )


def end_node(node: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """End a node with all of its processes."""
    everything = [psutil.Process(node.pid), *psutil.Process(node.pid).children(recursive=True)]
    node.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(everything, timeout=20)
    for process in left:
        process.kill()
    node.communicate()


class TwoNodes:
    """A cluster of two nodes of this machine.

    Other nodes can join only a head that listens on all interfaces; nobody has its token. The first has the resource
    ``first``, the second has ``second``, each a thousand times.

    Attributes:
        variables: The environment of a run on it.
    """

    def __init__(self) -> None:
        self.variables = cluster_environment(PYTHONPATH=str(ROOT))
        self.variables["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "1"
        self._folder = tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True)  # sockets: short
        port = free_port()
        self._address = f"127.0.0.1:{port}"
        self._head = self._start(
            *("--head", f"--port={port}", f"--temp-dir={self._folder.name}", "--include-dashboard=false"),
            '--resources={"first": 1000}',
        )
        self.variables["RAY_ADDRESS"] = self._address
        self._second = self._start(f"--address={self._address}", SECOND)

    def _start(self, *words: str) -> "subprocess.Popen[str]":
        command = [RAY, "start", "--block", "--num-cpus=4", "--node-ip-address=127.0.0.1", *words]
        node = subprocess.Popen(
            command, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert node.stdout is not None
        said = ""
        for line in node.stdout:
            said += line
            if "Ray runtime started" in line:
                return node
        raise AssertionError(said)

    def lose_node(self) -> int:
        """Kill the second node with all its processes; return how many of them were actors of a run."""
        num_actors = len(self._actors(self._second.pid))
        lost = [psutil.Process(self._second.pid), *_below(self._second.pid)]
        for process in lost:
            with suppress(psutil.Error):
                process.kill()
        self._second.communicate()
        return num_actors

    def bring_node_back(self) -> None:
        """Start another second node."""
        self._second = self._start(f"--address={self._address}", SECOND)

    def workers(self) -> list[psutil.Process]:
        """Return the processes of the run's actors, in order of their age."""
        found = [*self._actors(self._head.pid), *self._actors(self._second.pid)]
        return sorted(found, key=lambda process: (process.create_time(), process.pid))

    def close(self) -> None:
        """End both nodes."""
        for node in (self._second, self._head):
            if node.poll() is None:
                end_node(node)
        self._folder.cleanup()

    def _actors(self, pid: int) -> list[psutil.Process]:
        return [process for process in _below(pid) if _title(process).startswith(ACTORS)]


def _below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
