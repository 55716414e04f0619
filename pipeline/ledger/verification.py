"""Looks a ledger over: is it whole, is it in order, and was nothing changed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.ledger.audit import content
from pipeline.ledger.hash_chain import START, link
from pipeline.ledger.tables import check_schema, connect

KEPT = 3
"""Faults of a kind that are told one by one; of more, the number."""


def faults_of(path: Path) -> list[str]:
    """Return what is wrong with a ledger, in words; nothing if all is well.

    Raises:
        ConnectorError: If it is no ledger, or of another schema.
    """
    if not path.is_file():
        raise ConnectorError(f"{path}: expected a ledger, got no file; name the ledger.sqlite of a run")
    database = connect(path, read_only=True)
    faults: list[str] = []
    try:
        check_schema(path, database)
        for look in (_pages, _events, _audit, _references):
            try:
                found = list(look(database))
            except (sqlite3.Error, ValueError) as error:  # of a damaged page: text that is none, rows out of reach
                found = [f"{look.__name__[1:]}: cannot be read to the end: {error}"]
            faults += found[:KEPT]
            if len(found) > KEPT:
                faults.append(f"and {len(found) - KEPT} more like this")
    finally:
        database.close()
    return faults


def _pages(database: sqlite3.Connection) -> Iterator[str]:
    for (fault,) in database.execute("PRAGMA integrity_check"):
        if fault != "ok":
            yield f"pages: {fault}"


def _events(database: sqlite3.Connection) -> Iterator[str]:
    """Yield gaps in the numbers, and rows that are not what was written."""
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
            yield f"event {number}: it was emptied, and the audit knows of no erasure"
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
