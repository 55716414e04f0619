"""The one writer of a ledger."""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any

from pipeline.core import Correction, Record, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.core.serialisation import serialise
from pipeline.ledger.audit import add_audit
from pipeline.ledger.commands import Outcome, SubmittedCommand, read_commands, write_outcome
from pipeline.ledger.erasure import NEEDLE_BYTES, digest_of, redact
from pipeline.ledger.events import Row, to_row
from pipeline.ledger.hash_chain import START, link
from pipeline.ledger.snapshot import FORGOTTEN, Entry, Saved
from pipeline.ledger.tables import connect, make_or_migrate

MIN_JOURNAL_BYTES = 4_000_000
"""A journal that is shorter is replayed in a moment; no snapshot is worth its while."""


class Ledger:
    """Appends records; each call is one transaction. Pixels and vectors are never in an event.

    Args:
        path: The file; made if it is not there, brought to the present schema if it is older.

    Raises:
        ConnectorError: If the file cannot be opened, is of a newer schema, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._lock = _lock(path)
        except BlockingIOError as error:
            raise ConnectorError(
                f"{path}: expected nobody else to write it, got a run that does; wait for its end"
            ) from error
        try:
            self._database = connect(path, read_only=False)
            make_or_migrate(path, self._database)
            rows = self._rows("SELECT chain FROM events ORDER BY number DESC LIMIT 1")
            sizes = "SELECT coalesce(sum(length(body)), 0)"
            self._journal_bytes: int = self._rows(f"{sizes} FROM journal")[0][0]
            self._snapshot_bytes: int = self._rows(f"{sizes} FROM snapshot")[0][0]
        except ConnectorError:
            os.close(self._lock)
            raise
        self._chain: bytes = rows[0][0] if rows else START
        self._is_closed = False

    @property
    def digest(self) -> str:
        """The end of the chain of hashes over all events that the file ever held, hex digits."""
        return self._chain.hex()

    def append(
        self, records: Sequence[Record], *, entry: tuple[str, bytes] | None = None, outcomes: Sequence[Outcome] = ()
    ) -> None:
        """Write records and what they followed from, all or none.

        Args:
            records: In the order in which they were decided.
            entry: What the reducer was given, as kind and bytes; into the journal.
            outcomes: Of the orders that led to them.

        Raises:
            ConnectorError: If the disk does not take them.
        """
        with self._transaction():
            self._chain = self._write(records)
            if entry is not None:
                self._database.execute(
                    "INSERT INTO journal (kind, body, chain) VALUES (?, ?, ?)", (*entry, self._chain)
                )
            for outcome in outcomes:
                write_outcome(self._database, outcome)
        self._journal_bytes += len(entry[1]) if entry is not None else 0

    @property
    def wants_snapshot(self) -> bool:
        """Whether the journal has outgrown the last snapshot: what is written is then a few times what is taken in."""
        return self._journal_bytes >= max(MIN_JOURNAL_BYTES, self._snapshot_bytes)

    def save(self, state: bytes) -> None:
        """Keep a snapshot of the state after everything that was taken in, in place of the journal."""
        with self._transaction():
            row = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
            self._database.execute(
                "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)", (row[0] if row else 0, state, self._chain)
            )
            self._database.execute("DELETE FROM journal")
        self._journal_bytes, self._snapshot_bytes = 0, len(state)

    def erase(
        self, correction: Correction, records: Sequence[Record], *, state: bytes | None, last_person_id: int
    ) -> tuple[dict[str, int], list[bytes]]:
        """Write that people are erased, and empty everything about them; the free pages are overwritten.

        Args:
            correction: ERASED, with all numbers and parts.
            records: It, and what followed from it.
            state: A snapshot without these people; None where nobody can make one: then nobody's looks are known any
                more, and a run that goes on from here knows only which numbers are taken.
            last_person_id: The highest number that a person has had.

        Returns:
            How much was removed, by kind, and pieces of it to look for in files.
        """
        with self._transaction():
            old = [row[0] for row in self._rows("SELECT body FROM journal UNION ALL SELECT body FROM snapshot")]
            self._chain = self._write(records)
            removed, needles = redact(self._database, correction)
            self._database.execute("DELETE FROM journal")
            if state is None:
                self._database.execute("DELETE FROM snapshot")
                forgotten = (FORGOTTEN, serialise({"last_person_id": last_person_id}), self._chain)
                self._database.execute("INSERT INTO journal (kind, body, chain) VALUES (?, ?, ?)", forgotten)
                needles += [body[len(body) // 2 :][:NEEDLE_BYTES] for body in old]
                removed["snapshots and inputs"] = len(old)
        if state is not None:
            self.save(state)
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            # While somebody reads, old pages may stay in the log; who looks for them then says so.
            with suppress(sqlite3.OperationalError):
                self._database.execute(statement).fetchall()
        return removed, needles

    def compact(self, *, retention_s: float, max_events: int) -> int:
        """Delete the oldest events; names stay. Return how many went.

        Args:
            retention_s: Seconds of event time before the newest event; infinite for all.
            max_events: So many stay at most; 0 for all.
        """
        (oldest, newest, newest_at) = self._rows("SELECT min(number), max(number), max(at) FROM events")[0]
        if newest is None:
            return 0
        until = newest - max_events if max_events else 0
        if retention_s < inf:
            kept = "SELECT coalesce(min(number), 0) - 1 FROM events WHERE at >= ?"
            until = max(until, self._rows(kept, newest_at - retention_s)[0][0])
        if until < oldest:
            return 0
        with self._transaction():
            gone = self._database.execute(
                "DELETE FROM events WHERE number <= ? AND NOT (kind = 'correction' AND "
                "coalesce(json_extract(body, '$.kind'), '') IN ('named', 'erased'))",
                (until,),
            ).rowcount
            if gone:
                reason = f"{gone} events up to number {until}"
                add_audit(self._database, time.time(), "retention", "compact", "events", reason)
        return gone

    def note(self, by: str, action: str, subject: str) -> None:
        """Write into the audit who did what with whom."""
        with self._transaction():
            add_audit(self._database, time.time(), by, action, subject, "")

    def note_published(self, marks: Mapping[str, str]) -> None:
        """Note that all sinks have everything safe, and where each stands; puts the log on the disk too."""
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO published SELECT 1, coalesce(max(seq), 0), ? FROM sqlite_sequence "
                "WHERE name = 'journal'",
                (json.dumps(dict(marks)),),
            )
        self._rows("PRAGMA wal_checkpoint(PASSIVE)")

    def saved(self) -> Saved:
        """Return what there is to go on from."""
        snapshots = self._rows("SELECT body, chain FROM snapshot")
        state, chain = snapshots[0] if snapshots else (None, START)
        entries = [Entry(*row) for row in self._rows("SELECT number, kind, body, chain FROM journal ORDER BY number")]
        published, marks = (self._rows("SELECT journal_number, marks FROM published") or [(0, "{}")])[0]
        return Saved(state, chain, entries, published, json.loads(marks))

    def has(self, part: TrackPart) -> bool:
        """Return whether there is, or was until it was erased, a sighting of a part of a track."""
        query = (
            "SELECT 1 FROM events WHERE track = ? AND part = ? UNION ALL SELECT 1 FROM erased WHERE digest = ? LIMIT 1"
        )
        return bool(self._rows(query, str(part.track_id), part.part, digest_of(part)))

    def pending_commands(self) -> list[SubmittedCommand]:
        """Return the orders that wait to be carried out."""
        try:
            return read_commands(self._database, "pending")
        except sqlite3.Error as error:
            raise ConnectorError(f"{self._path}: cannot be read: {error}; check the disk") from error

    def close(self) -> None:
        """Fold the log into the file and let it go; idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._database.close()
            os.close(self._lock)

    def _write(self, records: Sequence[Record]) -> bytes:
        """Write events in the present transaction, and return the end of the chain then."""
        rows = chained(self._chain, records)
        self._database.executemany(
            "INSERT INTO events (kind, at, person_id, camera_id, track, part, body, chain) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        return rows[-1][-1] if rows else self._chain

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all of what is inside, or nothing of it."""
        before = self._chain
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._chain = before
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise ConnectorError(f"{self._path}: cannot be written: {error}; make room on the disk") from error

    def _rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows of a query."""
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise ConnectorError(f"{self._path}: cannot be read: {error}; check the disk") from error


def chained(chain: bytes, records: Iterable[Record]) -> list[tuple[*Row, bytes]]:
    """Return records as rows, each with its link of the chain of hashes behind ``chain``."""
    rows = []
    for row in map(to_row, records):
        chain = link(chain, f"{row[0]} {row[-1]}")
        rows.append((*row, chain))
    return rows


def set_aside(path: Path) -> Path | None:
    """Rename a ledger that a new run is not to go on with; return how it is called now, None if there is none.

    Raises:
        ConnectorError: If a run writes it, or the folder cannot be written.
    """
    if not path.exists():
        return None
    Ledger(path).close()  # nobody writes it, and all of it is in one file
    number = 1
    while (aside := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    try:
        path.rename(aside)
    except OSError as error:
        raise ConnectorError(f"{path}: cannot be set aside: {error.strerror}; use another output_dir") from error
    return aside


def is_being_written(path: Path) -> bool:
    """Return whether a process has a ledger open to write it."""
    try:
        os.close(_lock(path))
    except BlockingIOError:
        return True
    return False


def _lock(path: Path) -> int:
    """Lock the folder, that nobody else writes in it; the kernel lets go of it when the process ends, however.

    Raises:
        BlockingIOError: If somebody does.
        ConnectorError: If there is no such folder.
    """
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConnectorError(f"{path}: cannot be opened as a ledger: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
