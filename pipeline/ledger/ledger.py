"""The writer of a ledger; only one at a time."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any

from pipeline.core import Correction, CorrectionCommand, Record, TrackPart
from pipeline.core.errors import ConnectorError, LedgerHeldError
from pipeline.core.serialisation import serialise
from pipeline.core.sqlite_files import why_failed
from pipeline.ledger.audit import add_audit
from pipeline.ledger.corrections.commands import Outcome, SubmittedCommand, add_command, read_commands, write_outcome
from pipeline.ledger.erasure import NEEDLE_BYTES, digest_of, redact
from pipeline.ledger.events import Row, to_row
from pipeline.ledger.hash_chain import START, link
from pipeline.ledger.lease import Lease, is_locked
from pipeline.ledger.snapshot import FORGOTTEN, OWED, Entry, Saved
from pipeline.ledger.tables import connect, make_tables, note_last_person_id
from pipeline.ledger.unpublished import StoredRecord

MIN_JOURNAL_BYTES = 4_000_000
"""Bytes of journal below which its size asks for no snapshot; what it would take to replay may, see
``pipeline.runtime.reducer.REPLAY_S``. A larger value means fewer snapshots and a larger file."""


class Ledger:
    """Appends records, one transaction per call.

    Args:
        path: The file; created if it is missing.

    Attributes:
        lease: The right to write it; the process that directs the writer has to renew it.

    Raises:
        LedgerHeldError: If another process writes it; see ``Lease``.
        ConnectorError: If the file cannot be opened, or has another schema.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = connect(path, read_only=False)
        try:
            make_tables(path, self._database)
            self.lease = Lease(path)
        except ConnectorError:
            self._database.close()
            raise
        try:
            rows = self._rows("SELECT chain FROM events ORDER BY number DESC LIMIT 1")
            sizes = "SELECT coalesce(sum(length(body)), 0)"
            self._journal_bytes: int = self._rows(f"{sizes} FROM journal")[0][0]
            self._snapshot_bytes: int = self._rows(f"{sizes} FROM snapshot")[0][0]
        except ConnectorError:
            self._database.close()
            self.lease.release()
            raise
        self._chain: bytes = rows[0][0] if rows else START
        self._is_closed = False
        self._none_pending_at: int | None = None

    @property
    def digest(self) -> str:
        """The last hash of the chain over all events that the file ever held, hex digits."""
        return self._chain.hex()

    def append(
        self, records: Sequence[Record], *, entry: tuple[str, bytes] | None = None, outcomes: Sequence[Outcome] = ()
    ) -> None:
        """Write records and the event they followed from, all or none.

        Args:
            records: In the order of decisions.
            entry: The event that the reducer applied, as kind and bytes, for the journal.
            outcomes: Outcomes of the commands that led to the records.

        Raises:
            ConnectorError: If the file cannot be written.
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
        """Whether the journal is larger than the last snapshot; so all snapshots stay within a few times the input."""
        return self._journal_bytes >= max(MIN_JOURNAL_BYTES, self._snapshot_bytes)

    def save(self, state: bytes, unpublished: Sequence[StoredRecord] = ()) -> None:
        """Replace the journal by a snapshot of the state that it led to.

        Args:
            state: The snapshot.
            unpublished: Records of the journal that sinks may lack.
        """
        with self._transaction():
            row = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
            self._database.execute(
                "INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?)", (row[0] if row else 0, state, self._chain)
            )
            self._database.execute("DELETE FROM journal")
            if unpublished:
                self._note(OWED, {"records": unpublished})
        self._journal_bytes, self._snapshot_bytes = 0, len(state)

    def erase(
        self,
        correction: Correction,
        records: Sequence[Record],
        *,
        state: bytes | None,
        last_person_id: int,
        unpublished: Callable[[Saved], Sequence[StoredRecord]],
    ) -> tuple[dict[str, int], list[bytes]]:
        """Write that people are erased, and empty all rows about them; the free pages are overwritten.

        Args:
            correction: ERASED, with all numbers and parts.
            records: The correction and the alerts that followed from it.
            state: A snapshot without these people. None if no matcher is running to make one: then the appearance of
                all people is forgotten, and a run that goes on from here knows only which numbers are taken.
            last_person_id: The highest number that a person has had.
            unpublished: Returns the records that sinks may lack, once the rows are empty; see ``unpublished_records``.

        Returns:
            How much was removed, by kind, and fragments of it to search files for.
        """
        saved = self.saved()
        with self._transaction():
            inputs = f"SELECT body FROM journal WHERE kind <> '{OWED}'"
            old = [row[0] for row in self._rows(f"{inputs} UNION ALL SELECT body FROM snapshot")]
            self._chain = self._write(records)
            removed, needles = redact(self._database, correction)
        owed = unpublished(saved)
        self.replace_inputs(state, last_person_id, owed)
        if state is None:
            fragments = [body[len(body) // 2 :][:NEEDLE_BYTES] for body in old]  # may be of others, who stay
            needles += [each for each in fragments if not any(each in body for _, body in owed)]
            removed["snapshots and inputs"] = len(old)
        return removed, needles

    def replace_inputs(self, state: bytes | None, last_person_id: int, unpublished: Sequence[StoredRecord]) -> None:
        """Replace the journal by a snapshot of what is left; free pages are overwritten. Arguments as in ``erase``."""
        if state is None:
            self.forget(last_person_id, unpublished)
        else:
            self.save(state, unpublished)
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            # While a reader is active, old pages may stay in the log; the check of the erasure then reports them.
            with suppress(sqlite3.OperationalError):
                self._database.execute(statement).fetchall()

    def forget(self, last_person_id: int, unpublished: Sequence[StoredRecord]) -> None:
        """Let everybody be a stranger to a run that goes on from here: numbers, names and events stay.

        Args:
            last_person_id: The highest number that a person has had.
            unpublished: Records that sinks may lack.
        """
        with self._transaction():
            self._database.execute("DELETE FROM journal")
            self._database.execute("DELETE FROM snapshot")
            is_ended = self._rows("SELECT 1 FROM published WHERE marks = '{}'") != []
            self._note(FORGOTTEN, {"last_person_id": last_person_id, "is_ended": is_ended})
            self._note(OWED, {"records": unpublished})
        self._journal_bytes = self._snapshot_bytes = 0

    def compact(self, *, retention_s: float, max_events: int) -> int:
        """Delete the oldest events and return how many. Names, erasures and the highest number of a person stay.

        Args:
            retention_s: Seconds of event time to keep, back from the newest event; infinite keeps all.
            max_events: Number of the newest events to keep; 0 keeps all.
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
            note_last_person_id(self._database, until)
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
        """Write into the audit who did what to whom."""
        with self._transaction():
            add_audit(self._database, time.time(), by, action, subject, "")

    def last_entry(self) -> int:
        """Return the number of the last entry of the journal, deleted ones included; 0 without one."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'journal'")
        return int(rows[0][0]) if rows else 0

    def note_published(self, marks: Mapping[str, str], *, until: int | None = None) -> None:
        """Note what all sinks have safe; syncs the log to the disk as well.

        Args:
            marks: The mark of each sink that can be rewound.
            until: Number of the last entry of the journal whose records they have; None for all.
        """
        number = self.last_entry() if until is None else until
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO published VALUES (1, ?, ?)", (number, json.dumps(dict(marks)))
            )
        self._rows("PRAGMA wal_checkpoint(PASSIVE)")

    def saved(self) -> Saved:
        """Return the state to go on from."""
        snapshots = self._rows("SELECT body, chain FROM snapshot")
        state, chain = snapshots[0] if snapshots else (None, START)
        entries = [Entry(*row) for row in self._rows("SELECT number, kind, body, chain FROM journal ORDER BY number")]
        published, marks = (self._rows("SELECT journal_number, marks FROM published") or [(0, "{}")])[0]
        return Saved(state, chain, entries, published, json.loads(marks))

    def has(self, part: TrackPart) -> bool:
        """Return whether a sighting of this part of a track was written, even if it was erased since."""
        query = (
            "SELECT 1 FROM events WHERE track = ? AND part = ? UNION ALL SELECT 1 FROM erased WHERE digest = ? LIMIT 1"
        )
        return bool(self._rows(query, str(part.track_id), part.part, digest_of(part)))

    def submit(self, command: CorrectionCommand) -> None:
        """Write a command that this process gives, to be applied as those of operators."""
        with self._transaction():
            add_command(self._database, command)
        self._none_pending_at = None

    def pending_commands(self) -> list[SubmittedCommand]:
        """Return the commands that wait to be applied."""
        try:
            # A number that changes when another connection writes, and takes a fifth of the time of looking.
            ((version,),) = self._database.execute("PRAGMA data_version")
            if version == self._none_pending_at:
                return []
            pending = read_commands(self._database, "pending")
            self._none_pending_at = None if pending else version
            return pending
        except sqlite3.Error as error:
            raise ConnectorError(why_failed(self._path, error, f"cannot be read: {error}; check the disk")) from error

    def close(self) -> None:
        """Fold the log into the file and close it; idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self.lease.release()
            with suppress(sqlite3.OperationalError):  # a reader is at it
                self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._database.close()

    def _write(self, records: Sequence[Record]) -> bytes:
        """Write events in the present transaction, and return the last hash."""
        rows = chained(self._chain, records)
        self._database.executemany(
            "INSERT INTO events (kind, at, person_id, camera_id, track, part, body, chain) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        return rows[-1][-1] if rows else self._chain

    def _note(self, kind: str, event: Mapping[str, object]) -> None:
        """Write an entry of the journal, in the present transaction."""
        entry = kind, serialise(event), self._chain
        self._database.execute("INSERT INTO journal (kind, body, chain) VALUES (?, ?, ?)", entry)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do everything inside, or nothing."""
        before = self._chain
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self.lease.check(self._database)
            yield
            self._database.execute("COMMIT")
        except ConnectorError:
            self._undo(before)
            raise
        except sqlite3.Error as error:
            self._undo(before)
            raise ConnectorError(f"{self._path}: cannot be written: {error}; make room on the disk") from error

    def _undo(self, chain: bytes) -> None:
        """Roll the present transaction back."""
        self._chain = chain
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _rows(self, query: str, *values: object) -> list[Any]:
        """Return the rows of a query."""
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise ConnectorError(why_failed(self._path, error, f"cannot be read: {error}; check the disk")) from error


def chained(chain: bytes, records: Iterable[Record]) -> list[tuple[*Row, bytes]]:
    """Return records as rows, each with its hash; the first continues ``chain``."""
    rows = []
    for row in map(to_row, records):
        chain = link(chain, f"{row[0]} {row[-1]}")
        rows.append((*row, chain))
    return rows


def set_aside(path: Path) -> Path | None:
    """Rename a ledger that a new run must not continue; return its new path, or None if there is none.

    Raises:
        ConnectorError: If a run writes it, or the folder cannot be written.
    """
    if not path.exists():
        return None
    Ledger(path).close()  # no other process writes it
    number = 1
    while (aside := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists():
        number += 1
    try:
        for suffix in ("-wal", "-shm", ""):  # its log goes along: a page may be reading, so that it is still there
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise ConnectorError(f"{path}: cannot be set aside: {error.strerror}; use another output_dir") from error
    return aside


def is_being_written(path: Path) -> bool:
    """Return whether a process has a ledger open to write it; takes up to ``LEASE_S`` after a crash elsewhere."""
    with ledger_at_rest(path) as ledger:
        return ledger is None


@contextmanager
def ledger_at_rest(path: Path) -> Iterator[Ledger | None]:
    """Hold a ledger for the work inside; None while a run writes it, here or on another machine."""
    ledger = None
    if not is_locked(path):
        with suppress(LedgerHeldError):
            ledger = Ledger(path)
    if ledger is None:
        yield None
        return
    try:
        with ledger.lease.kept():
            yield ledger
    finally:
        ledger.close()
