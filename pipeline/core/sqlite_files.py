"""Files of SQLite: how one is opened to be read, and what a failed call means for the person who reads the message."""

import os
import sqlite3
from pathlib import Path

FULL = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)
"""Codes of a call that could not write. Opening a file to read it writes, too: the index of its log, beside it."""

PRIMARY = 0xFF
"""Bits of a code of SQLite that name the kind of an error; the others say more about it."""


def is_read_only(error: BaseException | None) -> bool:
    """Return whether SQLite refused to write because the file or its folder may only be read."""
    return _kind(error) == sqlite3.SQLITE_READONLY


def _kind(error: BaseException | None) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & PRIMARY


def why_failed(path: Path, error: Exception, otherwise: str) -> str:
    """Return the message for an error.

    Args:
        path: The file.
        error: What SQLite raised, or the operating system.
        otherwise: What happened and what to do, unless the disk is full or the file may only be read; without the
            file's name.
    """
    if getattr(error, "sqlite_errorcode", None) in FULL:
        return f"{path}: cannot be written: {error}; make room on the disk"
    if is_read_only(error):
        return f"{path}: may only be read, and this writes; copy its folder to where you may write, and use the copy"
    if _kind(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"{path}: {otherwise}; a backup is restored into an empty folder"
    return f"{path}: {otherwise}"


def reading_uri(path: Path) -> str:
    """Return the URI by which a file is opened for reading, also on a medium that cannot be written.

    A reader of a file with a log (WAL) writes an index beside it. Where that is impossible and no log is there, nobody
    else can be writing either, so the file is read as it is.
    """
    log = path.with_name(f"{path.name}-wal")
    can_write = os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    is_fixed = not can_write and not (log.is_file() and log.stat().st_size)
    return f"{path.absolute().as_uri()}?{'immutable=1' if is_fixed else 'mode=ro'}"
