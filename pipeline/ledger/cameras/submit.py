"""Submits camera commands: to the run that goes on, or to one that has ended, for when it is continued."""

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.core.errors import ConnectorError, ReidError
from pipeline.ledger.audit import write_audit
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, SubmittedCameraCommand, check_camera_command
from pipeline.ledger.ledger import ledger_at_rest

CheckAtRest = Callable[[Path, CameraCommand], str]
"""Returns what a command of a run that has ended comes to; takes the run's folder. Raises ``ReidError`` to refuse.

Only the configuration can tell, and it is known above this package.
"""


def submit_camera_command(folder: Path, command: CameraCommand, check: CheckAtRest | None = None) -> int:
    """Write a camera command beside the ledger of a run and return its number; from any process.

    A run that goes on applies it within a second, after the checks that it makes of its cameras at its start. If
    no run writes the ledger, the command is checked at once, and holds for the run that continues it.

    Args:
        folder: Output folder of the run.
        command: The command.
        check: See ``CheckAtRest``. Without it, commands wait for the run that continues.

    Raises:
        ConfigError: If the command is not complete.
        ConnectorError: If there is no such run, or its folder cannot be written.
    """
    check_camera_command(command)
    ledger = folder / "ledger.sqlite"
    if not ledger.is_file():
        raise ConnectorError(f"{folder}: expected the output folder of a run, got no ledger.sqlite in it; correct it")
    _audit(folder, command, f"cameras {command.kind}", command.reason)  # first: nothing happens that nobody asked for
    number = CameraBook(folder).submit(command)
    if check is not None:
        apply_at_rest(folder, check)
    return number


def apply_at_rest(folder: Path, check: CheckAtRest) -> None:
    """Apply the commands that wait, unless a run writes the ledger, which does it itself."""
    with ledger_at_rest(folder / "ledger.sqlite") as ledger:
        for submitted in CameraBook(folder).pending() if ledger else ():
            try:
                text, is_done = check(folder, submitted.command), True
            except ReidError as error:
                text, is_done = str(error), False
            finish_camera_command(folder, submitted, is_done=is_done, text=text)


def finish_camera_command(folder: Path, submitted: SubmittedCameraCommand, *, is_done: bool, text: str) -> None:
    """Note the outcome of a command, in the audit as well. The text shows no secrets."""
    command = submitted.command
    CameraBook(folder).finish(submitted.number, is_done=is_done, text=text)
    _audit(folder, command, f"cameras {command.kind} {'done' if is_done else 'refused'}", text)


def _audit(folder: Path, command: CameraCommand, action: str, text: str) -> None:
    write_audit(
        folder / "ledger.sqlite",
        at=time.time(),
        by=command.by,
        action=action,
        subject=f"camera {command.camera_id}",
        reason=text,
    )
