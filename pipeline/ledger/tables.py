"""The tables of a ledger, and opening its file."""

import sqlite3
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import reading_uri, why_failed

SCHEMA = 2
"""Number of the tables' format. A file of another number is refused."""
BUSY_S = 10.0
"""Seconds to wait for another process that writes. A larger value waits longer before the error."""

_ABOUT = "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL)"

_WRITER = """CREATE TABLE IF NOT EXISTS writer (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    boot TEXT NOT NULL,
    has_lock INTEGER NOT NULL,
    beat INTEGER NOT NULL
)"""
"""See ``lease``. Ledgers of earlier versions lack it, and get it when they are next written."""

_TABLES = """
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
            reading_uri(path) if read_only else f"{path.absolute().as_uri()}?mode=rwc",
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
        raise ConnectorError(why_failed(path, error, f"cannot be opened as a ledger: {error}")) from error
    return database


def check_schema(path: Path, database: sqlite3.Connection) -> None:
    """Raise unless the file has the present schema.

    Raises:
        ConnectorError: If it has another schema, or is not a ledger.
    """
    try:
        row = database.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
    except sqlite3.Error as error:
        is_other = str(error).startswith(("no such table", "no such column"))
        got = "a file of SQLite that is none; name the ledger.sqlite of a run" if is_other else error
        raise ConnectorError(why_failed(path, error, f"expected a ledger, got {got}")) from error
    schema = row[0] if row else "none"
    if schema != str(SCHEMA):
        raise ConnectorError(f"{path}: expected ledger schema {SCHEMA}, got {schema}; use another output_dir")


def make_tables(path: Path, database: sqlite3.Connection) -> None:
    """Create the tables in a new file, in one transaction; leave those of a ledger as they are.

    Raises:
        ConnectorError: If the file has another schema, or is not a ledger.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute(_ABOUT)
        database.execute(_WRITER)
        row = database.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
        if row is None:
            for statement in _TABLES.split(";"):  # one by one: ``executescript`` would commit
                database.execute(statement)
            database.execute("INSERT INTO about VALUES ('schema', ?)", (str(SCHEMA),))
        database.execute("COMMIT")
    except sqlite3.Error as error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise ConnectorError(why_failed(path, error, f"cannot be opened as a ledger: {error}")) from error
    check_schema(path, database)


def last_person_id(database: sqlite3.Connection) -> int:
    """Return the highest number of a person in events that were deleted; 0 if there is none."""
    row = database.execute("SELECT value FROM about WHERE key = 'last_person_id'").fetchone()
    return int(row[0]) if row else 0


def note_last_person_id(database: sqlite3.Connection, until: int) -> None:
    """Note the highest number of a person in the events up to a number, which will be deleted.

    Without it, a split at rest could give a number that another person had. Inside the caller's transaction.
    """
    highest = database.execute(
        "SELECT max(person_id) FROM (SELECT person_id FROM events WHERE number <= ?1 UNION ALL "
        "SELECT value FROM events, json_each(events.body, '$.person_ids') WHERE kind = 'correction' AND number <= ?1)",
        (until,),
    ).fetchone()[0]
    value = max(highest or 0, last_person_id(database))
    database.execute("INSERT OR REPLACE INTO about VALUES ('last_person_id', ?)", (str(value),))
