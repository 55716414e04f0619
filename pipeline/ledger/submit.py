"""Submits correction commands: to a running ledger, whose run applies them, or to that of a run that has ended."""

import sqlite3
from pathlib import Path

from pipeline.core import CorrectionCommand
from pipeline.core.errors import ConnectorError
from pipeline.ledger.apply import Forget, apply_pending
from pipeline.ledger.commands import add_command, check_command
from pipeline.ledger.tables import check_schema, connect


def submit_command(path: Path, command: CorrectionCommand, forget: Forget | None = None) -> int:
    """Write a command into a ledger and return its number; safe beside the run that writes the ledger.

    The run applies it between two windows of event time. If no run writes the ledger, it is applied at once.

    Args:
        path: The ledger.
        command: The command.
        forget: See ``apply.Forget``.

    Raises:
        ConfigError: If it names too many or too few people or parts, or no operator.
        ConnectorError: If there is no such ledger, or it cannot be written.
    """
    check_command(command)
    if not path.is_file():
        raise ConnectorError(f"{path}: expected a ledger, got no file; name the ledger.sqlite of a run")
    database = connect(path, read_only=False)
    try:
        check_schema(path, database)
        database.execute("BEGIN IMMEDIATE")
        number = add_command(database, command)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise ConnectorError(f"{path}: cannot be written: {error}; try again") from error
    finally:
        database.close()
    apply_pending(path, forget)
    return number
