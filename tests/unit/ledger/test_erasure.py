"""What an erasure removes from files and stores beside a ledger, what it leaves, and what it says is still there."""

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Severity,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import ConnectorError
from pipeline.ledger import Ledger, LedgerReader, erasure, submit_command
from pipeline.ledger.codec import to_line
from pipeline.ledger.erasure import (
    Erasure,
    erase_files,
    erase_lines,
    erase_stores,
    footage_of,
    lines_with,
    places_with,
)
from pipeline.ledger.verification import faults_of

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
HERS, HIS = TrackPart(WEST, 1), TrackPart(EAST, 0)
ERASED = Correction(CorrectionKind.ERASED, (2, 5), "ann", 9.0, (HERS,))


def line_of(person_id: int, part: TrackPart) -> bytes:
    return to_line(make_sighting(person_id, part.track_id, part.part, make_path(0)))


@pytest.mark.parametrize(
    ("erased", "text"),
    [
        (
            Erasure({"sightings": 2, "alerts": 0}, ()),
            "removed sightings: 2, alerts: 0; nothing of it is found any more",
        ),
        (Erasure({"sightings": 2}, ("a.txt", "b.txt")), "removed sightings: 2; STILL FOUND in a.txt, b.txt"),
        (
            Erasure({"exports": 1}, (), ("x.csv", "y.csv")),
            "removed exports: 1; NOT REACHED, moved since they were exported: x.csv, y.csv; nothing of it is found "
            "any more",
        ),
        (
            Erasure({"exports": 1}, ("a.txt",), ("x.csv",), ("recordings/east",)),
            "removed exports: 1; NOT REACHED, footage that is deleted after record.keep_s: recordings/east; NOT "
            "REACHED, moved since they were exported: x.csv; STILL FOUND in a.txt",
        ),
    ],
)
def test_the_outcome_says_what_was_removed_and_what_was_not_reached(erased: Erasure, text: str) -> None:
    assert str(erased) == text


def test_footage_is_named_by_camera(tmp_path: Path) -> None:
    for name in ("west/1.mkv", "west/2.mkv", "east/1.mkv", "gate/1.txt"):
        (tmp_path / "recordings" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "recordings" / name).touch()
    assert footage_of(tmp_path) == (str(tmp_path / "recordings/east"), str(tmp_path / "recordings/west"))


def test_lines_go_by_part_person_and_kind(tmp_path: Path) -> None:
    alert = Alert("dwell/2", "dwell", Severity.INFO, 2, "west", 5.0, 5.4, "Stays.", (WEST,))
    other = Alert("dwell/1", "dwell", Severity.INFO, 1, "west", 5.0, 5.4, "Stays.", (WEST,))
    merged = Correction(CorrectionKind.MERGED, (2, 5), "ann", 1.0)
    of_others = Correction(CorrectionKind.SPLIT, (1, 2), "ann", 1.0, (HIS,))
    moved = Correction(CorrectionKind.SPLIT, (1, 3), "ann", 1.0, (HERS,))
    kept = [line_of(2, HIS), to_line(of_others), to_line(ERASED), to_line(other), b"\n"]
    gone = [line_of(1, HERS), to_line(merged), to_line(moved), to_line(alert), b'{"event": "sigh']
    path = tmp_path / "all.jsonl"
    path.write_bytes(b"".join([*kept, *gone]))
    removed, marks = erase_files(tmp_path, ERASED, {})
    assert (removed, marks) == ({"all.jsonl": 5}, {})
    assert path.read_bytes() == b"".join(kept)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["all.jsonl"]


def test_a_line_that_moved_parts_of_two_people_keeps_those_of_the_other(tmp_path: Path) -> None:
    mixed = Correction(CorrectionKind.SPLIT, (1, 2), "ann", 1.0, (HERS, HIS))
    undone = Correction(
        CorrectionKind.UNDONE, (1, 2), "ann", 1.0, (HERS, HIS), "to Anna", undoes=1, names=((1, "Ben"), (2, "Anna"))
    )
    path = tmp_path / "corrections.jsonl"
    path.write_bytes(to_line(mixed) + to_line(undone))
    marks = {"jsonl": json.dumps({path.name: path.stat().st_size})}
    removed, marks = erase_files(tmp_path, ERASED, marks)
    left = Correction(CorrectionKind.UNDONE, (1, 2), "ann", 1.0, (HIS,), undoes=1, names=((1, "Ben"),))
    assert path.read_bytes() == to_line(replace(mixed, parts=(HIS,))) + to_line(left)
    assert removed == {path.name: 2}
    assert json.loads(marks["jsonl"]) == {path.name: path.stat().st_size}
    assert places_with(tmp_path, [], lines_with(ERASED.parts)) == ()


def test_a_mark_is_moved_back_by_what_was_removed_before_it(tmp_path: Path) -> None:
    hers, his = line_of(2, HERS), line_of(1, HIS)
    (tmp_path / "a.jsonl").write_bytes(hers + his + hers)
    (tmp_path / "b.jsonl").write_bytes(his)
    length = len(hers) + len(his)
    marks = {
        "jsonl": json.dumps({"a.jsonl": length, "b.jsonl": 7}),
        "behind": json.dumps({"a.jsonl": 0}),
        "whole": json.dumps({"a.jsonl": length + len(hers)}),
        "words": json.dumps({"a.jsonl": "all"}),
        "number": "17",
    }
    removed, after = erase_files(tmp_path, ERASED, marks)
    assert removed == {"a.jsonl": 2, "b.jsonl": 0}
    assert {sink: json.loads(mark) for sink, mark in after.items()} == {
        "jsonl": {"a.jsonl": len(his), "b.jsonl": 7},
        "behind": {"a.jsonl": 0},
        "whole": {"a.jsonl": len(his)},
        "words": {"a.jsonl": "all"},
        "number": 17,
    }
    assert json.loads(marks["behind"]) == {"a.jsonl": 0}


def test_a_file_without_the_person_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line_of(1, HIS))
    before = (tmp_path / "a.jsonl").stat().st_ino
    assert erase_files(tmp_path, ERASED, {})[0] == {"a.jsonl": 0}
    assert (tmp_path / "a.jsonl").stat().st_ino == before


def test_texts_of_tracks_lose_the_lines_of_every_number_and_pictures_of_many_go(tmp_path: Path) -> None:
    (tmp_path / "mot").mkdir()
    (tmp_path / "mot/west.txt").write_text("1,2,10,10\n1,22,50,10\n2,5,10,10\n5,1,2,5\n")
    (tmp_path / "annotated").mkdir()
    for name in ("west.mp4", "grid.png", "boxes.sqlite"):
        (tmp_path / "annotated" / name).write_bytes(b"picture")
    removed, _ = erase_files(tmp_path, ERASED, {})
    assert removed == {"mot/west.txt": 2, "annotated/grid.png": 1, "annotated/west.mp4": 1}
    assert (tmp_path / "mot/west.txt").read_text() == "1,22,50,10\n5,1,2,5\n"
    assert [path.name for path in (tmp_path / "annotated").iterdir()] == ["boxes.sqlite"]


def store(path: Path, *statements: str) -> None:
    path.parent.mkdir(exist_ok=True)
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def rows_of(path: Path, table: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    found = database.execute(f'SELECT * FROM "{table}"').fetchall()
    database.close()
    return found


def test_stores_lose_the_rows_of_a_part_and_the_files_that_show_it(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    store(
        clips / "index.sqlite",
        'CREATE TABLE "two words" (track TEXT, part INTEGER, file TEXT)',
        "CREATE TABLE tracks_alone (track TEXT)",
        "INSERT INTO \"two words\" VALUES ('west/0/1', 1, 'hers.mp4'), ('west/0/1', 11, 'his.mp4'), "
        "('east/0/1', 1, 'his.mp4'), ('west/0/1', 1, 'gone.mp4'), ('west/0/1', 1, 'plain.mp4')",
        "INSERT INTO tracks_alone VALUES ('west/0/1')",
        'CREATE VIEW files_of_parts AS SELECT track, part, file FROM "two words"',
    )
    (clips / "hers.mp4").write_bytes(b"\0\0passerby alert clip 0123456789abcdef01\0more")
    (clips / "plain.mp4").write_bytes(b"no mark")
    (clips / "his.mp4").write_bytes(b"passerby alert clip fedcba98765432100f")
    store(tmp_path / "boxes.sqlite", "CREATE TABLE boxes (track TEXT, part INTEGER)")
    store(tmp_path / "ledger.1.sqlite", "CREATE TABLE boxes (track TEXT, part INTEGER)")
    removed, excerpts = erase_stores(tmp_path, [HERS])
    assert removed == {"boxes.sqlite boxes": 0, "clips/index.sqlite two words": 3, "clips files": 3}
    assert excerpts == [b"passerby alert clip 0123456789abcdef01", b"", b""]
    assert sorted(path.name for path in clips.glob("*.mp4")) == ["his.mp4"]
    assert rows_of(clips / "index.sqlite", "two words") == [("west/0/1", 11, "his.mp4"), ("east/0/1", 1, "his.mp4")]
    assert rows_of(clips / "index.sqlite", "tracks_alone") == [("west/0/1",)]


def test_a_table_of_the_name_of_the_view_names_no_files(tmp_path: Path) -> None:
    store(
        tmp_path / "a.sqlite",
        "CREATE TABLE files_of_parts (track TEXT, part INTEGER, file TEXT)",
        "INSERT INTO files_of_parts VALUES ('west/0/1', 1, 'a.mp4')",
    )
    (tmp_path / "a.mp4").touch()
    assert erase_stores(tmp_path, [HERS])[0] == {"a.sqlite files_of_parts": 1}
    assert (tmp_path / "a.mp4").exists()


def test_a_store_that_cannot_be_changed_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"not a file of SQLite, and long enough to be seen as one" * 40)
    with pytest.raises(ConnectorError, match=r"broken\.sqlite: expected to erase from it, got .*; erase once more"):
        erase_stores(tmp_path, [HERS])


def test_fragments_that_are_short_or_empty_are_not_searched_for(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/copy.txt").write_bytes(b"<" + b"f" * 32 + b">" + b"s" * 31)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "line.txt").write_bytes(b"a line")
    assert places_with(tmp_path, [b"f" * 32]) == ("deep/copy.txt",)
    assert places_with(tmp_path, [b"s" * 31, b""]) == ()
    assert places_with(tmp_path, [b"g" * 40], [b"no line", b"a line"]) == ("line.txt",)
    assert places_with(tmp_path, [b"f" * 32], [b"a line"]) == ("deep/copy.txt", "line.txt")


def test_of_many_fragments_some_that_are_spread_evenly_are_searched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "MAX_NEEDLES", 2)
    fragments = [f"{number:040d}".encode() for number in range(5)]
    found = []
    for fragment in fragments:
        (tmp_path / "copy.txt").write_bytes(fragment)
        found.append(places_with(tmp_path, fragments) != ())
    assert found == [True, False, False, True, False]


def test_a_part_is_looked_for_as_files_of_lines_write_it() -> None:
    wanted = lines_with([TrackPart(WEST, 1), TrackPart(TrackId('a"b', 0, 1), 2)])
    assert any(text in line_of(3, TrackPart(WEST, 1)) for text in wanted)
    assert any(text in line_of(3, TrackPart(TrackId('a"b', 0, 1), 2)) for text in wanted)
    moved = Correction(CorrectionKind.SPLIT, (1, 3), "ann", 1.0, (TrackPart(WEST, 1),))
    assert any(text in to_line(moved) for text in wanted)
    assert not any(text in line_of(3, TrackPart(WEST, 11)) for text in wanted)


def give(path: Path, kind: CommandKind, *person_ids: int, parts: tuple[TrackPart, ...] = (), name: str = "") -> int:
    command = CorrectionCommand(kind, person_ids, "ann", 1.7e9, parts, name, reason="words about her")
    return submit_command(path, command)


def test_commands_about_an_erased_person_lose_names_parts_and_reasons_and_others_keep_them(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append([make_sighting(1, EAST, part, make_path(10 * part)) for part in range(3)])
    ledger.append([make_sighting(2, WEST, part, make_path(100 + 10 * part)) for part in range(2)])
    ledger.close()
    give(path, CommandKind.NAME, 1, name="Ben")
    give(path, CommandKind.NAME, 2, name="Anna")
    give(path, CommandKind.CONFIRM, 2)
    split = give(path, CommandKind.SPLIT, 1, parts=(TrackPart(EAST, 1),))
    number = give(path, CommandKind.ERASE, 2)
    reader = LedgerReader(path)
    told = {each.number: (each.command.name, each.command.reason, each.command.parts) for each in reader.commands()}
    assert told == {
        1: ("Ben", "words about her", ()),
        2: ("", "", ()),
        3: ("", "", ()),
        split: ("", "words about her", (TrackPart(EAST, 1),)),
        number: ("", "words about her", ()),
    }
    commands = {each.number: each for each in reader.commands()}
    assert [(commands[each].command.by, commands[each].command.at) for each in (2, 3)] == [("ann", 1.7e9)] * 2
    assert "commands: 2, " in commands[number].outcome
    assert "sightings: 2, corrections: 2, alerts: 0" in commands[number].outcome
    assert reader.was_erased(TrackPart(WEST, 1))
    assert not reader.was_erased(TrackPart(EAST, 1))
    reader.close()
    give(path, CommandKind.ERASE, 3)  # who has the part that was split off
    reader = LedgerReader(path)
    command = reader.command(split)
    assert command is not None
    assert (command.command.parts, command.command.reason) == ((), "")
    reader.close()
    assert faults_of(path) == []


def test_an_undo_keeps_the_names_and_parts_of_those_who_stay(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append([make_sighting(1, EAST), make_sighting(2, WEST, 1, make_path(100))])
    undone = Correction(
        CorrectionKind.UNDONE, (1, 2), "ann", 1.0, (HIS, HERS), "to Anna", names=((1, "Ben"), (2, "Anna"))
    )
    ledger.append([undone, Correction(CorrectionKind.UNDONE, (1, 3), "ann", 1.0, (HIS,), "stays", names=((1, "B"),))])
    ledger.erase(ERASED, [ERASED], state=b"", last_person_id=2, unpublished=lambda saved: [])
    ledger.close()
    reader = LedgerReader(path)
    found = [made for _, made in reader.corrections() if made.kind is CorrectionKind.UNDONE]
    assert [(made.parts, made.names, made.reason) for made in found] == [
        ((HIS,), ((1, "Ben"),), ""),
        ((HIS,), ((1, "B"),), "stays"),
    ]
    reader.close()


def test_an_alert_goes_with_its_person_although_it_was_raised_about_somebody_else(tmp_path: Path) -> None:
    def alert(key: str, person_id: int, state: str) -> dict[str, object]:
        return {"event": "alert", "key": key, "person_id": person_id, "state": state, "evidence": ["east/0/1"]}

    path = tmp_path / "alerts.jsonl"
    other = alert("dwell/7/2.0/door", 7, "raised")
    messages = [alert("dwell/1/0.8/door", 1, "raised"), other, alert("dwell/1/0.8/door", 4, "amended")]
    path.write_text("".join(json.dumps(message) + "\n" for message in messages))
    parts = (TrackPart(TrackId("east", 0, 1), 0),)
    erase_lines(path, Correction(CorrectionKind.ERASED, (4,), "ann", 9.0, parts))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [other]


def test_the_ledger_keeps_no_state_of_an_alert_in_which_it_was_about_the_person(tmp_path: Path) -> None:
    raised = Alert("dwell/2", "dwell", Severity.INFO, 2, "west", 5.0, 5.4, "Stays.", (WEST,))
    passed_on = replace(raised, person_id=1, state=AlertState.AMENDED, revision=2)
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.append([make_sighting(1, EAST), make_sighting(2, WEST, 1, make_path(100)), raised, passed_on])
    removed, _ = ledger.erase(ERASED, [ERASED], state=b"", last_person_id=2, unpublished=lambda saved: [])
    ledger.close()
    assert removed["alerts"] == 0, "it is about somebody else now"
    reader = LedgerReader(path)
    assert [(each.person_id, each.revision) for each in reader.alerts()] == [(1, 2)]
    assert [event.person_id for event in reader.events(kind="alert") if not event.is_erased] == [1]
    reader.close()
