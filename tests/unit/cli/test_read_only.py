"""The folder of a run that this user may read and not write: what reads goes on, what writes says what to do."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import make_sighting

from connectors.private_database import Database
from pipeline.cli.ledger import main as ledger
from pipeline.cli.operator_name import operator_name
from pipeline.cli.re_export import main as re_export
from pipeline.core.errors import ConnectorError
from pipeline.ledger import Ledger

NOBODY = 65534
"""User who owns nothing."""


@pytest.fixture
def run() -> Iterator[Path]:
    """The folder, which nobody may write: as root, for whom rights do not count, in the place of a user."""
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        opened = Ledger(folder / "ledger.sqlite")
        opened.append([make_sighting(7), make_sighting(8)])
        opened.close()
        (folder / "ledger.sqlite").chmod(0o444)
        folder.chmod(0o555)
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_ledger_that_may_only_be_read_is_exported(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        target = Path(name) / "events.csv"
        assert ledger(["export", str(run), str(target)]) == 0
        assert len(target.read_text().splitlines()) == 3
    printed = capsys.readouterr()
    assert printed.err.startswith(f"warning: {run / 'ledger.sqlite'}: may only be read, so its audit does not name ")
    assert "2 events" in printed.out


@pytest.mark.parametrize(
    "command",
    [
        lambda run: ledger(["merge", run, "7", "8", "--by", "ann"]),
        lambda run: ledger(["forget", run, "--by", "ann"]),
        lambda run: re_export([run]),
    ],
    ids=["merge", "forget", "re-export"],
)
def test_what_writes_a_ledger_asks_for_a_copy(run: Path, capsys: pytest.CaptureFixture[str], command) -> None:  # type: ignore[no-untyped-def]
    assert command(str(run)) == 1
    expected = "may only be read, and this writes; copy its folder to where you may write, and use the copy\n"
    assert capsys.readouterr().err == f"error: {run / 'ledger.sqlite'}: {expected}"


def test_files_of_the_console_ask_for_a_copy(run: Path) -> None:
    with pytest.raises(ConnectorError, match=r"accounts\.sqlite: may not be written: .*, copy its folder to where"):
        Database(run / "console" / "accounts.sqlite", "")


@pytest.mark.parametrize("arguments", [["people"], ["check"], ["merge", "7", "8", "--by", "ann"]], ids=str)
def test_a_folder_without_a_ledger_is_a_mistake_in_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert ledger([arguments[0], str(tmp_path), *arguments[1:]]) == 2
    assert "ledger.sqlite: expected a ledger, got no file; name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr("os.getuid", lambda: 1234)
    assert operator_name() == "user 1234"
