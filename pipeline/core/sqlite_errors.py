"""What a failed call of SQLite means for the person who reads the message."""

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


def why_failed(path: Path, error: Exception, otherwise: str) -> str:
    """Return the message for an error.

    Args:
        path: The file.
        error: What SQLite raised, or the operating system.
        otherwise: What happened and what to do, unless the disk is full; without the file's name.
    """
    if getattr(error, "sqlite_errorcode", None) in FULL:
        return f"{path}: cannot be written: {error}; make room on the disk"
    return f"{path}: {otherwise}"
