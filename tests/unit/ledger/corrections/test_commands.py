from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from factories import make_path, make_sighting

from pipeline.cli.ledger import main
from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Match,
    Outcome,
    Severity,
    Sighting,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import ConfigError, ConnectorError
from pipeline.ledger import Ledger, LedgerReader, submit_command
from pipeline.ledger.codec import to_line
from pipeline.ledger.verification import faults_of
from pipeline.ledger.why import why

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
MERGE = CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, reason="same coat")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(1, EAST, part, make_path(10 * part)) for part in range(3)])
    ledger.append([make_sighting(2, WEST, 0, make_path(50))])
    ledger.append([Alert("dwell/2/5.000", "dwell", Severity.INFO, 2, "west", 5.0, 5.4, "Stays.", (WEST,))])
    ledger.close()
    return tmp_path / "ledger.sqlite"


def command(path: Path, *words: str) -> int:
    return main([words[0], str(path.parent), *words[1:], "--by", "ann", "--reason", "seen by eye"])


def people(path: Path) -> dict[int, int]:
    reader = LedgerReader(path)
    found = {person.person_id: person.num_sightings for person in reader.persons()}
    reader.close()
    return found


def commands(path: Path) -> list[tuple[str, str]]:
    reader = LedgerReader(path)
    found = [(submitted.state, submitted.outcome) for submitted in reader.commands()]
    reader.close()
    return found


def test_a_command_waits_until_it_is_applied(path: Path) -> None:
    ledger = Ledger(path)
    assert submit_command(path, MERGE) == 1
    ledger.close()
    reader = LedgerReader(path)
    (submitted,) = reader.commands()
    assert (submitted.command, submitted.state) == (MERGE, "pending")
    assert people(path) == {1: 3, 2: 1}
    reader.close()


def test_a_command_can_be_submitted_while_a_run_writes_the_ledger(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger(path)
    assert command(path, "merge", "1", "2") == 0
    assert capsys.readouterr().out == "command 1 waits for the run that writes this ledger\n"
    assert [submitted.command.person_ids for submitted in ledger.pending_commands()] == [(1, 2)]
    ledger.close()


def test_two_people_are_merged_with_their_alerts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(path, "merge", "1", "2") == 0
    assert capsys.readouterr().out == "command 1 done: merged: 1, 2\n"
    assert people(path) == {1: 4}
    reader = LedgerReader(path)
    assert [(alert.person_id, alert.state) for alert in reader.alerts()] == [(1, AlertState.AMENDED)]
    reader.close()


def test_parts_are_split_off_to_a_new_number(path: Path) -> None:
    assert command(path, "split", "1", "east/0/1:1", "east/0/1:2") == 0
    assert people(path) == {1: 1, 2: 1, 3: 2}


def test_rejected_parts_get_a_new_number(path: Path) -> None:
    assert command(path, "reject", "2", "west/0/1:0") == 0
    assert people(path) == {1: 3, 3: 1}


def test_naming_and_confirming_move_no_part(path: Path) -> None:
    assert command(path, "name", "2", "the man with the red bag") == 0
    assert command(path, "confirm", "1") == 0
    assert people(path) == {1: 3, 2: 1}
    reader = LedgerReader(path)
    assert [person.name for person in reader.persons()] == ["", "the man with the red bag"]
    reader.close()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("merge", "1", "9"), "person 9: expected one who was seen"),
        (("split", "1", "west/0/1:0"), "part west/0/1:0: expected to show person 1, got person 2"),
        (("split", "1", "west/0/1:7"), "got nobody"),
        (("split", "2", "west/0/1:0"), "expected some of person 2, got all"),
    ],
    ids=["an unknown person", "a part of another person", "a part that was never seen", "all parts"],
)
def test_a_command_that_cannot_be_applied_is_refused_with_a_reason(
    path: Path, words: tuple[str, ...], reason: str
) -> None:
    assert command(path, *words) == 1
    ((state, outcome),) = commands(path)
    assert state == "refused"
    assert reason in outcome
    assert people(path) == {1: 3, 2: 1}


@pytest.mark.parametrize(
    "command",
    [
        replace(MERGE, person_ids=(1,)),
        replace(MERGE, person_ids=(1, 1)),
        replace(MERGE, by=" "),
        replace(MERGE, kind=CommandKind.SPLIT, person_ids=(1,)),
    ],
    ids=["one person", "the same person twice", "no operator", "no part"],
)
def test_an_incomplete_command_is_not_submitted(path: Path, command: CorrectionCommand) -> None:
    with pytest.raises(ConfigError, match="expected"):
        submit_command(path, command)
    assert commands(path) == []


def test_the_audit_says_who_asked_for_what_and_why(path: Path) -> None:
    submit_command(path, MERGE)
    command(path, "split", "2", "west/0/1:0")
    reader = LedgerReader(path)
    rows = [(entry.by, entry.action, entry.subject, entry.reason) for entry in reader.audit()]
    reader.close()
    assert rows[:3] == [
        ("ann", "merge", "persons 1, 2", "same coat"),
        ("ann", "merge done", "persons 1, 2", "merged: 1, 2"),
        ("ann", "split", "person 2, 1 parts", "seen by eye"),
    ]
    assert rows[3][1] == "split refused"


def test_only_one_process_writes_a_ledger(path: Path) -> None:
    ledger = Ledger(path)
    with (
        ledger.lease.kept(),
        pytest.raises(ConnectorError, match="expected no other writer, got a run that writes it"),
    ):
        Ledger(path)
    ledger.close()
    Ledger(path).close()


def test_a_part_is_written_as_track_and_number() -> None:
    assert TrackPart.parse("a:b/-1/7:2") == TrackPart(TrackId("a:b", -1, 7), 2)


def test_a_correction_about_several_people_keeps_the_parts_of_those_who_stay(path: Path) -> None:
    assert command(path, "split", "1", "east/0/1:1", "east/0/1:2") == 0  # they become person 3 …
    assert command(path, "split", "3", "east/0/1:2") == 0  # … and one of them person 4
    assert command(path, "erase", "4") == 0
    reader = LedgerReader(path)
    assert [correction.parts for _, correction in reader.corrections()] == [(TrackPart(EAST, 1),), ()]
    assert people(path) == {1: 1, 2: 1, 3: 1}
    reader.close()
    assert faults_of(path) == []


@pytest.mark.parametrize("records", [[], [make_sighting(7, EAST)]], ids=["no person", "person 7"])
def test_a_number_is_not_given_again_after_the_events_that_had_it_were_deleted(
    tmp_path: Path, records: list[Sighting]
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([*records, Correction(CorrectionKind.CONFIRMED, (1,), "rule", 1.0)] if records else [])
    ledger.append([make_sighting(1, WEST, part, make_path(1000 + 10 * part)) for part in range(2)])
    ledger.compact(retention_s=inf, max_events=2)
    ledger.close()
    assert command(tmp_path / "ledger.sqlite", "split", "1", "west/0/1:1") == 0
    assert people(tmp_path / "ledger.sqlite") == {1: 1, (8 if records else 2): 1}


def test_an_erasure_empties_the_commands_about_the_person_and_names_copies_elsewhere(path: Path) -> None:
    assert command(path, "split", "1", "east/0/1:1", "east/0/1:2") == 0
    (path.parent / "copied.txt").write_bytes(to_line(make_sighting(3, EAST, 1, make_path(10))))
    (path.parent / "others.txt").write_bytes(to_line(make_sighting(2, WEST, 0, make_path(50))))
    reader = LedgerReader(path)
    before = reader.commands()[0].command
    assert command(path, "erase", "3") == 1
    split, erase = reader.commands()
    assert split.command == CorrectionCommand(CommandKind.SPLIT, (1,), "ann", before.at)
    assert "copied.txt" in erase.outcome
    assert "others.txt" not in erase.outcome
    reader.close()


def test_the_reason_of_a_decision_shows_its_evidence_and_whom_it_is_about(tmp_path: Path) -> None:
    evidence = (("looks", 1.25), ("way", -0.5))
    matched = replace(make_sighting(1, EAST, outcome=Outcome.MATCHED), evidence=evidence)
    new = replace(make_sighting(2, WEST), evidence=evidence, runner_up=Match(1, 0.4), gates=("not 1: away",))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([matched, new])
    ledger.close()
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert why(reader, TrackPart(EAST, 0)) == [
        "east/0/1:0 at 0.4 was recognised as person 1; 95% sure",
        "  appearance: cosine distance 0.200 to this person",
        "  appearance: +1.25",
        "  place and time: -0.50",
        "  runner-up: none",
        "  no one was ruled out",
        "now: person 1",
    ]
    assert why(reader, TrackPart(WEST, 0))[1:5] == [
        "  appearance: +1.25 (of the runner-up)",
        "  place and time: -0.50 (of the runner-up)",
        "  runner-up: person 1, at 0.400",
        "  not 1: away",
    ]
    reader.close()


def test_an_alert_about_a_place_stays_without_the_tracks_of_an_erased_person(tmp_path: Path) -> None:
    place = Alert("occupancy/0/1.000/hall", "occupancy", Severity.INFO, 0, "east", 1.0, 2.0, "Full.", (EAST, WEST))
    own = Alert("dwell/1/1.000/hall", "dwell", Severity.INFO, 1, "east", 1.0, 2.0, "Stays.", (EAST, WEST))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(1, EAST, 0, make_path(0)), make_sighting(2, WEST, 0, make_path(20)), own, place])
    ledger.close()
    (tmp_path / "alerts.jsonl").write_bytes(to_line(own) + to_line(place))
    assert command(tmp_path / "ledger.sqlite", "erase", "1") == 0
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert reader.alerts() == [replace(place, evidence=(WEST,))]
    assert faults_of(reader.path) == []
    reader.close()
    assert (tmp_path / "alerts.jsonl").read_bytes() == to_line(replace(place, evidence=(WEST,)))
