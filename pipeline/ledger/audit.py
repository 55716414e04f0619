"""The audit: who asked for what, when and why. Its rows are chained by hashes and hold no personal data but numbers."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import why_failed
from pipeline.ledger.hash_chain import START, link
from pipeline.ledger.tables import check_schema, connect


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit.

    Attributes:
        number: 1, 2, 3 …
        at: Unix seconds by the wall clock.
        by: The operator, or a part of the program.
        action: What was done, for instance ``merge``.
        subject: What it was done to, for instance ``persons 3, 7``.
        reason: Why, in the operator's words; or the result.
    """

    number: int
    at: float
    by: str
    action: str
    subject: str
    reason: str


def add_audit(database: sqlite3.Connection, at: float, by: str, action: str, subject: str, reason: str) -> None:
    """Write a row, inside the caller's transaction."""
    row = database.execute("SELECT chain FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    chain = link(row[0] if row else START, content(at, by, action, subject, reason))
    database.execute(
        "INSERT INTO audit (at, by, action, subject, reason, chain) VALUES (?, ?, ?, ?, ?, ?)",
        (at, by, action, subject, reason, chain),
    )


def write_audit(path: Path, *, at: float, by: str, action: str, subject: str, reason: str = "") -> None:
    """Write a row about an action that does not change the ledger, a search for instance; from any process.

    Raises:
        ConnectorError: If there is no such ledger, or it cannot be written.
    """
    database = connect(path, read_only=False)
    try:
        check_schema(path, database)
        database.execute("BEGIN IMMEDIATE")
        add_audit(database, at, by, action, subject, reason)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise ConnectorError(why_failed(path, error, f"cannot be written: {error}; try again")) from error
    finally:
        database.close()


def read_audit(database: sqlite3.Connection) -> list[AuditEntry]:
    """Return all rows, in order."""
    rows = database.execute("SELECT number, at, by, action, subject, reason FROM audit ORDER BY number")
    return [AuditEntry(*row) for row in rows]


def content(at: float, by: str, action: str, subject: str, reason: str) -> str:
    """Return the text of a row that its hash covers."""
    return "\0".join([repr(at), by, action, subject, reason])
