import csv
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from factories import make_path, make_sighting

from connectors.sinks.jsonl import JsonlSink
from pipeline.cli.ledger import main
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Record, Severity, TrackId, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.ledger import NOBODY, Ledger, LedgerReader, tables
from pipeline.ledger.verification import faults_of

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
MOVED = Correction(CorrectionKind.SPLIT, (1, 3), "review", 9.0, (TrackPart(EAST, 1), TrackPart(WEST, 0)), "better so")
ALERT = Alert("dwell/2/5.000", "dwell", Severity.INFO, 2, "west", 5.0, 5.4, "Stays.", (WEST,))


def records() -> list[Record]:
    return [
        make_sighting(1, EAST, 0, make_path(0)),
        make_sighting(1, EAST, 1, make_path(10)),
        make_sighting(1, WEST, 0, make_path(20)),
        make_sighting(2, WEST, 1, make_path(50)),
        ALERT,
        MOVED,
        Correction(CorrectionKind.NAMED, (2,), "ann", 9.0, name="lost child"),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append(records(), entry=("window", b"the appearance of all people of this window, at some length" * 9))
    ledger.save(b"the same appearances once more, kept for a run that goes on from here" * 9)
    ledger.append([], entry=("window", b"and what arrived after that: appearances again, of all people" * 9))
    ledger.close()
    sink = JsonlSink(output_dir=str(tmp_path))
    sink.write(records())
    sink.close()
    (tmp_path / "mot").mkdir()
    (tmp_path / "mot/west.txt").write_text("1,2,10,10,30,80,0.9,-1,-1,-1\n1,22,50,10,30,80,0.9,-1,-1,-1\n")
    pictures = sqlite3.connect(tmp_path / "pictures.sqlite")
    pictures.execute("CREATE TABLE pictures (track TEXT, part INTEGER, jpeg BLOB)")
    pictures.executemany("INSERT INTO pictures VALUES (?, ?, ?)", [(str(WEST), 1, b"her face"), (str(EAST), 0, b"his")])
    pictures.commit()
    pictures.close()
    return tmp_path


def change(folder: Path, statement: str) -> None:
    database = sqlite3.connect(folder / "ledger.sqlite")
    database.execute(statement)
    database.commit()
    database.close()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_ledger_as_it_was_written_is_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("ledger.sqlite: whole, in order, unchanged\n")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE events SET body = replace(body, '2', '3') WHERE number = 4", "event 4: its hash does not fit"),
        ("DELETE FROM events WHERE number = 2", "events: expected number 2, got 3; rows are missing"),
        ("UPDATE events SET body = NULL, is_redacted = 1 WHERE number = 2", "event 2: it was emptied, but the audit"),
        ("DELETE FROM events WHERE number > 5", "journal: expected to end with the last event"),
    ],
    ids=["changed", "gone", "emptied", "cut off"],
)
def test_a_change_from_outside_is_found(folder: Path, statement: str, fault: str) -> None:
    change(folder, statement)
    assert any(found.startswith(fault) for found in faults_of(folder / "ledger.sqlite"))


def test_a_changed_audit_is_found(folder: Path) -> None:
    assert main(["confirm", str(folder), "1", "--by", "ann"]) == 0
    assert faults_of(folder / "ledger.sqlite") == []
    change(folder, "UPDATE audit SET by = 'bob' WHERE number = 1")
    assert faults_of(folder / "ledger.sqlite") == ["audit 1: its hash does not fit; it or the row before was changed"]


def test_a_damaged_page_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append([make_sighting(1, EAST, part, make_path(10 * part)) for part in range(500)])
    ledger.close()
    pages = bytearray(path.read_bytes())
    pages[20 * 4096 : 40 * 4096] = b"\xff" * 20 * 4096
    path.write_bytes(bytes(pages))
    assert main(["check", str(tmp_path)]) == 1
    assert "cannot be read to the end" in capsys.readouterr().err
    reader = LedgerReader(path)
    with pytest.raises(ConnectorError, match=r"cannot be read: .*; passerby ledger check says what is left"):
        reader.persons()
    reader.close()


def test_why_prints_the_decision_and_later_corrections(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(folder), "east/0/1:1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "east/0/1:1 at 1.4 became person 1, a new number; 95% sure"
    assert lines[-2:] == ["then split: 1, 3, by re-clustering (better so)", "now: person 3"]
    assert main(["why", str(folder), "east/0/9:0"]) == 1
    assert "expected a sighting" in capsys.readouterr().err


def test_an_export_has_a_row_for_every_event(folder: Path) -> None:
    assert main(["export", str(folder), str(folder / "all.csv")]) == 0
    with (folder / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["person_id"], row["person_id_now"]) for row in rows[:3]] == [
        ("sighting", "1", "1"),
        ("sighting", "1", "3"),
        ("sighting", "1", "3"),
    ]
    assert main(["export", str(folder), str(folder / "all.parquet")]) == 0
    assert pq.read_table(folder / "all.parquet").column("person_id_now").to_pylist()[:4] == [1, 3, 3, 2]
    assert main(["export", str(folder), str(folder / "all.txt")]) == 2


def test_an_erased_person_is_in_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traces = [b"lost child", b'"west/0/1", "part": 1', b"her face", b"1,2,10,10", b"dwell/2", b"appearances again"]
    assert all(trace in everything(folder) for trace in traces)
    assert main(["erase", str(folder), "2", "--by", "ann", "--reason", "she asked for it"]) == 0
    printed = capsys.readouterr().out
    assert "sightings: 1" in printed
    assert "pictures.sqlite pictures: 1" in printed
    assert printed.endswith("nothing of it is found any more\n")
    left = everything(folder)
    assert [trace for trace in traces if trace in left] == []
    assert b"his" in left
    assert b"1,22,50,10" in left
    reader = LedgerReader(folder / "ledger.sqlite")
    assert [person.person_id for person in reader.persons()] == [1, 3]
    assert reader.alerts() == []
    assert ("ann", "erase", "person 2", "she asked for it") in [
        (entry.by, entry.action, entry.subject, entry.reason) for entry in reader.audit()
    ]
    reader.close()
    assert faults_of(folder / "ledger.sqlite") == []


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_erasing_reaches_exports_wherever_they_are_and_names_those_that_were_moved(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    there, moved, other = (elsewhere / f"{name}.{ending}" for name in ("there", "moved", "other"))
    for target in (there, moved, other):
        assert main(["export", str(folder), str(target), "--by", "bob"]) == 0
    moved.rename(elsewhere / "gone")
    other.write_text("not an export any more")
    capsys.readouterr()
    assert main(["erase", str(folder), "2", "--by", "ann"]) == 0
    printed = capsys.readouterr().out
    assert "exports: 1; NOT REACHED, moved since they were exported: " in printed
    assert str(moved) in printed
    assert str(there) not in printed
    assert other.read_text() == "not an export any more"
    table = (
        pq.read_table(there).to_pylist()
        if ending == "parquet"
        else list(csv.DictReader(there.read_text().splitlines()))
    )
    assert {str(row["person_id_now"]) for row in table if row["kind"] == "sighting"} == {"1", "3"}
    assert "lost child" not in str(table)
    reader = LedgerReader(folder / "ledger.sqlite")
    assert ("bob", "export", str(there)) in [(entry.by, entry.action, entry.subject) for entry in reader.audit()]
    reader.close()
    assert faults_of(folder / "ledger.sqlite") == []


def test_an_erased_person_is_erased_under_all_earlier_numbers(folder: Path) -> None:
    assert main(["merge", str(folder), "1", "2", "--by", "ann"]) == 0
    reader = LedgerReader(folder / "ledger.sqlite")
    assert [(alert.person_id, alert.state) for alert in reader.alerts()] == [(1, AlertState.AMENDED)]
    reader.close()
    assert main(["erase", str(folder), "1", "--by", "ann"]) == 0
    reader = LedgerReader(folder / "ledger.sqlite")
    assert ([person.person_id for person in reader.persons()], reader.alerts()) == ([3], [])
    reader.close()
    # The number and the parts are not given again.
    ledger = Ledger(folder / "ledger.sqlite")
    assert ledger.has(TrackPart(EAST, 0))
    assert main(["split", str(folder), "3", "west/0/1:0", "--by", "ann"]) == 0
    ledger.close()


def test_old_events_go_and_names_stay(folder: Path) -> None:
    ledger = Ledger(folder / "ledger.sqlite")
    assert ledger.compact(retention_s=1e9, max_events=0) == 0
    assert ledger.compact(retention_s=7.0, max_events=0) == 2
    assert ledger.compact(retention_s=1e9, max_events=0) == 0
    assert ledger.compact(retention_s=1e9, max_events=1) == 4
    ledger.close()
    assert faults_of(folder / "ledger.sqlite") == []
    reader = LedgerReader(folder / "ledger.sqlite")
    assert [correction.name for _, correction in reader.corrections()] == ["lost child"]
    reader.close()


@pytest.mark.parametrize("max_events", [0, 1, 3])
@pytest.mark.parametrize("retention_s", [0.0, 1e9])
def test_compaction_never_deletes_an_erasure(folder: Path, retention_s: float, max_events: int) -> None:
    assert main(["erase", str(folder), "2", "--by", "ann"]) == 0
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append([make_sighting(1, EAST, 9, make_path(900))], entry=("window", b""))
    ledger.compact(retention_s=retention_s, max_events=max_events)
    assert ledger.has(TrackPart(WEST, 1))  # so a recording that is read again does not bring the person back
    ledger.append([make_sighting(2, WEST, 8, make_path(900))], entry=("window", b""))
    ledger.close()
    reader = LedgerReader(folder / "ledger.sqlite")
    erased = [made.person_ids for _, made in reader.corrections() if made.kind is CorrectionKind.ERASED]
    assert erased == [(2,)]
    assert reader.person_of(TrackPart(WEST, 8)) == NOBODY
    reader.close()
    assert faults_of(folder / "ledger.sqlite") == []


def test_a_number_whose_events_were_compacted_is_not_given_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    moved = Correction(CorrectionKind.SPLIT, (8, 9), "review", 0.5, (TrackPart(WEST, 0),))
    ledger.append([make_sighting(8, WEST, 0, make_path(0)), moved])
    ledger.append([make_sighting(1, EAST, part, make_path(10 * part)) for part in range(2)])
    assert ledger.compact(retention_s=1e9, max_events=2) == 2
    assert ledger.compact(retention_s=1e9, max_events=2) == 0
    ledger.close()
    assert main(["split", str(tmp_path), "1", "east/0/1:1", "--by", "ann"]) == 0
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [person.person_id for person in reader.persons()] == [1, 10]
    reader.close()


def test_erasure_reports_what_a_reader_holds_in_the_log_until_the_reader_is_gone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BUSY_S", 0.1)
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append([make_sighting(2, WEST, 7, make_path(90))])
    reading = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM events").fetchone()
    ledger.close()
    assert main(["erase", str(folder), "2", "--by", "ann"]) == 1
    assert "STILL FOUND in ledger.sqlite" in capsys.readouterr().out
    reading.close()
    Ledger(folder / "ledger.sqlite").close()
    assert not (folder / "ledger.sqlite-wal").exists()


def test_what_an_erasure_searches_for_is_not_in_what_is_about_other_people(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append([make_sighting(person_id, EAST, person_id, make_path(100 * person_id)) for person_id in range(4, 9)])
    ledger.close()
    for person_id in (2, 4, 5, 6):
        assert main(["erase", str(folder), str(person_id), "--by", "ann"]) == 0
        assert capsys.readouterr().out.endswith("nothing of it is found any more\n"), person_id
    reader = LedgerReader(folder / "ledger.sqlite")
    assert [person.person_id for person in reader.persons()] == [1, 3, 7, 8]
    reader.close()
