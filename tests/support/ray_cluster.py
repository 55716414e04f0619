"""A Ray cluster of a test's own, on loopback."""

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from running import environment

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
