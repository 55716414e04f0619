"""Messages that are not delivered yet, in a file that survives the process."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import why_failed

NUM_REMEMBERED = 1_000_000
"""Delivered messages that are recognised when they are put again.

Each takes about 100 bytes of disk. Fewer risk a second delivery after a restart that repeats more events than this.
"""

_TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    topic TEXT,
    key TEXT,
    value BLOB,
    UNIQUE (name, digest)
);
CREATE INDEX IF NOT EXISTS waiting ON messages (number) WHERE value IS NOT NULL;
"""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message to deliver.

    Attributes:
        name: Identifies the message; the same when a restart makes the message again.
        topic: The topic.
        key: The key, which chooses the partition.
        value: The body.
    """

    name: str
    topic: str
    key: str
    value: bytes


class Outbox:
    """Keeps each message until it is delivered, in the order in which they were put, and then remembers its name.

    After a crash a run repeats some events. The outbox recognises them by name and body, and does not deliver them
    again.

    Args:
        path: The file; created if it does not exist.

    Raises:
        ConnectorError: If it cannot be opened. The methods raise it if the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLE)
            (self._num_waiting,) = self._database.execute(
                "SELECT count(*) FROM messages WHERE value IS NOT NULL"
            ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise ConnectorError(
                why_failed(path, error, f"expected an outbox, got {error}; use another output_dir")
            ) from error

    def __len__(self) -> int:
        """Return the number of messages that are not delivered yet."""
        return int(self._num_waiting)

    def put(self, messages: Sequence[OutboxMessage]) -> None:
        """Store messages, all or none. Messages that were put before, with the same body, are skipped."""
        rows = [(each.name, hashlib.sha256(each.value).digest(), each.topic, each.key, each.value) for each in messages]
        self._num_waiting += self._change(
            "INSERT OR IGNORE INTO messages (name, digest, topic, key, value) VALUES (?, ?, ?, ?, ?)", rows
        )

    def waiting(self, *, after: int, limit: int) -> list[tuple[int, OutboxMessage]]:
        """Return messages that are not delivered yet, with their numbers, in the order in which they were put.

        Args:
            after: Only messages with higher numbers are returned.
            limit: Number of messages, at most.
        """
        try:
            rows = self._database.execute(
                "SELECT number, name, topic, key, value FROM messages "
                "WHERE value IS NOT NULL AND number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise ConnectorError(why_failed(self._path, error, f"cannot be read: {error}; check the disk")) from error
        return [(number, OutboxMessage(*columns)) for number, *columns in rows]

    def delivered(self, numbers: Iterable[int]) -> None:
        """Mark messages as delivered: their bodies are deleted, their names remembered."""
        rows = [(number,) for number in numbers]
        if not rows:
            return
        self._num_waiting -= self._change(
            "UPDATE messages SET topic = NULL, key = NULL, value = NULL WHERE number = ? AND value IS NOT NULL",
            rows,
        )
        (newest,) = self._database.execute("SELECT max(number) FROM messages").fetchone()
        self._change("DELETE FROM messages WHERE value IS NULL AND number <= ?", [((newest or 0) - NUM_REMEMBERED,)])

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Run a statement for every row in one transaction; return the number of rows that changed."""
        if not rows:
            return 0
        try:
            self._database.execute("BEGIN")
            num_changed = self._database.executemany(statement, rows).rowcount
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise ConnectorError(f"{self._path}: cannot be written: {error}; make room on the disk") from error
        return num_changed
