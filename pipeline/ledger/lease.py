"""The right to write a ledger: one holder at a time, by a number in the ledger itself that only grows.

Who takes the ledger raises the number. Every transaction of a writer checks in itself that the number is still its own,
so what an earlier writer still tries to write is refused, however late it comes and on whichever machine.

A holder renews a counter beside the number. Who wants the ledger watches that counter with its own clock; if it stands
still for ``LEASE_S``, the holder is taken for lost. A holder whose process has ended on this machine is recognised at
once, because the kernel has released its lock. No clock of one machine is compared with that of another: all that is
relied on is that a second lasts about as long on both, that the file system locks for SQLite, and that it shows what
one machine wrote to the other.
"""

import fcntl
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ConnectorError, LedgerHeldError
from pipeline.core.sqlite_files import why_failed
from pipeline.ledger.tables import connect

LEASE_S = 8.0
"""Seconds without a renewal after which another process may take the ledger over. Chosen so that a busy writer, whose
event loop stands still for a few seconds, keeps it. A larger value leaves a site longer without a writer."""
RENEW_S = 1.0
"""Seconds between two renewals at least. A larger value means fewer writes, and that a second run is refused later."""
LOOK_EVERY_S = 0.1
"""Seconds between two looks at the counter of a holder. Fewer cost more reads."""
NUM_BEATS = 2
"""Renewals after which a holder counts as alive. Fewer would believe a call that reached a lost writer late."""
GIVE_UP_S = 2 * LEASE_S
"""Seconds of standing still after which the file itself must be locked: by a program of an earlier version, or by a
process that was stopped inside a transaction. Longer waits delay the error."""
BUSY_MS = 200
"""Milliseconds that a renewal waits for another transaction; then the next renewal tries again. More stall the run."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """The row of the table.

    Attributes:
        number: Grows by one with every holder.
        name: Machine and process, for messages; empty once released.
        boot: Of the machine's kernel: equal in all containers of one machine, and another one after a restart.
        has_lock: The holder has the kernel's lock of the folder, so that the end of its process releases it.
        beat: Number of renewals.
    """

    number: int
    name: str
    boot: str
    has_lock: bool
    beat: int


class Lease:
    """The right to write one ledger, taken by the constructor.

    Args:
        path: The ledger; its tables are there.

    Raises:
        LedgerHeldError: If another process holds it and renews it.
        ConnectorError: If the file or its folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._lock = _lock(path)
        self._database = connect(path, read_only=False)
        self._is_closed = False
        try:
            self._database.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            self.number = self._take()
        except BaseException:
            self._close()
            raise
        self._renewed_at = time.monotonic()

    def check(self, database: sqlite3.Connection) -> None:
        """Raise unless the ledger is still ours; to be called inside each transaction that writes.

        Raises:
            ConnectorError: If another process has taken it.
        """
        (number, name) = database.execute("SELECT number, name FROM writer").fetchone()
        if number != self.number:
            raise ConnectorError(
                f"{self._path}: expected to be its only writer, got {name or 'another one'}, which took it over when "
                f"this process had not answered for {LEASE_S:g} s; nothing more is written here"
            )

    def renew(self) -> None:
        """Say that the holder lives; cheap when called often. Whoever directs the run has to call it, not a timer.

        So a holder that is cut off from its run loses the ledger, although it still reaches the file.

        Raises:
            ConnectorError: If another process has taken it.
        """
        with self._mutex:
            now = time.monotonic()
            if self._is_closed or now - self._renewed_at < RENEW_S:
                return
            self._lock = self._lock if self._lock is not None else _lock(self._path)
            with suppress(sqlite3.OperationalError):  # busy or full: the next renewal tries again
                renewed = self._database.execute(
                    "UPDATE writer SET beat = beat + 1, has_lock = ? WHERE number = ?",
                    (self._lock is not None, self.number),
                )
                if renewed.rowcount == 0:
                    self.check(self._database)
                self._renewed_at = now

    @property
    def is_fresh(self) -> bool:
        """Whether nobody else can have taken the ledger by the clock of this machine."""
        return time.monotonic() - self._renewed_at < LEASE_S

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew by a timer, as long as the work inside lasts: for work that nobody directs."""
        done = threading.Event()

        def keep() -> None:
            with suppress(ConnectorError):  # the next transaction says so
                while not done.wait(RENEW_S):
                    self.renew()

        thread = threading.Thread(target=keep, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def release(self) -> None:
        """Let the next process have the ledger at once; idempotent."""
        with self._mutex:
            if self._is_closed:
                return
            with suppress(sqlite3.OperationalError):  # then the end of this process says the same
                self._database.execute("UPDATE writer SET name = '' WHERE number = ?", (self.number,))
            self._close()

    def _take(self) -> int:
        """Return our number, once the holder has released the ledger, has ended, or stood still for long enough."""
        seen, num_beats, changed_at = self._holder(), 0, time.monotonic()
        while True:
            still_s = time.monotonic() - changed_at
            if (self._is_free(seen) or (seen is not None and still_s > LEASE_S)) and self._succeed(seen):
                return 1 if seen is None else seen.number + 1
            if num_beats >= NUM_BEATS or still_s > GIVE_UP_S:
                raise LedgerHeldError(
                    f"{self._path}: expected no other writer, got a run that writes it"
                    f"{f' ({seen.name})' if seen is not None else ''}; wait for its end"
                )
            time.sleep(LOOK_EVERY_S)
            self._lock = self._lock if self._lock is not None else _lock(self._path)
            if (found := self._holder()) != seen:
                seen, num_beats, changed_at = found, num_beats + 1, time.monotonic()

    def _is_free(self, holder: _Holder | None) -> bool:
        """Return whether it is certain that nobody writes."""
        has_lock = self._lock is not None
        if holder is None:  # a new ledger, or one of a program that knew the kernel's lock alone
            return has_lock
        return holder.name == "" or (has_lock and holder.has_lock and holder.boot == _boot() != "")

    def _succeed(self, holder: _Holder | None) -> bool:
        """Return whether the ledger is ours now; not if the holder has renewed it meanwhile, or is writing."""
        ours = f"{socket.gethostname()}, process {os.getpid()}", _boot(), self._lock is not None
        try:
            if holder is None:
                query = "INSERT OR IGNORE INTO writer VALUES (1, 1, ?, ?, ?, 0)"
                return self._lock is not None and self._database.execute(query, ours).rowcount == 1
            query = (
                "UPDATE writer SET number = number + 1, name = ?, boot = ?, has_lock = ?, beat = 0 "
                "WHERE number = ? AND name = ? AND beat = ?"
            )
            values = (*ours, holder.number, holder.name, holder.beat)
            return self._database.execute(query, values).rowcount == 1
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return False
            raise ConnectorError(f"{self._path}: cannot be written: {error}; make room on the disk") from error

    def _holder(self) -> _Holder | None:
        try:
            row = self._database.execute("SELECT number, name, boot, has_lock, beat FROM writer").fetchone()
        except sqlite3.Error as error:
            raise ConnectorError(why_failed(self._path, error, f"cannot be read: {error}; check the disk")) from error
        return None if row is None else _Holder(row[0], row[1], row[2], bool(row[3]), row[4])

    def _close(self) -> None:
        self._is_closed = True
        self._database.close()
        if self._lock is not None:
            os.close(self._lock)


def is_locked(path: Path) -> bool:
    """Return whether a process on this machine has a ledger open to write it, without waiting for anything."""
    lock = _lock(path)
    if lock is None:
        return True
    os.close(lock)
    return False


def _boot() -> str:
    """Return a name of the running kernel; empty where it has none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _lock(path: Path) -> int | None:
    """Lock the folder for this machine; the kernel releases the lock when the process ends. None if another has it.

    Raises:
        ConnectorError: If there is no such folder.
    """
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConnectorError(f"{path}: cannot be opened as a ledger: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system without such locks
        os.close(descriptor)
        return None
    return descriptor
