import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_sighting

from pipeline.core import Alert, Correction, CorrectionKind, Match, Outcome, Record, Severity, TrackId, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.ledger import Ledger

EAST = TrackId("east", 0, 7)
SPLIT = Correction(CorrectionKind.SPLIT, (3, 4), "review", 9.5, (TrackPart(EAST, 2),), "better so")
ALERT = Alert("watch/3/1.0", "watch", Severity.CRITICAL, 3, "east", 1.0, 2.0, "Person 3 is here.", (EAST,))


def make_records() -> list[Record]:
    known = replace(make_sighting(3, EAST, outcome=Outcome.MATCHED), runner_up=Match(5, 0.4), gates=("not 6: away",))
    return [make_sighting(1), known, SPLIT, ALERT]


def rows(path: Path) -> list[tuple]:
    database = sqlite3.connect(path)
    found = database.execute(
        "SELECT number, kind, at, person_id, camera_id, body FROM events ORDER BY number"
    ).fetchall()
    database.close()
    return found


def written(path: Path, *batches: list[Record]) -> str:
    ledger = Ledger(path)
    for batch in batches:
        ledger.append(batch)
    ledger.close()
    return ledger.digest


def test_every_record_is_a_row_in_order(tmp_path: Path) -> None:
    written(tmp_path / "ledger.sqlite", make_records())
    assert [row[:5] for row in rows(tmp_path / "ledger.sqlite")] == [
        (1, "sighting", 0.4, 1, "east"),
        (2, "sighting", 0.4, 3, "east"),
        (3, "correction", 9.5, 3, None),
        (4, "alert", 2.0, 3, "east"),
    ]


def test_a_row_says_in_json_what_the_record_says(tmp_path: Path) -> None:
    written(tmp_path / "ledger.sqlite", make_records())
    new, known, split, alert = (json.loads(row[5]) for row in rows(tmp_path / "ledger.sqlite"))
    assert (new["outcome"], new["distance"], new["runner_up"]) == ("new", None, None)
    assert (known["track"], known["runner_up"], known["gates"]) == ("east/0/7", [5, 0.4], ["not 6: away"])
    assert (known["first"], known["last"], known["num_frames"]) == ([0, 0.0], [4, 0.4], 5)
    assert known["box_xyxy"] == [10.0, 10.0, 40.0, 90.0]
    # What each row has, or a column of it holds, is not written twice.
    assert all(not {"schema", "event"} & body.keys() for body in (new, known, split, alert))
    assert "camera_id" not in known
    assert (split["kind"], split["person_ids"], split["parts"]) == ("split", [3, 4], [["east/0/7", 2]])
    assert (alert["severity"], alert["state"], alert["evidence"]) == ("critical", "raised", ["east/0/7"])


def test_the_history_of_a_person_is_one_query(tmp_path: Path) -> None:
    written(tmp_path / "ledger.sqlite", make_records())
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    found = database.execute("SELECT kind FROM events WHERE person_id = 3 ORDER BY number").fetchall()
    database.close()
    assert found == [("sighting",), ("correction",), ("alert",)]


def test_equal_records_have_an_equal_digest_in_any_batches(tmp_path: Path) -> None:
    at_once = written(tmp_path / "one.sqlite", make_records())
    one_by_one = written(tmp_path / "two.sqlite", *[[record] for record in make_records()])
    assert at_once == one_by_one


@pytest.mark.parametrize(
    "others",
    [make_records()[::-1], make_records()[:-1], [replace(make_sighting(1), probability=0.5), *make_records()[1:]]],
    ids=["another order", "one less", "another probability"],
)
def test_other_records_have_another_digest(tmp_path: Path, others: list[Record]) -> None:
    assert written(tmp_path / "one.sqlite", make_records()) != written(tmp_path / "two.sqlite", others)


def test_noise_in_the_last_digits_does_not_change_the_digest(tmp_path: Path) -> None:
    sighting = make_sighting(3, outcome=Outcome.MATCHED)
    noisy = replace(sighting, distance=0.2 + 1e-13, probability=0.95 - 1e-13)
    assert written(tmp_path / "one.sqlite", [sighting]) == written(tmp_path / "two.sqlite", [noisy])


def test_a_failed_append_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append(make_records()[:1])
    before = ledger.digest
    database = sqlite3.connect(path)
    full = "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.kind = 'alert' BEGIN SELECT RAISE(ABORT, 'full'); END"
    database.execute(full)
    database.close()
    with pytest.raises(ConnectorError, match="cannot be written: full; make room"):
        ledger.append(make_records())
    assert ledger.digest == before
    ledger.append([SPLIT])
    ledger.close()
    assert [row[1] for row in rows(path)] == ["sighting", "correction"]


def test_a_reopened_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    written(path, make_records())
    written(path, [SPLIT])
    assert [(row[0], row[1]) for row in rows(path)][-2:] == [(4, "alert"), (5, "correction")]


def test_appended_records_are_on_the_disk_while_the_writer_is_open(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append(make_records())
    assert len(rows(path)) == 4  # seen by another reader while it is open
    ledger.close()


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    written(path)
    database = sqlite3.connect(path)
    database.execute("UPDATE about SET value = '99'")
    database.commit()
    database.close()
    with pytest.raises(ConnectorError, match="expected ledger schema 2, got 99; use another output_dir"):
        Ledger(path)


def test_a_file_that_is_not_a_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"This is a text, and long enough to be none of SQLite's files. " * 50)
    with pytest.raises(ConnectorError, match="cannot be opened as a ledger"):
        Ledger(path)


def test_a_missing_folder_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match=r"absent/ledger\.sqlite"):
        Ledger(tmp_path / "absent" / "ledger.sqlite")


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.close()
    ledger.close()
