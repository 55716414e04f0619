"""What Ray prints of itself, such as what it cannot place, as lines of this program's log."""

import logging
import re
import sys
import threading
from typing import IO, Any

THREAD = "ray_listen_error_messages"
"""Ray's name of the thread that prints what its nodes report. With another, lines would come as Ray prints them."""

TOLD_BY_US = "infinite retries remaining"
"""Of a call that is made again. ``ProcessWatch`` and ``RestartingCamera`` say which process was replaced."""

PREFIX = re.compile(r"^\(raylet[^)]*\) ")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
DEATH = re.compile(r"Worker IP address: (\S+) .*Worker PID: (\d+) .*Worker exit detail: (.*?)(?: Some common causes|$)")

logger = logging.getLogger(__name__)


def log_messages() -> None:
    """Let Ray's messages go to the log from now on, instead of standard output; other output stays as it is."""
    if not isinstance(sys.stdout, _Stream):
        sys.stdout = _Stream(sys.stdout)


def told(message: str) -> str | None:
    """Return what a message of Ray says, in a line; None for what the log of the run says itself."""
    text = " ".join(COLOURS.sub("", message).split())
    text = PREFIX.sub("", text)
    if not text or TOLD_BY_US in text:
        return None
    if (death := DEATH.search(text)) is not None:
        machine, number, why = death.groups()
        return f"process {number} on {machine} died: {why}"
    return text


class _Stream:
    """Standard output, but for what Ray's thread writes.

    Args:
        stream: The stream; what is asked of it otherwise, it answers.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or log what is a message of Ray's: it writes each in one piece."""
        if threading.current_thread().name != THREAD:
            return self._stream.write(text)
        if (said := told(text)) is not None:
            logger.warning("Ray: %s", said)
        return len(text)
