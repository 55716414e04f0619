"""Verification of a ledger: is it whole, in order, and unchanged?"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.ledger.audit import content
from pipeline.ledger.hash_chain import START, link
from pipeline.ledger.tables import check_schema, connect

MAX_LISTED = 3
"""Faults of each check that are listed one by one; of the rest, only the number is given."""


def faults_of(path: Path) -> list[str]:
    """Return the faults of a ledger, in words; empty if all is well.

    Raises:
        ConnectorError: If it is not a ledger, or of another schema.
    """
    if not path.is_file():
        raise ConnectorError(f"{path}: expected a ledger, got no file; name the ledger.sqlite of a run")
    database = connect(path, read_only=True)
    faults: list[str] = []
    try:
        check_schema(path, database)
        for check in (_pages, _events, _audit, _references):
            try:
                found = list(check(database))
            except (sqlite3.Error, ValueError) as error:  # a damaged page: broken text, or unreadable rows
                found = [f"{check.__name__[1:]}: cannot be read to the end: {error}"]
            faults += found[:MAX_LISTED]
            if len(found) > MAX_LISTED:
                faults.append(f"and {len(found) - MAX_LISTED} more like this")
    finally:
        database.close()
    return faults


def _pages(database: sqlite3.Connection) -> Iterator[str]:
    for (fault,) in database.execute("PRAGMA integrity_check"):
        if fault != "ok":
            yield f"pages: {fault}"


def _events(database: sqlite3.Connection) -> Iterator[str]:
    """Yield gaps in the numbers, and rows that were changed."""
    compacted = database.execute("SELECT count(*) FROM audit WHERE action = 'compact'").fetchone()[0] > 0
    erased = database.execute("SELECT count(*) FROM audit WHERE action = 'erase done'").fetchone()[0] > 0
    before, chain = 0, START
    for number, kind, body, link_of_row, is_redacted in database.execute(
        "SELECT number, kind, body, chain, is_redacted FROM events ORDER BY number"
    ):
        follows = number == before + 1
        if not follows and not compacted:
            yield f"events: expected number {before + 1}, got {number}; rows are missing"
        if is_redacted and not erased:
            yield f"event {number}: it was emptied, but the audit has no erasure"
        elif follows and not is_redacted and link(chain, f"{kind} {body}") != link_of_row:
            yield f"event {number}: its hash does not fit; it or the row before was changed"
        before, chain = number, link_of_row


def _audit(database: sqlite3.Connection) -> Iterator[str]:
    before, chain = 0, START
    for number, *columns, link_of_row in database.execute(
        "SELECT number, at, by, action, subject, reason, chain FROM audit ORDER BY number"
    ):
        if number != before + 1:
            yield f"audit: expected number {before + 1}, got {number}; rows are missing"
        if link(chain, content(*columns)) != link_of_row:
            yield f"audit {number}: its hash does not fit; it or the row before was changed"
        before, chain = number, link_of_row


def _references(database: sqlite3.Connection) -> Iterator[str]:
    for fault in database.execute("PRAGMA foreign_key_check"):
        yield f"references: {fault}"
    last = database.execute("SELECT chain FROM events ORDER BY number DESC LIMIT 1").fetchone()
    saved = database.execute("SELECT chain FROM journal ORDER BY number DESC LIMIT 1").fetchone()
    saved = saved or database.execute("SELECT chain FROM snapshot").fetchone()
    if last and saved and last[0] != saved[0]:
        yield "journal: expected to end with the last event, it does not; a run cannot go on from here"
    twice = database.execute(
        "SELECT count(*) FROM journal WHERE number <= (SELECT journal_number FROM snapshot)"
    ).fetchone()[0]
    if twice:
        yield f"journal: expected inputs after the snapshot, got {twice} that are in it; they would be applied twice"
