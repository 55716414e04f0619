"""A ledger that was cut off, damaged, of a newer schema or on a full disk loses nothing that was acknowledged."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from connectors.kafka.outbox import Outbox
from connectors.private_database import Database
from pipeline.core import CommandKind, CorrectionCommand, Record, TrackId
from pipeline.core.errors import ConnectorError
from pipeline.ledger import Ledger, LedgerReader, set_aside, submit_command
from pipeline.ledger.verification import faults_of

EVERY_BYTES = 397
"""Steps of the cut; prime, so that cuts fall everywhere into pages."""


def batch(number: int) -> list[Record]:
    return [make_sighting(1 + n, TrackId("east", number, n), 0, make_path(0)) for n in range(3)]


def batches_in(path: Path) -> list[int]:
    reader = LedgerReader(path)
    found = [event.part.track_id.session for event in reader.events(limit=-1) if event.part is not None]
    reader.close()
    return found


def test_a_log_cut_at_any_byte_holds_the_transactions_acknowledged_before_it(tmp_path: Path) -> None:
    path, log = tmp_path / "ledger.sqlite", tmp_path / "ledger.sqlite-wal"
    ledger = Ledger(path)
    acknowledged = [(0, log.stat().st_size)]
    for number in range(1, 5):
        ledger.append(batch(number), entry=("window", b"x" * 1000))
        acknowledged.append((number, log.stat().st_size))
    whole, first = log.read_bytes(), acknowledged[0][1]
    for cut in range(first, len(whole) + 1, EVERY_BYTES):
        copy = tmp_path / "copy" / "ledger.sqlite"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        copy.with_name(log.name).write_bytes(whole[:cut])
        Ledger(copy).close()
        found = batches_in(copy)
        last = max(number for number, size in acknowledged if size <= cut)
        assert found == [number for number in range(1, last + 1) for _ in range(3)], cut
        shutil.rmtree(copy.parent)
    ledger.close()


def test_a_file_whose_creation_was_cut_off_can_be_created_again(tmp_path: Path) -> None:
    made = Ledger(tmp_path / "made.sqlite")
    log = (tmp_path / "made.sqlite-wal").read_bytes()
    front = (tmp_path / "made.sqlite").read_bytes()
    made.close()
    path = tmp_path / "new" / "ledger.sqlite"
    for cut in range(0, len(log), 16 * EVERY_BYTES):
        path.parent.mkdir()
        path.write_bytes(front)
        path.with_name("ledger.sqlite-wal").write_bytes(log[:cut])
        ledger = Ledger(path)
        ledger.append(batch(1))
        ledger.close()
        assert batches_in(path) == [1, 1, 1]
        shutil.rmtree(path.parent)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A ledger of 510 events."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    for number in range(170):
        ledger.append(batch(number))
    ledger.close()
    return path


USES: dict[str, Callable[[Path], object]] = {
    "a run": Ledger,
    "a run that sets it aside": set_aside,
    "a reader": LedgerReader,
    "a command": lambda path: submit_command(path, CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9)),
    "a check": faults_of,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_ledger_of_a_newer_schema_is_refused_and_stays_unchanged(full: Path, use: Callable[[Path], object]) -> None:
    with sqlite3.connect(full) as database:
        database.execute("UPDATE about SET value = '99' WHERE key = 'schema'")
    database.close()
    before = full.read_bytes()
    with pytest.raises(ConnectorError, match="expected ledger schema 2, got 99; use another output_dir"):
        use(full)
    assert full.read_bytes() == before


def test_events_before_a_damaged_page_can_still_be_read(full: Path) -> None:
    pages = bytearray(full.read_bytes())
    middle = len(pages) // 2 // 4096 * 4096
    pages[middle : middle + 20 * 4096] = b"\xff" * 20 * 4096
    full.write_bytes(bytes(pages))
    assert faults_of(full) != []
    reader = LedgerReader(full)
    with pytest.raises(ConnectorError, match=r"cannot be read: .*; passerby ledger check says what is left"):
        reader.events(limit=-1)
    assert [event.number for event in reader.events(limit=50)] == list(range(1, 51))
    reader.close()


def test_a_run_does_not_go_on_with_a_damaged_ledger(full: Path) -> None:
    pages = bytearray(full.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    full.write_bytes(bytes(pages))
    with pytest.raises(
        ConnectorError,
        match=r"ledger\.sqlite: .*(malformed|not a database).*; a backup is restored into an empty",
    ):
        Ledger(full)
    assert full.read_bytes() == bytes(pages)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs to mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=False).returncode:
        pytest.skip("cannot mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)  # an error that was caught may hold a file open


def test_a_full_disk_is_an_error_and_loses_no_written_record(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 200_000)
    path, written = small_disk / "ledger.sqlite", list[int]()
    ledger = Ledger(path)

    def write() -> None:
        ledger.append(batch(len(written)), entry=("window", b"x" * 1000))
        written.append(len(written))

    def fill() -> None:
        while len(written) < 1000:
            write()

    with pytest.raises(ConnectorError, match=r"ledger\.sqlite: cannot be written: .*full; make room on the disk"):
        fill()
    assert len(written) > 5
    assert batches_in(path) == [number for number in written for _ in range(3)]
    (small_disk / "ballast").unlink()  # make room
    write()
    ledger.close()
    assert batches_in(path) == [number for number in written for _ in range(3)]
    assert faults_of(path) == []


WRITES_ON_OPENING = {name: use for name, use in USES.items() if name != "a check"} | {
    "accounts": lambda path: Database(path.with_name("accounts.sqlite"), "CREATE TABLE a (b)").rows("SELECT 1"),
    "an outbox": lambda path: Outbox(path.with_name("outbox.sqlite")),
}


@pytest.mark.parametrize("use", WRITES_ON_OPENING.values(), ids=WRITES_ON_OPENING)
def test_whatever_opens_a_file_on_a_full_disk_asks_for_room(small_disk: Path, use: Callable[[Path], object]) -> None:
    path = small_disk / "ledger.sqlite"
    Ledger(path).close()
    with suppress(OSError), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)
    with pytest.raises(ConnectorError, match=r"sqlite: .*(full|I/O error); (make room|check permissions and free)"):
        use(path)


def test_inputs_that_are_in_the_snapshot_already_are_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append(batch(1), entry=("window", b"1"))
    ledger.save(b"state")
    ledger.append(batch(2), entry=("window", b"2"))
    ledger.close()
    assert faults_of(path) == []
    database = sqlite3.connect(path)
    database.execute("INSERT INTO journal (number, kind, body, chain) SELECT 1, kind, body, chain FROM journal")
    database.commit()
    database.close()
    (fault,) = faults_of(path)
    assert fault.startswith("journal: expected inputs after the snapshot, got 1 ")
