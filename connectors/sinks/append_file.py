"""A file that only grows, by whole pieces."""

import os
from pathlib import Path

from pipeline.core.errors import ConnectorError


class AppendFile:
    """A file opened for appending; what could not be written whole is taken back.

    Args:
        path: Created, with its folders, if it is not there.

    Attributes:
        path: Where it is.
        num_bytes: Its length; everything before is whole.

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
        """Write all of ``data`` or nothing of it.

        Raises:
            ConnectorError: If the disk takes no more; the file is as long as before.
        """
        if not data:
            return
        before = self.num_bytes
        waiting = memoryview(data)
        try:
            # A full disk takes a part of a piece without an error; only the next call fails.
            while waiting:
                waiting = waiting[self._file.write(waiting) :]
        except OSError as error:
            self.truncate(before)
            raise self._failed("write", error) from error
        self._is_dirty = True
        self.num_bytes = before + len(data)

    def truncate(self, num_bytes: int) -> None:
        """Cut everything behind ``num_bytes``.

        Raises:
            ConnectorError: If that fails.
        """
        try:
            os.ftruncate(self._file.fileno(), num_bytes)
        except OSError as error:
            raise self._failed("truncate", error) from error
        self.num_bytes = num_bytes

    def sync(self) -> None:
        """Return when everything is on the disk.

        Raises:
            ConnectorError: If the disk does not take it.
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
