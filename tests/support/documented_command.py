"""Runs ``passerby``, ``python``, ``make`` or ``pytest`` as a document shows it, in less time.

Usage: ``documented_command.py do|check TOOL ARGUMENT…``

- A run takes one process and a few seconds of its recordings, unless it says otherwise.
- What serves until Ctrl-C is interrupted.
- ``make`` only says what it would do, and ``pytest`` whether there are such tests.
- ``check`` is for what cannot run here: a run is only composed. So is a run with network cameras.
"""

import os
import signal
import sys
import threading
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TextIO

from pipeline.cli.main import main

ELSEWHERE = ("rtsp://", "rtsps://", "s3://", "gs://")
"""Addresses of cameras and recordings that are not on this machine."""
SECONDS = "source.file.seconds=2"
TAIL_S = 4.0
"""``passerby alerts tail`` is interrupted after so many seconds; it says nothing before the first alert."""


class Interrupting(StringIO):
    """Standard output that interrupts the process once it has told an address to open."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str, /) -> int:
        if "http://" in text:
            interrupt_in(0.5)
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


def interrupt_in(seconds: float) -> None:
    threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGINT]).start()


def passerby(words: list[str], *, is_checked: bool) -> None:
    command = words[0] if words else ""
    is_checked = is_checked or any(address in word for word in words for address in ELSEWHERE)
    if command in ("run", "evaluate", "bench"):
        if not any(word.startswith("runtime=") for word in words):
            words = [*words, "runtime=inline"]
        if not any(word.startswith("source.file.seconds=") for word in words):
            words = [*words, SECONDS]
        if is_checked:
            overrides = (
                word
                for word in words[1:]
                if word not in ("cameras", "profile", "scale") and not word.startswith("bench")
            )
            words = ["run", *overrides, "--cfg", "job"]
    elif is_checked:
        words = [*words[:1], "--help"]
    elif command == "console":
        sys.stdout = Interrupting(sys.stdout)
        words = [*words, "--port", "0"]
    elif words[:2] == ["alerts", "tail"]:
        import_module("pipeline.cli.alerts")  # first, because Ctrl-C ends it in order only once it is there
        interrupt_in(TAIL_S)
    sys.argv = ["passerby", *words]
    main()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, a shell has it ignored
    mode, tool, *arguments = sys.argv[1:]
    if tool == "python":
        if arguments[0] == "pipeline/run.py":
            tool, arguments = "passerby", ["run", *arguments[1:]]
        elif mode == "check":
            sys.exit(0)  # that the module exists, test_documents.py holds
        else:
            os.execv(sys.executable, [sys.executable, *arguments])
    if tool == "make":
        os.execvp("/usr/bin/make", ["make", "--dry-run", *arguments])
    if tool == "pytest":
        files = [word for word in arguments if word.startswith(("tests/", "pipeline/"))]
        sys.exit(not all(Path(file).exists() for file in files))
    passerby(arguments, is_checked=mode == "check")
