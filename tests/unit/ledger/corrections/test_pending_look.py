"""A ledger looks for commands only when another connection has written, and misses none."""

from pathlib import Path

from pipeline.core import CommandKind, CorrectionCommand
from pipeline.ledger import Ledger
from pipeline.ledger.corrections.commands import add_command
from pipeline.ledger.tables import connect


def submit(path: Path) -> None:
    database = connect(path, read_only=False)
    add_command(database, CorrectionCommand(CommandKind.NAME, (1,), "ann", 1.0, name="Ben"))
    database.commit()
    database.close()


def test_a_command_is_found_whenever_it_comes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert ledger.pending_commands() == []
    for number in range(1, 4):
        submit(tmp_path / "ledger.sqlite")
        assert len(ledger.pending_commands()) == number
        assert len(ledger.pending_commands()) == number  # until it is applied
    ledger.close()


def test_what_the_ledger_writes_itself_is_no_reason_to_look(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert ledger.pending_commands() == []
    ledger.note("test", "test", "test")
    assert ledger.pending_commands() == []
    submit(tmp_path / "ledger.sqlite")
    assert len(ledger.pending_commands()) == 1
    ledger.close()
