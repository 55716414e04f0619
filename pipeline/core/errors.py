"""Everything that can go wrong, in one tree.

::

    ReidError
    +-- ConfigError
    |   +-- MissingDependencyError
    +-- WeightsError
    +-- DataError
    |   +-- ShapeError
    |   +-- FrameDecodeError
    |   +-- WireFormatError
    +-- ConnectorError
    |   +-- SourceLostError
    |   +-- SinkBusyError
    |   +-- ProcessLostError
    +-- EmbeddingSpaceError

A message reads *what: expected …, got …; do …* and is never empty.
"""

from typing import ClassVar


class ReidError(Exception):
    """Base of every error that this project raises on purpose.

    Attributes:
        exit_code: Of a command that ends so: 2 if it could not begin as it was told, else 1.
    """

    exit_code: ClassVar[int] = 1


class ConfigError(ReidError):
    """The run cannot start as configured; found before the first frame."""

    exit_code = 2


class MissingDependencyError(ConfigError):
    """A chosen plug-in needs a package that is not installed."""


class WeightsError(ReidError):
    """A checkpoint is absent, altered, or does not fit its network."""

    exit_code = 2


class DataError(ReidError):
    """One record is bad; the stream survives it."""


class ShapeError(DataError):
    """An array has another shape or dtype than its record promises."""


class FrameDecodeError(DataError):
    """The bytes of one frame are no picture."""


class WireFormatError(DataError):
    """A message does not follow the schema."""


class ConnectorError(ReidError):
    """The outside world failed."""


class SourceLostError(ConnectorError):
    """A camera or recording broke; opening it again may help."""


class SinkBusyError(ConnectorError):
    """A sink cannot take records now.

    Args:
        message: What is busy.
        retry_after_s: Seconds to wait before the same records are written again.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProcessLostError(ConnectorError):
    """A process of the line died and could not be replaced.

    Args:
        process: Which one, for instance ``camera east``.
    """

    def __init__(self, process: str) -> None:
        super().__init__(process)
        self.process = process

    def __str__(self) -> str:
        return f"{self.process}: its process died; Ray's logs (/tmp/ray/session_latest/logs) say why"


class EmbeddingSpaceError(ReidError):
    """Vectors of two models were about to be compared."""
