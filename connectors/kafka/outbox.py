"""Messages that are still to be delivered, in a file that survives the process."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConnectorError

NUM_REMEMBERED = 1_000_000
"""Delivered messages that are recognised when they are put again; about 100 bytes each."""

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
    """What is to be delivered.

    Attributes:
        name: What tells it from all others, the same whenever it is made anew.
        topic: Where to.
        key: Of its partition.
        value: Its body.
    """

    name: str
    topic: str
    key: str
    value: bytes


class Outbox:
    """Takes messages once, and keeps each until it is delivered; of those that were, it remembers the name.

    So what a run writes again after a crash, because it begins again a little earlier, is not delivered again.

    Args:
        path: The file; made if it is not there.

    Raises:
        ConnectorError: If it cannot be opened; the methods raise it if the disk takes no more.
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
            raise ConnectorError(f"{path}: expected an outbox, got {error}; use another output_dir") from error

    def __len__(self) -> int:
        """Return how many wait."""
        return int(self._num_waiting)

    def put(self, messages: Sequence[OutboxMessage]) -> None:
        """Take messages, all or none; those that were taken before, with the same body, are passed over."""
        rows = [(each.name, hashlib.sha256(each.value).digest(), each.topic, each.key, each.value) for each in messages]
        self._num_waiting += self._change(
            "INSERT OR IGNORE INTO messages (name, digest, topic, key, value) VALUES (?, ?, ?, ?, ?)", rows
        )

    def waiting(self, *, after: int, limit: int) -> list[tuple[int, OutboxMessage]]:
        """Return messages that wait, with their numbers, in the order in which they came.

        Args:
            after: Only those with higher numbers.
            limit: So many at most.
        """
        try:
            rows = self._database.execute(
                "SELECT number, name, topic, key, value FROM messages "
                "WHERE value IS NOT NULL AND number > ? ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise ConnectorError(f"{self._path}: cannot be read: {error}; check the disk") from error
        return [(number, OutboxMessage(*columns)) for number, *columns in rows]

    def delivered(self, numbers: Iterable[int]) -> None:
        """Forget the bodies of messages."""
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
        """Let the file go; idempotent."""
        self._database.close()

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Do a statement for every row in one transaction; return how many rows changed."""
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
