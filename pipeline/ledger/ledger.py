"""The one writer of a ledger."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.core import Record, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.ledger._chain import START, link
from pipeline.ledger._tables import connect, make_or_migrate
from pipeline.ledger.events import to_row
from pipeline.ledger.orders import Outcome, PlacedOrder, read_orders, write_outcome


class Ledger:
    """Appends records; each call is one transaction. Pixels and vectors are never in an event.

    Args:
        path: The file; made if it is not there, brought to the present schema if it is older.

    Raises:
        ConnectorError: If the file cannot be opened, is of a newer schema, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._lock = _lock(path)
        except BlockingIOError as error:
            raise ConnectorError(
                f"{path}: expected nobody else to write it, got a run that does; wait for its end"
            ) from error
        try:
            self._database = connect(path, read_only=False)
            make_or_migrate(path, self._database)
            row = self._read("SELECT chain FROM events ORDER BY number DESC LIMIT 1")
        except ConnectorError:
            os.close(self._lock)
            raise
        self._chain: bytes = row[0] if row else START
        self._is_closed = False

    @property
    def digest(self) -> str:
        """The end of the chain of hashes over all events that the file ever held, hex digits."""
        return self._chain.hex()

    def append(self, records: Sequence[Record], *, outcomes: Sequence[Outcome] = ()) -> None:
        """Write records, all or none.

        Args:
            records: In the order in which they were decided.
            outcomes: Of the orders that led to them.

        Raises:
            ConnectorError: If the disk does not take them.
        """
        with self._transaction():
            self._chain = self._write(records)
            for outcome in outcomes:
                write_outcome(self._database, outcome)

    def has(self, part: TrackPart) -> bool:
        """Return whether there is a sighting of a part of a track."""
        return (
            self._read("SELECT 1 FROM events WHERE track = ? AND part = ? LIMIT 1", str(part.track_id), part.part)
            is not None
        )

    def pending_orders(self) -> list[PlacedOrder]:
        """Return the orders that wait to be carried out."""
        try:
            return read_orders(self._database, "pending")
        except sqlite3.Error as error:
            raise ConnectorError(f"{self._path}: cannot be read: {error}; check the disk") from error

    def close(self) -> None:
        """Fold the log into the file and let it go; idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._database.close()
            os.close(self._lock)

    def _write(self, records: Sequence[Record]) -> bytes:
        """Write events in the present transaction, and return the end of the chain then."""
        chain, rows = self._chain, []
        for row in map(to_row, records):
            chain = link(chain, f"{row[0]} {row[-1]}")
            rows.append((*row, chain))
        self._database.executemany(
            "INSERT INTO events (kind, at, person_id, camera_id, track, part, body, chain) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        return chain

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all of what is inside, or nothing of it."""
        before = self._chain
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._chain = before
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise ConnectorError(f"{self._path}: cannot be written: {error}; make room on the disk") from error

    def _read(self, query: str, *values: object) -> tuple[bytes, ...] | None:
        """Return the first row of a query."""
        try:
            row: tuple[bytes, ...] | None = self._database.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise ConnectorError(f"{self._path}: cannot be read: {error}; check the disk") from error
        return row


def is_being_written(path: Path) -> bool:
    """Return whether a process has a ledger open to write it."""
    try:
        os.close(_lock(path))
    except BlockingIOError:
        return True
    return False


def _lock(path: Path) -> int:
    """Lock the folder, that nobody else writes in it; the kernel lets go of it when the process ends, however.

    Raises:
        BlockingIOError: If somebody does.
        ConnectorError: If there is no such folder.
    """
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConnectorError(f"{path}: cannot be opened as a ledger: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
