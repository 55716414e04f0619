"""One writer at a time, also when an earlier one comes back: stopped processes, other machines, earlier versions."""

import fcntl
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from pipeline.core import TrackId
from pipeline.core.errors import ConnectorError, LedgerHeldError
from pipeline.ledger import Ledger, LedgerReader, lease, set_aside
from pipeline.ledger.ledger import is_being_written
from pipeline.ledger.verification import faults_of

LEASE_S = 0.6
"""Seconds, in place of the real ones, so that a test is short."""
WRITER = f"""
import sys
from pathlib import Path
from factories import make_path, make_sighting
from pipeline.core import TrackId
from pipeline.core.errors import ConnectorError
from pipeline.ledger import Ledger, lease

lease.LEASE_S, lease.RENEW_S = {LEASE_S}, 0.05
writer = Ledger(Path(sys.argv[1]))
for number, line in enumerate(sys.stdin):
    try:
        writer.lease.renew()
        writer.append([make_sighting(1, TrackId("east", 0, number), 0, make_path(0))])
        print("written", flush=True)
    except ConnectorError as error:
        print(error, flush=True)
"""


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"LEASE_S": LEASE_S, "GIVE_UP_S": 2 * LEASE_S, "RENEW_S": 0.05, "LOOK_EVERY_S": 0.02}.items():
        monkeypatch.setattr(lease, name, seconds)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the ledger, and appends a sighting for every line it is sent."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        cwd=Path(__file__).resolve().parents[3],
        env={"PYTHONPATH": ".:tests/support", "PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def ask(writer: "subprocess.Popen[str]") -> str:
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("write\n")
    writer.stdin.flush()
    return writer.stdout.readline().strip()


def append(ledger: Ledger, number: int) -> None:
    ledger.append([make_sighting(2, TrackId("west", 0, number), 0, make_path(0))])


def num_events(path: Path) -> int:
    reader = LedgerReader(path)
    try:
        return len(reader.events(limit=-1))
    finally:
        reader.close()


def on_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each writer be on a machine of its own from now on: the kernel's lock says nothing of other machines."""
    monkeypatch.setattr(lease, "_boot", lambda: secrets.token_hex(8))
    monkeypatch.setattr(lease, "_lock", lambda path: os.open(path.parent, os.O_RDONLY))


def test_a_stopped_writer_loses_the_ledger_and_is_refused_when_it_goes_on(
    path: Path, writer: "subprocess.Popen[str]"
) -> None:
    assert ask(writer) == "written"
    writer.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    successor = Ledger(path)
    assert LEASE_S <= time.monotonic() - began < LEASE_S + 2.0
    append(successor, 0)
    writer.send_signal(signal.SIGCONT)
    assert "which took it over" in ask(writer)
    append(successor, 1)
    assert "nothing more is written here" in ask(writer)
    successor.close()
    assert num_events(path) == 3
    assert faults_of(path) == []


def test_a_stopped_writer_that_nobody_followed_goes_on(path: Path, writer: "subprocess.Popen[str]") -> None:
    assert ask(writer) == "written"
    writer.send_signal(signal.SIGSTOP)
    time.sleep(2 * LEASE_S)
    writer.send_signal(signal.SIGCONT)
    assert ask(writer) == "written"
    assert num_events(path) == 2


def test_a_killed_writer_is_followed_at_once(
    path: Path, writer: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 60.0)
    assert ask(writer) == "written"
    writer.kill()
    writer.wait()
    began = time.monotonic()
    Ledger(path).close()
    assert time.monotonic() - began < 5.0


def test_a_clean_end_frees_the_ledger_at_once_on_any_machine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 60.0)
    Ledger(path).close()
    on_another_machine(monkeypatch)
    began = time.monotonic()
    Ledger(path).close()
    assert time.monotonic() - began < 5.0


def test_a_writer_that_renews_is_not_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Ledger(path)
    on_another_machine(monkeypatch)
    with first.lease.kept():
        with pytest.raises(LedgerHeldError, match=r"got a run that writes it \(.*, process \d+\); wait for its end"):
            Ledger(path)
        assert is_being_written(path)
        append(first, 0)
    first.close()
    assert not is_being_written(path)
    assert num_events(path) == 1


def test_a_writer_lost_on_another_machine_is_followed_within_the_stated_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Ledger(path)
    on_another_machine(monkeypatch)
    began = time.monotonic()
    second = Ledger(path)
    assert LEASE_S <= time.monotonic() - began < LEASE_S + 2.0
    append(second, 0)
    changes: list[Callable[[], object]] = [
        lambda: append(first, 0),
        lambda: first.save(b"state"),
        lambda: first.note("ann", "merge", "person 1"),
        lambda: first.note_published({}),
        first.lease.renew,
    ]
    for change in changes:
        with pytest.raises(ConnectorError, match="which took it over"):
            change()
    first.close()
    append(second, 1)  # its end did not free what is no longer its own
    second.close()
    assert num_events(path) == 2


def test_of_many_successors_one_gets_the_ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Ledger(path)
    on_another_machine(monkeypatch)
    got: list[Ledger] = []

    def follow() -> None:
        try:
            got.append(Ledger(path))
        except LedgerHeldError:
            return
        with got[-1].lease.kept():
            time.sleep(6 * LEASE_S)

    threads = [threading.Thread(target=follow) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert got[0].lease.number == lost.lease.number + 1
    got[0].close()
    lost.close()


def test_a_writer_that_stood_still_is_no_longer_fresh(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.lease.is_fresh
    time.sleep(LEASE_S * 1.2)
    assert not ledger.lease.is_fresh
    ledger.lease.renew()
    assert ledger.lease.is_fresh
    ledger.close()


def test_a_ledger_of_an_earlier_version_is_respected_and_taken_over(path: Path) -> None:
    Ledger(path).close()
    database = sqlite3.connect(path)
    database.execute("DROP TABLE writer")
    database.close()
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # all that the earlier version's writer does
    with pytest.raises(LedgerHeldError, match="expected no other writer"):
        Ledger(path)
    os.close(folder)
    Ledger(path).close()


def test_a_file_that_a_stopped_process_keeps_locked_is_not_waited_for_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Ledger(path)
    on_another_machine(monkeypatch)
    busy = sqlite3.connect(path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerHeldError, match="expected no other writer"):
        lease.Lease(path)
    busy.close()
    first.close()


def test_a_ledger_that_is_set_aside_takes_its_log_along_although_a_page_reads_it(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(3):
        append(ledger, number)
    reader = LedgerReader(path)
    ledger.close()
    aside = set_aside(path)
    assert aside is not None
    fresh = Ledger(path)
    append(fresh, 0)
    assert len(reader.events(limit=-1)) == 3
    reader.close()
    fresh.close()
    assert (num_events(aside), num_events(path)) == (3, 1)
    assert faults_of(aside) == faults_of(path) == []
