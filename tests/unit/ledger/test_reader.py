import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Record, Severity, TrackId, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.ledger import NOBODY, Ledger, LedgerReader

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
RAISED = Alert("watch/2/1.000", "watch", Severity.CRITICAL, 2, "west", 1.0, 2.0, "Here.", (WEST,))


def write(folder: Path, *records: Record) -> Path:
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(records)
    ledger.close()
    return folder / "ledger.sqlite"


def seen() -> Sequence[Record]:
    return [
        make_sighting(1, EAST, 0, make_path(0)),
        make_sighting(1, EAST, 1, make_path(10)),
        make_sighting(2, WEST, 0, make_path(20)),
    ]


def correction(kind: CorrectionKind, *person_ids: int, parts: Sequence[TrackPart] = (), name: str = "") -> Correction:
    return Correction(kind, person_ids, "ann", 9.0, tuple(parts), name=name)


def test_people_are_those_who_were_seen(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen()))
    found = [(p.person_id, p.num_sightings, p.first_seen_at, p.last_seen_at, p.camera_ids) for p in reader.persons()]
    reader.close()
    assert found == [(1, 2, 0.0, 1.4, ("east",)), (2, 1, 2.0, 2.4, ("west",))]


def test_the_last_frame_in_which_a_camera_saw_somebody_is_known(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *reversed(seen())))  # parts of tracks come in any order
    assert [reader.last_index(camera_id) for camera_id in ("east", "west", "north")] == [14, 24, -1]
    reader.close()


def test_people_who_were_merged_are_one(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen(), correction(CorrectionKind.MERGED, 1, 2)))
    (person,) = reader.persons()
    assert (person.person_id, person.camera_ids, person.num_sightings) == (1, ("east", "west"), 3)
    assert [event.part for event in reader.sightings_of(1)] == [
        TrackPart(EAST, 0),
        TrackPart(EAST, 1),
        TrackPart(WEST, 0),
    ]
    reader.close()


def test_parts_that_were_split_off_belong_to_the_new_person(tmp_path: Path) -> None:
    split = correction(CorrectionKind.SPLIT, 1, 3, parts=[TrackPart(EAST, 1)])
    reader = LedgerReader(write(tmp_path, *seen(), split))
    assert [reader.person_of(TrackPart(EAST, part)) for part in range(3)] == [1, 3, NOBODY]
    reader.close()


def test_a_name_follows_its_person(tmp_path: Path) -> None:
    named = correction(CorrectionKind.NAMED, 2, name="lost child")
    reader = LedgerReader(write(tmp_path, *seen(), named, correction(CorrectionKind.MERGED, 1, 2)))
    assert [(p.person_id, p.name) for p in reader.persons()] == [(1, "lost child")]
    reader.close()


def test_the_newest_record_of_an_alert_holds(tmp_path: Path) -> None:
    retracted = Alert(**{name: getattr(RAISED, name) for name in RAISED.__slots__} | {"state": AlertState.RETRACTED})
    reader = LedgerReader(write(tmp_path, *seen(), RAISED, retracted))
    assert reader.alerts() == [retracted]
    reader.close()


def test_events_written_since_are_read_by_the_next_call(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append(seen()[:1])
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [p.num_sightings for p in reader.persons()] == [1]
    ledger.append(seen()[1:])
    assert [p.num_sightings for p in reader.persons()] == [2, 1]
    reader.close()
    ledger.close()


def test_events_come_in_pages(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen(), RAISED))
    assert [event.number for event in reader.events(limit=2)] == [1, 2]
    assert [event.number for event in reader.events(after=2, limit=9)] == [3, 4]
    assert [event.kind for event in reader.events(kind="alert")] == ["alert"]
    reader.close()


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    split = correction(CorrectionKind.SPLIT, 1, 3, parts=[TrackPart(EAST, 1)])
    reader = LedgerReader(write(tmp_path, *seen(), split, RAISED))
    assert reader.corrections() == [(4, split)]
    assert reader.alerts() == [RAISED]
    reader.close()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match=r"ledger\.sqlite: expected a ledger, got no file"):
        LedgerReader(tmp_path / "ledger.sqlite")


def test_a_file_that_is_not_a_ledger_is_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "ledger.sqlite").execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(ConnectorError, match="expected a ledger, got a file of SQLite that is none; name"):
        LedgerReader(tmp_path / "ledger.sqlite")


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen()))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._database.execute("DELETE FROM events")
    reader.close()


def test_people_are_found_by_camera_and_time(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen(), correction(CorrectionKind.SPLIT, 1, 3, parts=[TrackPart(EAST, 1)])))
    people = reader.people()
    assert people.seen() == {1, 2, 3}
    assert people.seen(["west"]) == {2}
    assert people.seen(["east"], since=0.5) == {3}
    assert people.seen(None, until=1.5) == {1, 3}
    assert people.seen(["north"]) == set()
    reader.close()


def test_the_newest_parts_of_people_come_newest_first(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen(), correction(CorrectionKind.MERGED, 1, 2)))
    people = reader.people()
    assert people.newest_parts_of([1, 2, 7], 2) == {1: [TrackPart(WEST, 0), TrackPart(EAST, 1)]}
    assert people.newest_parts_of([], 2) == {}
    reader.close()


def test_a_transit_is_the_gap_between_two_cameras_of_one_person(tmp_path: Path) -> None:
    reader = LedgerReader(write(tmp_path, *seen(), correction(CorrectionKind.MERGED, 1, 2)))
    people = reader.people()
    found = people.transits(longest_s=300.0, num_newest=100)
    assert {pair: gaps.round(3).tolist() for pair, gaps in found.items()} == {("east", "west"): [0.6]}
    assert people.transits(longest_s=0.5, num_newest=100) == {}
    assert people.transits(longest_s=300.0, num_newest=1) == {}
    reader.close()
