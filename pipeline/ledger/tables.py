"""The tables of a ledger, and how an older file becomes a newer one."""

import sqlite3
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.ledger.hash_chain import START, link

SCHEMA = 2
BUSY_S = 10.0
"""Seconds to wait for another process that writes. A larger value waits longer before the error."""

_ABOUT = "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL)"

_EVENTS = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('sighting', 'correction', 'alert')),
    at REAL NOT NULL,
    person_id INTEGER,
    camera_id TEXT,
    track TEXT,
    part INTEGER,
    body TEXT,
    chain BLOB NOT NULL,
    is_redacted INTEGER NOT NULL DEFAULT 0
);
"""

_REST = """
CREATE INDEX events_of_person ON events (person_id, number);
CREATE INDEX events_of_part ON events (track, part) WHERE track IS NOT NULL;
CREATE INDEX events_of_kind ON events (kind, number) WHERE kind <> 'sighting';
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX pending_commands ON orders (number) WHERE state = 'pending';
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    chain BLOB NOT NULL
);
CREATE TABLE journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    chain BLOB NOT NULL
);
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    journal_number INTEGER NOT NULL,
    body BLOB NOT NULL,
    chain BLOB NOT NULL
);
CREATE TABLE erased (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE published (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    journal_number INTEGER NOT NULL,
    marks TEXT NOT NULL
);
"""


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a ledger's file as it is.

    Raises:
        ConnectorError: If it cannot be opened.
    """
    try:
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_S,
        )
        if not read_only:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA secure_delete = ON")
        database.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise ConnectorError(f"{path}: cannot be opened as a ledger: {error}") from error
    return database


def check_schema(path: Path, database: sqlite3.Connection) -> None:
    """Raise unless the file has the present schema.

    Raises:
        ConnectorError: If it has another, or is no ledger.
    """
    try:
        row = database.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
    except sqlite3.Error as error:
        raise ConnectorError(f"{path}: cannot be opened as a ledger: {error}") from error
    schema = row[0] if row else "none"
    if schema != str(SCHEMA):
        raise ConnectorError(f"{path}: expected ledger schema {SCHEMA}, got {schema}; use another output_dir")


def make_or_migrate(path: Path, database: sqlite3.Connection) -> None:
    """Bring a new or older file to the present schema, in one transaction.

    Raises:
        ConnectorError: If it is newer, or no ledger.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute(_ABOUT)
        row = database.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
        if row is None:
            _script(database, _EVENTS + _REST)
        elif row[0] == "1":
            _migrate_1(database)
        database.execute("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (str(SCHEMA),))
        database.execute("COMMIT")
    except sqlite3.Error as error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise ConnectorError(f"{path}: cannot be opened as a ledger: {error}") from error
    check_schema(path, database)


def _migrate_1(database: sqlite3.Connection) -> None:
    """Give every event its track and its link of the chain."""
    database.execute("ALTER TABLE events RENAME TO events_1")
    database.execute("DROP INDEX events_of_person")
    _script(database, _EVENTS + _REST)
    chain = START
    rows = database.execute(
        "SELECT number, kind, at, person_id, camera_id, json_extract(body, '$.track'), "
        "json_extract(body, '$.part'), body FROM events_1 ORDER BY number"
    )
    for *columns, body in rows:
        chain = link(chain, f"{columns[1]} {body}")
        database.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", (*columns, body, chain))
    database.execute("DROP TABLE events_1")
    database.execute("UPDATE about SET value = ? WHERE key = 'schema'", (str(SCHEMA),))


def _script(database: sqlite3.Connection, statements: str) -> None:
    """Execute statements inside the transaction, which ``executescript`` would commit."""
    for statement in statements.split(";"):
        if statement.strip():
            database.execute(statement)
