"""SIGINT and SIGTERM ask a command to stop, for as long as its process lives."""

import asyncio
import atexit
import signal
from contextlib import suppress

from pipeline.cli.process import STOPS, ignore_signals


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

    for name in STOPS:
        signal.signal(name, ask)
    atexit.register(ignore_signals)  # Python itself takes its handlers away on the way out, but leaves these
    return stop
