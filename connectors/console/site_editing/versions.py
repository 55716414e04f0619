"""The edits of a site's zones, lines and rules: the file that the run reads, and every version of it."""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.private_database import Database
from pipeline.core.errors import ConnectorError, DataError

TABLES = """
CREATE TABLE IF NOT EXISTS versions (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS rejected (
    key TEXT PRIMARY KEY, num_people INTEGER NOT NULL, value TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS settled_commands (number INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (number, at));
"""

EDITS = "edits.yaml"
"""File of edits in a run's output folder, unless its configuration names another; ``pipeline.config.rule_edits``."""

MAX_VERSIONS = 1000
"""Versions kept, the newest. More take more of the disk, at most 1 MB each."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the edits.

    Attributes:
        number: 1, 2, 3 …
        at: Unix seconds by the wall clock.
        by: Who saved it.
        reason: Why, in words.
        text: YAML.
    """

    number: int
    at: float
    by: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A proposal that somebody does not want; see ``pipeline.association.proposals.Proposal``."""

    key: str
    num_people: int
    value: Any


class RuleStore:
    """The file of edits, and beside it a private file with its history and with the proposals that were rejected.

    A save that was cut off, by ``kill -9`` for instance, is finished if the history has it, and otherwise was none.

    Args:
        path: The file of edits; it need not be there.

    Raises:
        ConnectorError: If the history cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path.with_suffix(".history.sqlite"), TABLES)
        self._saving = threading.Lock()
        self._unfinished = path.with_name(f".{path.name}")
        self._finish()

    def text(self) -> str:
        """Return the edits; empty if there are none.

        Raises:
            ConnectorError: If the file cannot be read.
        """
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConnectorError(f"{self.path}: cannot be read: {error}; check it") from error

    def newest(self) -> int:
        """Return the number of the newest version; 0 without one."""
        return int(self._database.rows("SELECT coalesce(max(number), 0) FROM versions")[0][0])

    def versions(self) -> list[Version]:
        """Return all versions, the newest first."""
        rows = self._database.rows("SELECT number, at, by, reason, text FROM versions ORDER BY number DESC")
        return [Version(*row) for row in rows]

    def save(self, text: str, before: str, *, by: str, reason: str, base: int) -> int:
        """Write a new version and return its number; the run follows it as soon as it is there.

        Args:
            text: YAML.
            before: What holds now; becomes the first version, if there is none.
            by: Who saves it.
            reason: Why, in words.
            base: Number of the version that was edited.

        Raises:
            DataError: If somebody else has saved another version since.
            ConnectorError: If a file cannot be written.
        """
        with self._saving:
            if self.newest() != base:
                raise DataError(f"somebody else has saved version {self.newest()} meanwhile; load it, and edit again")
            add = "INSERT INTO versions (at, by, reason, text) VALUES (?, ?, ?, ?)"
            if not base:
                self._database.change(add, time.time(), "the configuration", "before the first edit", before)
            try:
                self._write(text)
                self._database.change(add, time.time(), by, reason, text)
                with suppress(FileNotFoundError):  # a page that was opened at this moment has put it there
                    self._unfinished.replace(self.path)
            except OSError as error:
                raise ConnectorError(f"{self.path}: cannot be written: {error}; check permissions") from error
            self._database.change("DELETE FROM versions WHERE number <= ?", self.newest() - MAX_VERSIONS)
            return self.newest()

    def rejected(self) -> list[Rejected]:
        """Return the proposals that were rejected."""
        rows = self._database.rows("SELECT key, num_people, value FROM rejected")
        return [Rejected(key, num_people, json.loads(value)) for key, num_people, value in rows]

    def reject(self, key: str, num_people: int, value: Any, *, by: str) -> None:
        """Keep that a proposal was rejected, with what it rested on; one of before is replaced."""
        row = (key, num_people, json.dumps(value), by, time.time())
        self._database.change("INSERT OR REPLACE INTO rejected VALUES (?, ?, ?, ?, ?)", *row)

    def settled_commands(self) -> set[tuple[int, float]]:
        """Return the camera commands of which everything is kept that is to be kept: number, and when it was given."""
        return {(number, at) for number, at in self._database.rows("SELECT number, at FROM settled_commands")}

    def settle_command(self, number: int, at: float) -> None:
        """Note that nothing of a camera command is to be kept any more."""
        self._database.change("INSERT OR IGNORE INTO settled_commands VALUES (?, ?)", number, at)

    def _write(self, text: str) -> None:
        """Write what is to replace the file; a reader never sees half of it."""
        descriptor = os.open(self._unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)

    def _finish(self) -> None:
        """Put what a save has written into its place, if the history has it as its newest version."""
        newest = self._database.rows("SELECT text FROM versions ORDER BY number DESC LIMIT 1")
        with suppress(OSError, UnicodeDecodeError):  # there is none, or a part of one
            if newest and self._unfinished.read_text(encoding="utf-8") == newest[0][0]:
                self._unfinished.replace(self.path)

    def close(self) -> None:
        """Close the history."""
        self._database.close()
