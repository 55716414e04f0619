"""The camera commands of a run, in a file of their own beside the ledger.

Not in the ledger: an address may hold a password, and ledgers are copied and exported. Only the owner may read it.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import reading_uri, why_failed
from pipeline.ledger.cameras.command import (
    CameraCommand,
    CameraCommandKind,
    ChangedCameras,
    SubmittedCameraCommand,
    changed_cameras,
)
from pipeline.ledger.submitted import Submitted

FILE = "cameras.sqlite"
"""Its name, in the output folder of a run."""

BUSY_S = 10.0
"""Seconds to wait for another process that writes. A larger value waits longer before the error."""

SETTLED_S = 2.0
"""Seconds after a change from which another one has another time in the file system. More look at the file longer."""

_TABLE = """CREATE TABLE IF NOT EXISTS commands (
    number INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'refused')),
    outcome TEXT NOT NULL DEFAULT ''
)"""


class CameraBook:
    """Reads and writes the commands; each call opens the file, so that many processes can use it.

    Args:
        folder: Output folder of the run. Without the file there are no commands; the first one makes it.

    Raises:
        ConnectorError: From every method, if the file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._seen: tuple[int, int, int] | None = None

    def submit(self, command: CameraCommand) -> int:
        """Write a command and return its number."""
        with self._written() as database:
            body = json.dumps(asdict(command), sort_keys=True)
            number = database.execute("INSERT INTO commands (body, state) VALUES (?, 'pending')", (body,)).lastrowid
        assert number is not None
        return number

    def finish(self, number: int, *, is_done: bool, text: str) -> None:
        """Note the outcome of a command: done, or refused, with a reason."""
        with self._written() as database:
            state = "done" if is_done else "refused"
            database.execute("UPDATE commands SET state = ?, outcome = ? WHERE number = ?", (state, text, number))

    def commands(self, state: str | None = None) -> list[SubmittedCameraCommand]:
        """Return the commands in order of submission; all, or those of one state."""
        if not self.path.exists():
            return []
        # For writing where that may be: what a process that was killed left half written is taken back by the next one.
        uri = f"{self.path.absolute().as_uri()}?mode=rw" if os.access(self.path, os.W_OK) else reading_uri(self.path)
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as database:
                has_table = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'commands'").fetchone()
                query = "SELECT number, body, state, outcome FROM commands ORDER BY number"
                rows = database.execute(query).fetchall() if has_table else []
        except sqlite3.Error as error:
            raise ConnectorError(why_failed(self.path, error, f"cannot be read: {error}; check the disk")) from error
        return [
            Submitted(number, _command(body), of, outcome) for number, body, of, outcome in rows if state in (None, of)
        ]

    def pending(self) -> list[SubmittedCameraCommand]:
        """Return the commands that wait; looks at the file only if it has changed since none waited."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return []
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen == self._seen:
            return []
        pending = self.commands("pending")
        is_settled = time.time() - status.st_mtime > SETTLED_S
        self._seen = seen if is_settled and not pending else None
        return pending

    def changed(self) -> ChangedCameras:
        """Return what the commands that were applied come to."""
        return changed_cameras(submitted.command for submitted in self.commands("done"))

    def delete(self) -> int:
        """Delete all commands, for a run that begins anew; return how many there were."""
        count = len(self.commands())
        self.path.unlink(missing_ok=True)
        return count

    @contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """Do everything inside, or nothing."""
        try:
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
            uri = f"{self.path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)) as database:
                database.execute("PRAGMA secure_delete = ON")
                database.execute("BEGIN IMMEDIATE")
                database.execute(_TABLE)
                yield database
                database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise ConnectorError(why_failed(self.path, error, f"cannot be written: {error}; try again")) from error


def _command(body: str) -> CameraCommand:
    values = json.loads(body)
    return CameraCommand(**{**values, "kind": CameraCommandKind(values["kind"])})
