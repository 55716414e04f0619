"""Small private SQLite files: accounts, notes, pictures, counts."""

import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import reading_uri, why_failed

Row = tuple[Any, ...]


class Database:
    """One file that only its owner can read; may be used from several threads.

    Args:
        path: The file; created if it is missing.
        tables: SQL that creates the tables that are missing.
        read_only: Whether the file is there and only read, perhaps on a medium that cannot be written.

    Raises:
        ConnectorError: If it cannot be opened.
    """

    def __init__(self, path: Path, tables: str, *, read_only: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            if read_only:
                self._connection = sqlite3.connect(
                    reading_uri(path), uri=True, isolation_level=None, check_same_thread=False
                )
                return
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file: it can shrink
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.executescript(tables)
        except PermissionError as error:
            raise ConnectorError(
                f"{path}: may not be written: {error.strerror}; for a finished run, copy its folder to where you may "
                "write, and use the copy"
            ) from error
        except (OSError, sqlite3.Error) as error:
            raise ConnectorError(f"{path}: cannot be opened: {error}; check permissions and free space") from error

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return the rows of a query, or of a statement with RETURNING.

        Raises:
            ConnectorError: If the file cannot be read.
        """
        with self._lock:
            try:
                return self._connection.execute(sql, values).fetchall()
            except (OverflowError, sqlite3.Error) as error:
                raise ConnectorError(
                    why_failed(self._path, error, f"cannot be read: {error}; check the disk")
                ) from error

    def change(self, sql: str, *values: object) -> int:
        """Run one statement and return how many rows it changed.

        Raises:
            ConnectorError: If the file cannot be written.
        """
        return self.change_many(sql, [values])

    def change_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for each row in one transaction, and return how many rows changed; raises as ``change``."""
        with self._lock:
            try:
                self._connection.execute("BEGIN")
                changed = self._connection.executemany(sql, rows).rowcount
                self._connection.execute("COMMIT")
            except (OverflowError, sqlite3.Error) as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise ConnectorError(f"{self._path}: cannot be written: {error}; free disk space") from error
            return changed

    def checkpoint(self) -> None:
        """Write the log into the file and empty it, so that it holds no deleted data; raises as ``change``."""
        with self._lock:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise ConnectorError(f"{self._path}: cannot be written: {error}") from error

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._lock:
            self._connection.close()
