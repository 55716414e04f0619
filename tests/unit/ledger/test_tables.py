"""How the file of a ledger is opened, checked, verified, exported, set aside and audited."""

import csv
import json
import sqlite3
from math import inf
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from factories import make_path, make_sighting

from pipeline.core import (
    Alert,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Severity,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.ledger import Ledger, LedgerReader, Outcome, set_aside, submit_command, verification
from pipeline.ledger.audit import write_audit
from pipeline.ledger.events import COLUMNS
from pipeline.ledger.export import export, renew_exports
from pipeline.ledger.reader import AT_ONCE
from pipeline.ledger.schemas import schema_files
from pipeline.ledger.tables import connect
from pipeline.ledger.unpublished import unpublished_records
from pipeline.ledger.verification import faults_of

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
ALERT = Alert("dwell/2/5.000", "dwell", Severity.INFO, 2, "west", 5.0, 5.4, "Stays.", (WEST,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of eight sightings and an alert, half a second apart."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(1, EAST, part, make_path(5 * part)) for part in range(8)])
    ledger.append([ALERT], entry=("window", b"input"))
    ledger.close()
    return tmp_path / "ledger.sqlite"


def change(path: Path, *statements: str) -> None:
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def audit_of(path: Path) -> list[tuple[str, str, str, str]]:
    opened = LedgerReader(path)
    found = [(entry.by, entry.action, entry.subject, entry.reason) for entry in opened.audit()]
    opened.close()
    return found


def test_a_writer_keeps_a_log_that_others_read_beside_and_overwrites_what_it_deletes(path: Path) -> None:
    database = connect(path, read_only=False)
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    assert [database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas] == ["wal", 1, 1, 1]
    assert not database.in_transaction
    database.close()


def test_only_a_writer_makes_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="cannot be opened as a ledger"):
        connect(tmp_path / "none.sqlite", read_only=True)
    connect(tmp_path / "none.sqlite", read_only=False).close()
    assert (tmp_path / "none.sqlite").exists()


def test_a_closed_ledger_is_one_file(path: Path) -> None:
    assert sorted(each.name for each in path.parent.iterdir()) == ["ledger.sqlite"]


def test_a_ledger_without_a_number_of_schema_is_refused(path: Path) -> None:
    change(path, "DELETE FROM about")
    with pytest.raises(ConnectorError, match="expected ledger schema 2, got none; use another output_dir"):
        LedgerReader(path)


def test_a_part_that_was_seen_is_had_and_no_other(path: Path) -> None:
    ledger = Ledger(path)
    parts = [TrackPart(EAST, 7), TrackPart(EAST, 8), TrackPart(WEST, 7)]
    assert [ledger.has(part) for part in parts] == [True, False, False]
    ledger.close()


def test_who_did_what_to_whom_is_in_the_audit(path: Path) -> None:
    ledger = Ledger(path)
    ledger.note("ann", "look", "person 1")
    ledger.close()
    write_audit(path, at=1.5, by="bob", action="search", subject="red coat", reason="lost")
    write_audit(path, at=1.5, by="bob", action="search", subject="blue coat")
    assert audit_of(path) == [
        ("ann", "look", "person 1", ""),
        ("bob", "search", "red coat", "lost"),
        ("bob", "search", "blue coat", ""),
    ]
    opened = LedgerReader(path)
    assert [entry.number for entry in opened.audit()] == [1, 2, 3]
    assert [entry.at for entry in opened.audit()[1:]] == [1.5, 1.5]
    assert opened.audit()[0].at > 1.6e9
    opened.close()
    assert faults_of(path) == []


def test_the_audit_of_no_ledger_is_not_written(tmp_path: Path) -> None:
    change(tmp_path / "other.sqlite", "CREATE TABLE a (b)")
    with pytest.raises(ConnectorError, match=r"other\.sqlite: expected a ledger, got a file of SQLite that is none"):
        write_audit(tmp_path / "other.sqlite", at=1.0, by="a", action="b", subject="c")


@pytest.mark.parametrize(
    ("retention_s", "max_events", "left"),
    [
        (inf, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (inf, 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (inf, 8, [2, 3, 4, 5, 6, 7, 8, 9]),
        (2.0, 0, [8, 9]),  # from 3.4 s on
        (2.0, 8, [8, 9]),
        (2.0, 1, [9]),
        (0.0, 0, [9]),
        (1e9, 1, [9]),
    ],
)
def test_the_oldest_events_go_by_age_or_by_number(
    path: Path, retention_s: float, max_events: int, left: list[int]
) -> None:
    ledger = Ledger(path)
    assert ledger.compact(retention_s=retention_s, max_events=max_events) == 9 - len(left)
    ledger.close()
    opened = LedgerReader(path)
    assert [event.number for event in opened.events()] == left
    opened.close()
    said = [("retention", "compact", "events", f"{9 - len(left)} events up to number {left[0] - 1}")]
    assert audit_of(path) == (said if len(left) < 9 else [])
    assert faults_of(path) == []


def test_a_ledger_without_events_is_not_compacted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert ledger.compact(retention_s=1.0, max_events=1) == 0
    ledger.close()


def test_ledgers_that_are_set_aside_are_counted(path: Path) -> None:
    assert set_aside(path) == path.with_name("ledger.1.sqlite")
    assert set_aside(path) is None
    Ledger(path).close()
    assert set_aside(path) == path.with_name("ledger.2.sqlite")
    opened = LedgerReader(path.with_name("ledger.1.sqlite"))
    assert len(opened.events()) == 9
    opened.close()


def test_of_many_faults_of_one_kind_some_are_listed_and_the_rest_counted(path: Path) -> None:
    change(path, "UPDATE events SET body = body || ' ' WHERE number < 7")
    assert faults_of(path) == [
        *(f"event {number}: its hash does not fit; it or the row before was changed" for number in (1, 2, 3)),
        "and 3 more like this",
    ]
    change(path, "UPDATE events SET body = rtrim(body) WHERE number > 3")
    assert len(faults_of(path)) == verification.MAX_LISTED


def test_each_gap_in_events_and_audit_is_named(path: Path) -> None:
    for subject in "abc":
        write_audit(path, at=1.0, by="ann", action="search", subject=subject)
    change(path, "DELETE FROM events WHERE number IN (1, 5)", "DELETE FROM audit WHERE number = 2")
    assert faults_of(path) == [
        "events: expected number 1, got 2; rows are missing",
        "events: expected number 5, got 6; rows are missing",
        "audit: expected number 2, got 3; rows are missing",
        "audit 3: its hash does not fit; it or the row before was changed",
    ]


def test_a_journal_or_snapshot_of_other_events_is_named(path: Path) -> None:
    fault = ["journal: expected to end with the last event, it does not; a run cannot go on from here"]
    change(path, "UPDATE journal SET chain = x'00'")
    assert faults_of(path) == fault
    ledger = Ledger(path)
    ledger.save(b"state")
    ledger.close()
    assert faults_of(path) == []
    change(path, "UPDATE snapshot SET chain = x'00'")
    assert faults_of(path) == fault


def test_a_check_of_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match=r"ledger\.sqlite: expected a ledger, got no file; name the ledger"):
        faults_of(tmp_path / "ledger.sqlite")


def test_a_damaged_index_is_named_by_its_page(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA writable_schema = ON")
    database.execute(
        "UPDATE sqlite_master SET sql = 'CREATE INDEX events_of_person ON events (camera_id, number)' "
        "WHERE name = 'events_of_person'"
    )
    database.commit()
    database.close()
    assert faults_of(path)[0].startswith("pages: row 1 missing from index events_of_person")


CORRECTED = Correction(CorrectionKind.SPLIT, (1, 3), "ann", 9.0, (TrackPart(EAST, 0),))


def test_an_export_has_every_column_of_every_event(path: Path, tmp_path: Path) -> None:
    ledger = Ledger(path)
    ledger.append([CORRECTED])
    ledger.close()
    opened = LedgerReader(path)
    assert export(opened, tmp_path / "a.csv") == export(opened, tmp_path / "a.parquet") == 10
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*COLUMNS.split(", ")[:4], "person_id_now", *COLUMNS.split(", ")[4:]]
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 11)]
    first, second, alert = rows[0], rows[1], rows[8]
    assert [first[name] for name in ("kind", "at", "person_id", "person_id_now")] == ["sighting", "0.4", "1", "3"]
    assert [second[name] for name in ("camera_id", "track", "part", "person_id_now")] == ["east", "east/0/1", "1", "1"]
    assert [alert[name] for name in ("kind", "at", "person_id", "person_id_now", "camera_id", "track", "part")] == [
        "alert",
        "5.4",
        "2",
        "",
        "west",
        "",
        "",
    ]
    assert json.loads(alert["body"])["message"] == "Stays."
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.num_rows == 10
    for row, text in zip(table.to_pylist(), rows, strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == text
    opened.close()


def test_an_export_needs_a_known_ending_and_a_place(path: Path, tmp_path: Path) -> None:
    opened = LedgerReader(path)
    with pytest.raises(ConfigError, match=r"all: expected a name that ends in \.csv or \.parquet, got none$"):
        export(opened, tmp_path / "all")
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.csv or \.parquet, got \.xls$"):
        export(opened, tmp_path / "all.xls")
    with pytest.raises(ConnectorError, match=r"all\.csv: expected to write it, got No such file or directory; check"):
        export(opened, tmp_path / "absent/all.csv")
    opened.close()


def test_exports_are_renewed_once_each_where_they_still_are(path: Path, tmp_path: Path) -> None:
    targets = [str(tmp_path / name) for name in ("a.csv", "b.parquet", "moved.csv", "other.csv", "binary.csv")]
    opened = LedgerReader(path)
    for target in targets:
        export(opened, Path(target))
    for target in [*targets, targets[0]]:
        write_audit(path, at=1.0, by="ann", action="export", subject=target)
    write_audit(path, at=1.0, by="ann", action="search", subject=str(tmp_path / "search.csv"))
    Path(targets[2]).unlink()
    Path(targets[3]).write_text("numbers,kind\n")
    Path(targets[4]).write_bytes(b"number\xff,kind\n")
    before = Path(targets[0]).read_bytes()
    Path(targets[0]).write_bytes(before + b"10,sighting\n")
    assert renew_exports(opened) == (2, targets[2:])
    assert Path(targets[0]).read_bytes() == before
    assert Path(targets[3]).read_text() == "numbers,kind\n"
    opened.close()


def test_generated_schemas_stand_alone() -> None:
    files = schema_files()
    assert sorted(files) == [f"{name}.schema.json" for name in ("alert", "correction", "count", "sighting", "tracklet")]
    for name, text in files.items():
        schema = json.loads(text)
        kind = name.removesuffix(".schema.json")
        assert list(schema)[:3] == ["$schema", "$id", "title"]
        assert (schema["$id"], schema["title"]) == (f"urn:passerby:schema:1:{kind}", kind.capitalize())
        assert "$ref" not in text
        assert "$defs" not in text
        assert text.endswith("}\n")


def test_a_reader_answers_by_camera_track_part_and_time(path: Path) -> None:
    ledger = Ledger(path)
    again = make_sighting(4, EAST, 2, make_path(60))
    ledger.append([again, CORRECTED])
    chain = bytes.fromhex(ledger.digest)
    ledger.close()
    opened = LedgerReader(path)
    newest = opened.sighting(TrackPart(EAST, 2))
    assert newest is not None
    assert (newest.number, newest.person_id) == (10, 4)
    assert opened.sighting(TrackPart(EAST, 9)) is None
    near = [opened.sighting_near(EAST, at) for at in (0.0, 0.66, 100.0)]
    assert [event.number for event in near if event is not None] == [1, 2, 10]
    assert opened.sighting_near(WEST, 1.0) is None
    assert (opened.last_event(), opened.number_of(chain), opened.number_of(b"")) == (11, 11, 0)
    assert (opened.last_at("east"), opened.last_at("west"), opened.last_at("gate")) == (6.4, 5.4, None)
    assert [number for number, _ in opened.corrections_of([3])] == [11]
    assert [number for number, _ in opened.corrections_of([7, 1])] == [11]
    assert opened.corrections_of([2]) == []
    assert opened.corrections(after=11) == []
    opened.close()


def test_more_events_than_one_query_reads_are_all_exported_counted_and_owed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    opened = LedgerReader(path)
    assert opened.last_event() == 0
    ledger.append([Correction(CorrectionKind.CONFIRMED, (1,), "ann", 1.0)] * (AT_ONCE + 2))
    assert export(opened, tmp_path / "a.csv") == export(opened, tmp_path / "a.parquet") == AT_ONCE + 2
    assert len(unpublished_records(ledger.saved(), opened)) == AT_ONCE + 2
    assert opened.people().last_event == opened.last_event() == AT_ONCE + 2
    opened.close()
    ledger.close()


def test_commands_are_found_by_number_by_age_and_by_state(path: Path) -> None:
    ledger = Ledger(path)
    for name in ("Ann", "Ben", "Cem"):
        submit_command(path, CorrectionCommand(CommandKind.NAME, (1,), "ann", 1.0, name=name))
    waiting = ledger.pending_commands()
    ledger.append([], outcomes=[Outcome(waiting[0], 2.0, True, "named"), Outcome(waiting[1], 2.0, False, "no")])
    ledger.close()
    opened = LedgerReader(path)
    assert [(each.number, each.state, each.outcome) for each in opened.commands()] == [
        (1, "done", "named"),
        (2, "refused", "no"),
        (3, "pending", ""),
    ]
    assert [each.command.name for each in opened.newest_commands(2)] == ["Cem", "Ben"]
    assert (opened.command(2), opened.command(4)) == (opened.commands()[1], None)
    assert opened.num_answered() == 2
    opened.close()
    assert audit_of(path)[-2:] == [("ann", "name done", "person 1", "named"), ("ann", "name refused", "person 1", "no")]


def test_a_command_that_cannot_be_written_is_an_error_that_says_so(path: Path) -> None:
    change(path, "DROP TABLE orders")
    with pytest.raises(ConnectorError, match=r"ledger\.sqlite: cannot be written: no such table: orders; try again$"):
        submit_command(path, CorrectionCommand(CommandKind.NAME, (1,), "ann", 1.0))


def test_who_can_restore_a_run_keeps_its_state_when_somebody_is_erased_at_rest(path: Path) -> None:
    asked = []

    def forget(folder: Path, saved: object, command: object, correction: Correction) -> tuple[bytes, list[bytes]]:
        asked.append((folder, correction.kind, correction.person_ids))
        return b"state without her", [b"an excerpt of her appearance that is long enough"]

    (path.parent / "copy.bin").write_bytes(b"<an excerpt of her appearance that is long enough>")
    number = submit_command(path, CorrectionCommand(CommandKind.ERASE, (1,), "ann", 1.0), forget)
    assert asked == [(path.parent, CorrectionKind.ERASED, (1,))]
    ledger = Ledger(path)
    assert ledger.saved().state == b"state without her"
    ledger.close()
    opened = LedgerReader(path)
    command = opened.command(number)
    assert command is not None
    assert command.outcome.endswith("STILL FOUND in copy.bin")
    opened.close()
