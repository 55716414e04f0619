"""Joining a Ray cluster, and leaving it."""

import logging
import os
import signal
from pathlib import Path

import ray

ROOT = Path(__file__).resolve().parents[2]


def join_cluster() -> None:
    """Join the cluster that RAY_ADDRESS names (as in a submitted job), or start one on this machine.

    To be called in the main thread. What SIGTERM does stays as it was.
    """
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        _init()
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own handler ends the process at once, nothing drained


def _init() -> None:
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
        return
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )


def leave_cluster() -> None:
    """Leave the cluster, and end it if it is our own; does nothing if none was joined."""
    if ray.is_initialized():
        ray.shutdown()
