"""Joins a Ray cluster or starts one, and leaves it. No other module does so for a run."""

import logging
import os
import secrets
import signal
import sys
from pathlib import Path

from pipeline.core.errors import ConnectorError, ProcessLostError
from pipeline.telemetry.ray_messages import log_messages

ROOT = Path(__file__).resolve().parents[2]


def join_cluster() -> None:
    """Join the cluster that RAY_ADDRESS names, as in a submitted job, or start one on this machine.

    To be called in the main thread, before any other module imports Ray. SIGTERM keeps the handler it had.

    Raises:
        ConnectorError: If there is no such cluster, or it does not start.
    """
    is_own = not os.environ.get("RAY_ADDRESS")
    if is_own:
        _set_up_environment()
    import ray

    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if is_own:
            joined = ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(ROOT), *_own_folders()])}},
            )
        else:
            joined = ray.init(log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises bare ones; each would be a traceback of its own insides
        where = "a cluster on this machine" if is_own else f"the cluster at {os.environ['RAY_ADDRESS']}"
        raise ConnectorError(
            f"runtime=ray: expected {where}, got {error or type(error).__name__}; try again, or choose runtime=inline"
        ) from error
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own handler ends the process at once and drains nothing
    ProcessLostError.logs = str(Path(joined.address_info["session_dir"]) / "logs")
    log_messages()


def _own_folders() -> list[str]:
    """Return the folders of PYTHONPATH, where plug-ins may be; workers may be in another folder than this process."""
    return [os.path.abspath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]


def leave_cluster() -> None:
    """Leave the cluster, and end it if this process started it. Does nothing if none was joined."""
    if "ray" not in sys.modules:
        return
    import ray

    if ray.is_initialized():
        ray.shutdown()


def _set_up_environment() -> None:
    """Set what Ray reads for a cluster of our own: every listener on loopback, and a token that only this run knows.

    Ray reads RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER, which decides the address it listens on, while it is imported. It
    reads RAY_AUTH_MODE and RAY_AUTH_TOKEN only once, and may do so as early. Therefore all are set before the import.
    """
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
