"""Notes of operators: acknowledged alerts, comments, muted rules, and labels of picture pairs."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.console.store.database import Database
from pipeline.core import TrackId, TrackPart
from pipeline.ledger.audit import write_audit

TABLES = """
CREATE TABLE IF NOT EXISTS acknowledged (key TEXT PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS comments (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL, at REAL NOT NULL, by TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS comments_of_alert ON comments (key);
CREATE TABLE IF NOT EXISTS muted (rule TEXT PRIMARY KEY, until REAL NOT NULL, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS labels (
    first TEXT NOT NULL, first_part INTEGER NOT NULL, second TEXT NOT NULL, second_part INTEGER NOT NULL,
    is_same INTEGER NOT NULL, says_same INTEGER NOT NULL, probability REAL NOT NULL, purpose TEXT NOT NULL,
    by TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (first, first_part, second, second_part, purpose)
);
CREATE TABLE IF NOT EXISTS moved (
    number INTEGER NOT NULL, track TEXT NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (number, track, part)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Label:
    """An operator's answer to whether two parts of tracks show one person.

    Attributes:
        first: One part.
        second: The other part.
        is_same: Answer of the operator.
        says_same: Answer of the pipeline at that time.
        probability: Probability that the pipeline gave to "same", in [0, 1].
        purpose: ``queue`` or ``audit``.
        by: Name of the operator.
    """

    first: TrackPart
    second: TrackPart
    is_same: bool
    says_same: bool
    probability: float
    purpose: str
    by: str


class NotesStore:
    """One private file of notes; the record of who did what is in the ledger's audit.

    Args:
        path: The file.
        ledger_path: The ledger, whose audit is written.
    """

    def __init__(self, path: Path, ledger_path: Path) -> None:
        self._database = Database(path, TABLES)
        self._ledger_path = ledger_path

    def audit(self, by: str, action: str, subject: str) -> None:
        """Write an entry of who did what into the ledger's audit.

        Raises:
            ConnectorError: If the ledger cannot be written.
        """
        write_audit(self._ledger_path, at=time.time(), by=by, action=action, subject=subject)

    def acknowledge(self, key: str, by: str) -> None:
        """Record that a user handles an alert; the first user stays recorded."""
        self._database.change("INSERT OR IGNORE INTO acknowledged VALUES (?, ?, ?)", key, time.time(), by)

    def acknowledged(self, key: str) -> dict[str, Any] | None:
        """Return who acknowledged an alert, and when; None if it is not acknowledged."""
        rows = self._database.rows("SELECT by, at FROM acknowledged WHERE key = ?", key)
        return {"by": rows[0][0], "at": rows[0][1]} if rows else None

    def comment(self, key: str, by: str, text: str) -> None:
        """Add a comment to an alert."""
        self._database.change(
            "INSERT INTO comments (key, at, by, text) VALUES (?, ?, ?, ?)", key, time.time(), by, text
        )

    def comments(self, key: str) -> list[dict[str, Any]]:
        """Return the comments on an alert, oldest first."""
        rows = self._database.rows("SELECT at, by, text FROM comments WHERE key = ? ORDER BY number", key)
        return [dict(zip(("at", "by", "text"), row, strict=True)) for row in rows]

    def forget_alerts(self, keys: Iterable[str]) -> None:
        """Delete the notes on these alerts, and leave no trace of them in the file."""
        rows = [(key,) for key in keys]
        self._database.change_many("DELETE FROM acknowledged WHERE key = ?", rows)
        self._database.change_many("DELETE FROM comments WHERE key = ?", rows)
        self._database.checkpoint()

    def mute(self, rule: str, until: float, by: str) -> None:
        """Mute a rule until a time by the wall clock, Unix seconds; a past time unmutes it."""
        self._database.change("INSERT OR REPLACE INTO muted VALUES (?, ?, ?)", rule, until, by)

    def muted(self) -> dict[str, float]:
        """Return the muted rules, and until when each is muted, Unix seconds."""
        return dict(self._database.rows("SELECT rule, until FROM muted WHERE until > ?", time.time()))

    def label(self, label: Label) -> None:
        """Store a label; it replaces an earlier label of the same pair."""
        first, second = sorted((label.first, label.second))
        self._database.change(
            "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(str(first.track_id), first.part, str(second.track_id), second.part),
            *(label.is_same, label.says_same, label.probability, label.purpose, label.by, time.time()),
        )

    def labels(self, purpose: str | None = None) -> list[Label]:
        """Return the labels of one purpose, or all of them, oldest first."""
        rows = self._database.rows(
            "SELECT first, first_part, second, second_part, is_same, says_same, probability, purpose, by FROM labels "
            "WHERE ? IS NULL OR purpose = ? ORDER BY at",
            *(purpose, purpose),
        )
        return [
            Label(
                TrackPart(TrackId.parse(row[0]), row[1]),
                TrackPart(TrackId.parse(row[2]), row[3]),
                bool(row[4]),
                bool(row[5]),
                *row[6:],
            )
            for row in rows
        ]

    def remember_parts(self, number: int, parts: Iterable[TrackPart]) -> None:
        """Store which parts of tracks a command moves, so that it can be undone."""
        rows = [(number, str(part.track_id), part.part) for part in parts]
        self._database.change_many("INSERT OR IGNORE INTO moved VALUES (?, ?, ?)", rows)

    def moved_parts(self, number: int) -> tuple[TrackPart, ...]:
        """Return which parts of tracks a command moved."""
        rows = self._database.rows("SELECT track, part FROM moved WHERE number = ?", number)
        return tuple(TrackPart(TrackId.parse(track), part) for track, part in rows)

    def noted_parts(self) -> list[TrackPart]:
        """Return all parts of tracks that a note refers to."""
        rows = self._database.rows(
            "SELECT first, first_part FROM labels UNION SELECT second, second_part FROM labels "
            "UNION SELECT track, part FROM moved"
        )
        return [TrackPart(TrackId.parse(track), part) for track, part in rows]

    def forget_parts(self, parts: Iterable[TrackPart]) -> None:
        """Delete all notes on these parts of tracks, and leave no trace of them in the file."""
        rows = [(str(part.track_id), part.part) for part in parts]
        self._database.change_many("DELETE FROM labels WHERE first = ? AND first_part = ?", rows)
        self._database.change_many("DELETE FROM labels WHERE second = ? AND second_part = ?", rows)
        self._database.change_many("DELETE FROM moved WHERE track = ? AND part = ?", rows)
        self._database.checkpoint()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
