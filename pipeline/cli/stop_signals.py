"""SIGINT and SIGTERM ask a command to stop, for as long as its process lives."""

import asyncio
import atexit
import signal
import sys
from contextlib import suppress

NAMES = (signal.SIGINT, signal.SIGTERM)


def end_on_signals() -> None:
    """Let SIGINT and SIGTERM end the process with exit code 0, until ``stop_on_signals`` is called.

    For the seconds in which a run loads its packages and checks its configuration: nothing was written by then.
    """

    def end(*_: object) -> None:
        _ignore()
        print("stopped before the first frame", flush=True)
        sys.exit(0)

    for name in NAMES:
        signal.signal(name, end)


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set; to be called in the main thread, in the loop that waits for it.

    The handlers of a loop fall with the loop, and a signal that comes later, while the process ends in order, would
    kill it with the exit code of a failure. These stay, and a signal that comes later changes nothing.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(*_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: the command has stopped
            loop.call_soon_threadsafe(stop.set)

    for name in NAMES:
        signal.signal(name, ask)
    atexit.register(_ignore)  # Python itself takes its handlers away on the way out, but leaves these
    return stop


def _ignore() -> None:
    for name in NAMES:
        signal.signal(name, signal.SIG_IGN)
