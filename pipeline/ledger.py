"""The identity ledger: every sighting, correction and alert, in order, in one SQLite file that is only appended to."""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.core import Alert, Correction, Record, Sighting
from pipeline.core.errors import ConnectorError

SCHEMA = 1
DECIMALS = 9
"""Floats in the ledger; more is noise, and would differ between machines."""

_TABLES = """
CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('sighting', 'correction', 'alert')),
    at REAL NOT NULL,
    person_id INTEGER,
    camera_id TEXT,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_of_person ON events (person_id, number);
"""


class Ledger:
    """Appends records; each call is one transaction. Pixels and vectors are never written.

    Args:
        path: The file; made if it is not there.

    Raises:
        ConnectorError: If the file cannot be opened or is of another schema.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_TABLES)
            self._database.execute("INSERT OR IGNORE INTO about VALUES ('schema', ?)", (str(SCHEMA),))
            (schema,) = self._database.execute("SELECT value FROM about WHERE key = 'schema'").fetchone()
        except sqlite3.Error as error:
            raise ConnectorError(f"{path}: cannot be opened as a ledger: {error}") from error
        if schema != str(SCHEMA):
            raise ConnectorError(f"{path}: expected ledger schema {SCHEMA}, got {schema}; use another output_dir")

    @property
    def digest(self) -> str:
        """sha256 over everything appended by this instance, hex digits."""
        return self._digest.hexdigest()

    def append(self, records: Sequence[Record]) -> None:
        """Write records, all or none.

        Raises:
            ConnectorError: If the disk does not take them.
        """
        rows = [_row(record) for record in records]
        try:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO events (kind, at, person_id, camera_id, body) VALUES (?, ?, ?, ?, ?)", rows
            )
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise ConnectorError(f"{self._path}: cannot be written: {error}; make room on the disk") from error
        for kind, _, _, _, body in rows:
            self._digest.update(f"{kind} {body}\n".encode())

    def close(self) -> None:
        """Fold the log into the file and let it go; idempotent."""
        self._database.close()


def _row(record: Record) -> tuple[str, float, int | None, str | None, str]:
    if isinstance(record, Sighting):
        kind, at, person_id = "sighting", record.last.captured_at, record.person_id
        camera_id: str | None = record.track_id.camera_id
        body = {
            "person_id": record.person_id,
            "track": str(record.track_id),
            "part": record.part,
            "first": [record.first.index, _rounded(record.first.captured_at)],
            "last": [record.last.index, _rounded(record.last.captured_at)],
            "box_xyxy": [round(float(side), 3) for side in record.box_xyxy],
            "outcome": record.outcome,
            "distance": _rounded(record.distance),
            "probability": _rounded(record.probability),
            "runner_up": None
            if record.runner_up is None
            else [record.runner_up.person_id, _rounded(record.runner_up.distance)],
            "gates": record.gates,
            "num_frames": len(record.path),
            "is_last": record.is_last,
        }
    elif isinstance(record, Correction):
        kind, at, person_id, camera_id = "correction", record.at, record.person_ids[0], None
        body = {**asdict(record), "parts": [[str(part.track_id), part.part] for part in record.parts]}
    else:
        assert isinstance(record, Alert)
        kind, at, person_id, camera_id = "alert", record.raised_at, record.person_id, record.camera_id
        body = {**asdict(record), "evidence": [str(track_id) for track_id in record.evidence]}
    return kind, at, person_id, camera_id, json.dumps(body, sort_keys=True)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DECIMALS)
