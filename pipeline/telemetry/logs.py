"""Logs on standard error: JSON lines for machines, plain lines on a terminal; and in files. Set up once a process."""

import json
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pipeline.core.errors import ConfigError


class JsonFormatter(logging.Formatter):
    """One JSON object for each record: time, level, logger, message, and the trace of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of JSON."""
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up_logs(level: int = logging.INFO) -> None:
    """Send all logs to standard error; standard output is for the results."""
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    else:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("pipeline", "models", "connectors"):
        logging.getLogger(name).setLevel(level)


def log_to_file(path: Path, *, max_bytes: int, num_files: int) -> None:
    """Send all logs of this process to a file as well; it is renamed when it is full, and the oldest is deleted.

    Args:
        path: The file; its folder is made if it is missing.
        max_bytes: Its size, at most.
        num_files: Files that are kept, this one included; at least 2.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=num_files - 1, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"log.file: cannot be written: {error}; choose another with log.file=…") from error
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Log no warnings of this thread meanwhile: for a look at what is read, and warned of, once more."""
    looking, handlers = threading.get_ident(), logging.getLogger().handlers[:]

    def is_logged(record: logging.LogRecord) -> bool:
        return record.thread != looking or record.levelno >= logging.ERROR

    for handler in handlers:
        handler.addFilter(is_logged)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_logged)
