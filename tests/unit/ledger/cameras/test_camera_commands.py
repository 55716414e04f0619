"""Camera commands beside a ledger: kept, ordered, audited, and readable by their owner alone."""

import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.ledger import Ledger, LedgerReader
from pipeline.ledger.cameras.book import CameraBook
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind, changed_cameras
from pipeline.ledger.cameras.submit import apply_at_rest, submit_camera_command

ADD, REMOVE, CHANGE = CameraCommandKind.ADD, CameraCommandKind.REMOVE, CameraCommandKind.CHANGE
EAST = CameraCommand(ADD, "east", "ann", 1.0, entry={"uri": "rtsp://host/east", "max_fps": 5})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run that has ended."""
    Ledger(tmp_path / "ledger.sqlite").close()
    return tmp_path


def test_a_command_waits_until_its_outcome_is_noted(folder: Path) -> None:
    book = CameraBook(folder)
    assert book.pending() == []
    number = book.submit(EAST)
    assert [(each.number, each.command) for each in book.pending()] == [(number, EAST)]
    book.finish(number, is_done=False, text="no route to host")
    assert book.pending() == []
    assert [(each.state, each.outcome) for each in book.commands()] == [("refused", "no route to host")]


def test_a_look_for_commands_misses_none_that_another_process_wrote(folder: Path) -> None:
    book = CameraBook(folder)
    for number in range(1, 20):
        assert book.pending() == []
        CameraBook(folder).submit(EAST)
        assert [each.number for each in book.pending()] == [number]
        CameraBook(folder).finish(number, is_done=True, text="")


def test_only_the_owner_may_read_the_addresses(folder: Path) -> None:
    CameraBook(folder).submit(EAST)
    assert stat.S_IMODE((folder / "cameras.sqlite").stat().st_mode) == 0o600


def test_many_writers_at_once_lose_nothing(folder: Path) -> None:
    threads = [threading.Thread(target=lambda: [CameraBook(folder).submit(EAST) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.number for each in CameraBook(folder).commands()] == list(range(1, 21))


def test_what_a_killed_process_left_half_written_is_taken_back(folder: Path) -> None:
    CameraBook(folder).submit(EAST)
    program = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "for number in range(50): database.execute(\"INSERT INTO commands (body, state) VALUES (?, 'pending')\","
        " ('x' * 9000,))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder / "cameras.sqlite")], check=False)
    assert (folder / "cameras.sqlite-journal").exists()
    assert [each.command for each in CameraBook(folder).commands()] == [EAST]


def test_a_command_at_rest_is_checked_at_once_and_the_audit_tells_both(folder: Path) -> None:
    def check(run: Path, command: CameraCommand) -> str:
        if command.camera_id == "wrong":
            raise ConfigError("no such file")
        return f"camera {command.camera_id} is added"

    submit_camera_command(folder, EAST, check)
    submit_camera_command(folder, replace(EAST, camera_id="wrong"), check)
    assert [each.state for each in CameraBook(folder).commands()] == ["done", "refused"]
    reader = LedgerReader(folder / "ledger.sqlite")
    rows = [(entry.by, entry.action, entry.subject, entry.reason) for entry in reader.audit()]
    reader.close()
    assert rows == [
        ("ann", "cameras add", "camera east", ""),
        ("ann", "cameras add done", "camera east", "camera east is added"),
        ("ann", "cameras add", "camera wrong", ""),
        ("ann", "cameras add refused", "camera wrong", "no such file"),
    ]


def test_a_run_that_goes_on_gets_the_command_and_nobody_else_carries_it_out(folder: Path) -> None:
    ledger = Ledger(folder / "ledger.sqlite")

    def check(run: Path, command: CameraCommand) -> str:
        raise AssertionError("a run writes the ledger")

    submit_camera_command(folder, EAST, check)
    apply_at_rest(folder, check)
    ledger.close()
    assert [each.state for each in CameraBook(folder).commands()] == ["pending"]


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (replace(EAST, camera_id=" "), "the name of a camera"),
        (replace(EAST, by=""), "the name of the operator"),
        (replace(EAST, kind=REMOVE), "an address as well"),
        (replace(EAST, event_at=float("nan")), "seconds of event time"),
        (replace(EAST, kind=CHANGE, event_at=4.0), "a camera is changed at once"),
    ],
)
def test_a_command_that_is_not_complete_is_refused_before_it_is_written(
    folder: Path, command: CameraCommand, what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        submit_camera_command(folder, command)
    assert not (folder / "cameras.sqlite").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="expected the output folder of a run"):
        submit_camera_command(tmp_path, EAST)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_one_line(folder: Path) -> None:
    (folder / "cameras.sqlite").write_bytes(b"x" * 4096)
    with pytest.raises(ConnectorError, match=r"cameras\.sqlite: cannot be read"):
        CameraBook(folder).commands()


names = st.sampled_from(["east", "west", "yard"])
changes = st.lists(st.tuples(st.sampled_from([ADD, REMOVE, CHANGE]), names), max_size=12)


@given(changes)
def test_what_commands_at_once_come_to_is_what_the_last_one_of_each_camera_says(
    given_: list[tuple[CameraCommandKind, str]],
) -> None:
    commands = [CameraCommand(kind, name, "ann", 0.0, entry=None if kind is REMOVE else name) for kind, name in given_]
    changed = changed_cameras(commands)
    last = {name: kind for kind, name in given_}
    assert changed.removed == {name for name, kind in last.items() if kind is REMOVE}
    assert set(changed.added) == {name for kind, name in given_ if kind is not REMOVE}


def test_a_camera_that_leaves_at_a_time_stays_part_of_the_run() -> None:
    changed = changed_cameras([replace(EAST, event_at=4.0), CameraCommand(REMOVE, "east", "ann", 2.0, event_at=9.0)])
    assert (changed.from_at, changed.until_at, changed.removed) == ({"east": 4.0}, {"east": 9.0}, frozenset())


def test_a_camera_was_added_at_its_time_in_the_recordings_or_when_that_was_asked() -> None:
    later = replace(EAST, camera_id="west", event_at=40.0)
    assert changed_cameras([EAST, later]).added_at == {"east": 1.0, "west": 40.0}


def test_the_file_is_one_table_that_anybody_can_read(folder: Path) -> None:
    CameraBook(folder).submit(EAST)
    with sqlite3.connect(folder / "cameras.sqlite") as database:
        assert database.execute("SELECT number, state FROM commands").fetchall() == [(1, "pending")]
