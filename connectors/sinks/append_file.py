"""A file that is only appended to, and never holds a part of a write."""

import os
from pathlib import Path

from pipeline.core.errors import ConnectorError


class AppendFile:
    """A file opened for appending. A write that fails is undone as a whole.

    Args:
        path: The file; created with its folders if it does not exist.

    Attributes:
        path: The file.
        num_bytes: Length of the file after the last complete write.

    Raises:
        ConnectorError: If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_dirty = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
            self.num_bytes = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise self._failed("open", error) from error

    def append(self, data: bytes) -> None:
        """Write all of ``data`` or nothing.

        Raises:
            ConnectorError: If the disk is full. The file is then as long as before.
        """
        if not data:
            return
        before = self.num_bytes
        remaining = memoryview(data)
        try:
            # A full disk takes a part of the data without an error; only the next call fails.
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            self.truncate(before)
            raise self._failed("write", error) from error
        self._is_dirty = True
        self.num_bytes = before + len(data)

    def truncate(self, num_bytes: int) -> None:
        """Cut the file after ``num_bytes``.

        Raises:
            ConnectorError: If that fails.
        """
        try:
            os.ftruncate(self._file.fileno(), num_bytes)
        except OSError as error:
            raise self._failed("truncate", error) from error
        self.num_bytes = num_bytes

    def sync(self) -> None:
        """Return when everything is on the disk (fsync).

        Raises:
            ConnectorError: If the disk fails.
        """
        if not self._is_dirty:
            return
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed("sync", error) from error
        self._is_dirty = False

    def close(self) -> None:
        """Close the file; idempotent."""
        try:
            self._file.close()
        except OSError as error:
            raise self._failed("close", error) from error

    def _failed(self, verb: str, error: OSError) -> ConnectorError:
        return ConnectorError(
            f"{self.path}: expected to {verb} it, got {error.strerror or error}; check space and rights"
        )
