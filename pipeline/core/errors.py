"""All errors that this project raises, as one tree, and how those of plug-ins become one of them.

::

    ReidError
    +-- ConfigError
    |   +-- MissingDependencyError
    |   +-- LedgerChangedError
    +-- WeightsError
    +-- DataError
    |   +-- ShapeError
    |   +-- FrameDecodeError
    |   +-- WireFormatError
    +-- ConnectorError
    |   +-- SourceLostError
    |   +-- SinkBusyError
    |   +-- LedgerHeldError
    |   +-- ProcessLostError
    +-- EmbeddingSpaceError
    +-- PluginError

A message reads *what: expected …, got …; do …*. It is never empty.
"""

import re
from typing import ClassVar

USER_INFO = re.compile(r"(//)\S*(?=@)")
"""``//user:password`` before ``@host``; a password may hold what should have been escaped."""


class ReidError(Exception):
    """Base of every error that this project raises on purpose.

    Attributes:
        exit_code: Exit code of a command that ends with this error: 2 if it could not start as configured, 3 if only a
            person can decide how to go on, else 1.
    """

    exit_code: ClassVar[int] = 1


class ConfigError(ReidError):
    """The run cannot start as configured. Raised before the first frame."""

    exit_code = 2


class MissingDependencyError(ConfigError):
    """A chosen plug-in needs a package that is not installed."""


class LedgerChangedError(ConfigError):
    """The ledger of an interrupted run cannot be continued exactly, and only a person can decide what to do.

    Its exit code is its own, so that whoever starts runs again and again starts none that would end like this one.
    """

    exit_code = 3


class WeightsError(ReidError):
    """A checkpoint is missing, was changed, or does not fit its network."""

    exit_code = 2


class DataError(ReidError):
    """One record is bad; the stream goes on without it."""


class ShapeError(DataError):
    """An array has another shape or dtype than its record promises."""


class FrameDecodeError(DataError):
    """The bytes of one frame are not a picture."""


class WireFormatError(DataError):
    """A message does not follow the schema."""


class ConnectorError(ReidError):
    """Something outside the program failed: a camera, a disk, a service."""


class SourceLostError(ConnectorError):
    """A camera or recording broke off; opening it again may help."""


class SinkBusyError(ConnectorError):
    """A sink cannot take records now.

    Args:
        message: What is busy.
        retry_after_s: Seconds to wait before writing the same records again.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LedgerHeldError(ConnectorError):
    """Another process writes the ledger."""


class ProcessLostError(ConnectorError):
    """A process of the pipeline died and could not be replaced.

    Args:
        process: Which one, for instance ``camera east``.

    Attributes:
        logs: Folder of Ray's logs on each machine of the cluster, which ``join_cluster`` sets; empty if there is none.
    """

    logs = ""

    def __init__(self, process: str) -> None:
        super().__init__(process)
        self.process = process

    def __str__(self) -> str:
        where = f" ({self.logs} on its machine)" if self.logs else ""
        return f"{self.process}: its process died; Ray's logs{where} say why"


class EmbeddingSpaceError(ReidError):
    """Vectors of two different models would have been compared."""


class PluginError(ReidError):
    """A plug-in raised or returned what its contract does not allow: a fault in its code.

    Args:
        message: Names its key, its class, the method and the line.
        trace: The traceback of the error that it raised; empty if it raised none.
    """

    def __init__(self, message: str, trace: str = "") -> None:
        super().__init__(message, trace)
        self.trace = trace

    def __str__(self) -> str:
        return str(self.args[0])


def denied(error: PermissionError) -> str:
    """Return the words for a file or a folder that may not be read or written."""
    return f"expected the right to use {error.filename}, got {error.strerror}; change its rights, or name another"


def in_a_line(error: BaseException) -> str:
    """Return the kind and the text of anybody's error, without users and passwords of addresses."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # it cannot even be printed
        text = type(error).__name__
    return without_users(" ".join(text.removesuffix(": ").split()))


def without_users(text: str) -> str:
    """Return a text with ``***`` in place of the user and the password of each address in it."""
    return USER_INFO.sub(r"\1***", text)
