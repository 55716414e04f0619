"""The process of a command: its standard streams, and how it ends before it can end in order."""

import errno
import io
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from pipeline.core.errors import ConfigError

STOPS = (signal.SIGINT, signal.SIGTERM)
"""Signals that ask a run to stop."""

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells have it: 128 and the number of SIGINT."""


class SteadyOutput:
    """A standard stream that does not fail a run: once nobody can read it, what is written to it is let go.

    Args:
        stream: The stream; what is asked of it otherwise, it answers.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or let go."""
        with suppress(OSError):
            return self._stream.write(text)
        _let_go(self._stream)
        return len(text)

    def flush(self) -> None:
        """Flush, or let go."""
        try:
            self._stream.flush()
        except OSError:
            _let_go(self._stream)


def need_temporary_folder() -> None:
    """Raise ``ConfigError`` if there is no folder for temporary files; libraries fail without one, with other words."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise ConfigError(
            "TMPDIR: expected a folder for temporary files that can be written, got none; name one, or give one to a "
            "container with a read-only root: docker run --tmpfs /tmp"
        ) from error


@contextmanager
def process_of(command: str) -> Iterator[None]:
    """Run a command in this: what goes wrong outside of it becomes a line and an exit code, never a traceback.

    Streams that are closed lead nowhere, and letters that the terminal cannot show are replaced. A run goes on although
    nobody reads what it prints; other commands end then. Ctrl-C ends a command that has not said how it stops yet.
    """
    is_run = command in ("run", "job")
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115 - open until the end
        elif name != "stdin":
            if isinstance(stream, io.TextIOWrapper):  # a program that embeds this may have put another there
                stream.reconfigure(errors="backslashreplace")
            if is_run:
                setattr(sys, name, SteadyOutput(stream))
    if is_run:
        for number in STOPS:
            signal.signal(number, _interrupt)  # until the run listens itself
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        if is_run:
            print("stopped before the first frame")
        sys.exit(0 if is_run else INTERRUPTED)
    except BrokenPipeError:  # the reader has what it wanted
        _let_go(sys.stdout)
        sys.exit(0)
    except PermissionError as error:
        from pipeline.core.errors import denied  # not sooner: it takes longer than all of the above

        print(f"error: {denied(error)}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _let_go(sys.stdout)
        print("error: standard output: no room is left where it is written to; make room there", file=sys.stderr)
        sys.exit(1)


def _interrupt(*_: object) -> None:
    ignore_signals()  # more of them would break the way out
    raise KeyboardInterrupt


def _let_go(stream: IO[str]) -> None:
    """Lead a stream nowhere; Python flushes it at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def ignore_signals() -> None:
    """Let no later SIGINT or SIGTERM disturb the way out."""
    for name in STOPS:
        signal.signal(name, signal.SIG_IGN)
