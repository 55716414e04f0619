"""Notes of operators: acknowledged alerts, comments, muted rules, and labels of picture pairs."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.private_database import Database
from pipeline.core import TrackId, TrackPart
from pipeline.ledger.audit import write_audit

LOOK_AGAIN_S = 600.0
"""Seconds after which the same look is written into the audit again. Shorter: the audit grows faster."""

MAX_LOOKS = 10_000
"""Looks remembered for that; a bound on memory."""

TABLES = """
CREATE TABLE IF NOT EXISTS acknowledged (
    key TEXT PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 1
);
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
CREATE TABLE IF NOT EXISTS answers (
    number INTEGER PRIMARY KEY, first TEXT NOT NULL, first_part INTEGER NOT NULL, second TEXT NOT NULL,
    second_part INTEGER NOT NULL
);
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
        if all(row[1] != "revision" for row in self._database.rows("PRAGMA table_info(acknowledged)")):
            # a file of an earlier version
            self._database.change("ALTER TABLE acknowledged ADD COLUMN revision INTEGER NOT NULL DEFAULT 1")
        self._ledger_path = ledger_path
        self._looks: dict[str, float] = {}
        self._lock = threading.Lock()

    def audit(self, by: str, action: str, subject: str) -> None:
        """Write an entry of who did what into the ledger's audit.

        Raises:
            ConnectorError: If the ledger cannot be written.
        """
        write_audit(self._ledger_path, at=time.time(), by=by, action=action, subject=subject)

    def audit_look(self, by: str, what: str, about: object) -> None:
        """Write into the audit that a user looks at something; once in ``LOOK_AGAIN_S``, as pages ask again and again.

        Raises:
            ConnectorError: If the ledger cannot be written.
        """
        look, now = f"{by} {what} {about}", time.monotonic()
        with self._lock:
            if now - self._looks.get(look, -LOOK_AGAIN_S) < LOOK_AGAIN_S:
                return
            self._looks.pop(look, None)
            self._looks[look] = now
            while len(self._looks) > MAX_LOOKS:
                del self._looks[next(iter(self._looks))]
        self.audit(by, "look", f"{what} {', '.join(about) if isinstance(about, list) else about}")

    def acknowledge(self, key: str, by: str, *, revision: int, retraction: int) -> None:
        """Record that a user handles an alert; the first user stays recorded.

        Args:
            key: Of the alert.
            by: Name of the user.
            revision: Number of the state of the alert that the user saw.
            retraction: Number of the state in which it was last retracted; an acknowledgement of before is replaced.
        """
        self._database.change(
            "INSERT INTO acknowledged VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
            "SET at = excluded.at, by = excluded.by, revision = excluded.revision WHERE revision <= ?",
            *(key, time.time(), by, revision, retraction),
        )

    def acknowledged(self, key: str, *, retraction: int) -> dict[str, Any] | None:
        """Return who acknowledged an alert since its last retraction, and when; None if nobody did."""
        query = "SELECT by, at FROM acknowledged WHERE key = ? AND revision > ?"
        rows = self._database.rows(query, key, retraction)
        return {"by": rows[0][0], "at": rows[0][1]} if rows else None

    def all_acknowledged(self) -> dict[str, int]:
        """Return the keys of all acknowledged alerts, and the number of the state that each user saw."""
        return dict(self._database.rows("SELECT key, revision FROM acknowledged"))

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

    def remember_answer(self, number: int, first: TrackPart, second: TrackPart) -> None:
        """Store which answer a command followed from, so that an undo takes the label back."""
        one, two = sorted((first, second))
        self._database.change(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
            *(number, str(one.track_id), one.part, str(two.track_id), two.part),
        )

    def forget_answer(self, number: int) -> None:
        """Delete the label from which a command followed; its question is asked again."""
        rows = self._database.rows("DELETE FROM answers WHERE number = ? RETURNING *", number)
        for _, first, first_part, second, second_part in rows:
            self._database.change(
                "DELETE FROM labels WHERE first = ? AND first_part = ? AND second = ? AND second_part = ? "
                "AND purpose = 'queue'",
                *(first, first_part, second, second_part),
            )

    def take_back(self, key: str) -> None:
        """Make an alert open again that was acknowledged."""
        self._database.change("DELETE FROM acknowledged WHERE key = ?", key)

    def noted_parts(self) -> list[TrackPart]:
        """Return all parts of tracks that a note refers to."""
        rows = self._database.rows(
            "SELECT first, first_part FROM labels UNION SELECT second, second_part FROM labels "
            "UNION SELECT first, first_part FROM answers UNION SELECT second, second_part FROM answers"
        )
        return [TrackPart(TrackId.parse(track), part) for track, part in rows]

    def forget_parts(self, parts: Iterable[TrackPart]) -> None:
        """Delete all notes on these parts of tracks, and leave no trace of them in the file."""
        rows = [(str(part.track_id), part.part) for part in parts]
        self._database.change_many("DELETE FROM labels WHERE first = ? AND first_part = ?", rows)
        self._database.change_many("DELETE FROM labels WHERE second = ? AND second_part = ?", rows)
        self._database.change_many("DELETE FROM answers WHERE first = ? AND first_part = ?", rows)
        self._database.change_many("DELETE FROM answers WHERE second = ? AND second_part = ?", rows)
        self._database.checkpoint()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
