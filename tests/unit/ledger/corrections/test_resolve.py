"""What a command comes to, or the words in which it is refused."""

import re
from dataclasses import replace

import pytest
from factories import make_path, make_sighting

from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Record,
    Severity,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import ConfigError, DataError
from pipeline.ledger.corrections.commands import RECLUSTERING, check_command, command_body, command_from, subject_of
from pipeline.ledger.corrections.resolve import amended, describe, resolve
from pipeline.ledger.events import from_row, to_row
from pipeline.ledger.people import People

EAST, WEST = TrackId("east", 0, 1), TrackId("west", 0, 1)
E0, E1, E2, W0 = TrackPart(EAST, 0), TrackPart(EAST, 1), TrackPart(EAST, 2), TrackPart(WEST, 0)


def people_of(*records: Record) -> People:
    people = People()
    people.fold(from_row((1 + index, *to_row(record))) for index, record in enumerate(records))
    return people


@pytest.fixture
def people() -> People:
    """Person 1 on three parts of a track, person 2 on one, person 7 who became person 1."""
    parts = [make_sighting(1, EAST, part, make_path(10 * part)) for part in range(3)]
    merged = Correction(CorrectionKind.MERGED, (1, 7), "review", 3.0)
    return people_of(*parts, make_sighting(2, WEST, 0, make_path(100)), merged)


def command(
    kind: CommandKind, *person_ids: int, parts: tuple[TrackPart, ...] = (), name: str = "", undoes: int = 0
) -> CorrectionCommand:
    return CorrectionCommand(kind, person_ids, "ann", 1.7e9, parts, name, "seen by eye", undoes)


def resolved(given: CorrectionCommand, people: People) -> Correction:
    return resolve(given, people, at=5.5, next_person_id=8, number=3)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (command(CommandKind.MERGE, 2, 1), Correction(CorrectionKind.MERGED, (2, 1), "ann", 5.5)),
        (
            command(CommandKind.SPLIT, 1, parts=(E2, E1, E2)),
            Correction(CorrectionKind.SPLIT, (1, 8), "ann", 5.5, (E1, E2)),
        ),
        (
            command(CommandKind.REJECT, 1, parts=(E0, E1, E2)),
            Correction(CorrectionKind.SPLIT, (1, 8), "ann", 5.5, (E0, E1, E2)),
        ),
        (command(CommandKind.CONFIRM, 1, parts=(E1,)), Correction(CorrectionKind.CONFIRMED, (1,), "ann", 5.5, (E1,))),
        (command(CommandKind.CONFIRM, 1, 2), Correction(CorrectionKind.CONFIRMED, (1, 2), "ann", 5.5)),
        (command(CommandKind.NAME, 2, name="Anna"), Correction(CorrectionKind.NAMED, (2,), "ann", 5.5, name="Anna")),
        (command(CommandKind.ERASE, 1), Correction(CorrectionKind.ERASED, (1, 7), "ann", 5.5, (E0, E1, E2))),
    ],
    ids=["merge", "split", "reject", "confirm a part", "confirm two", "name", "erase"],
)
def test_a_command_comes_to_one_correction(people: People, given: CorrectionCommand, expected: Correction) -> None:
    found = resolved(given, people)
    assert (found.reason, found.command) == ("seen by eye", 3)
    assert found == Correction(
        expected.kind, expected.person_ids, "ann", 5.5, expected.parts, "seen by eye", expected.name, command=3
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            command(CommandKind.NAME, 7),
            "person 7: expected one who was seen and not erased; passerby ledger people lists them",
        ),
        (
            command(CommandKind.SPLIT, 1, parts=(W0,)),
            "part west/0/1:0: expected to show person 1, got person 2; it may have been corrected since",
        ),
        (
            command(CommandKind.REJECT, 1, parts=(TrackPart(WEST, 9),)),
            "part west/0/1:9: expected to show person 1, got nobody; it may have been corrected since",
        ),
        (
            command(CommandKind.SPLIT, 1, parts=(E0, E1, E2)),
            "parts: expected some of person 1, got all; nothing would be left",
        ),
        (
            command(CommandKind.UNDO, undoes=9),
            "correction 9: expected the number under which an operator asked for one that is done and not undone: "
            "there is none; see passerby ledger audit",
        ),
    ],
)
def test_a_command_that_fits_nothing_is_refused_in_words(people: People, given: CorrectionCommand, reason: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(reason)}$"):
        resolved(given, people)


def test_an_undo_is_refused_in_words() -> None:
    named = Correction(CorrectionKind.NAMED, (1,), "ann", 3.0, name="A", command=1)
    erased = Correction(CorrectionKind.ERASED, (1,), "ann", 4.0, command=2)
    seen = make_sighting(1, EAST)
    with pytest.raises(DataError, match=r"^correction 1: a person in it was erased since; nothing is left to undo$"):
        resolved(command(CommandKind.UNDO, undoes=1), people_of(seen, named, erased))
    with pytest.raises(DataError, match=r"^correction 2: an erasure cannot be undone$"):
        resolved(command(CommandKind.UNDO, undoes=2), people_of(seen, named, erased))


def test_an_undone_name_moves_nothing_and_brings_the_old_name_back() -> None:
    first = Correction(CorrectionKind.NAMED, (1,), "ann", 3.0, name="A", command=1)
    second = Correction(CorrectionKind.NAMED, (1,), "ann", 3.0, name="B", command=2)
    other = Correction(CorrectionKind.NAMED, (2,), "ann", 3.0, name="C", command=4)
    people = people_of(make_sighting(1, EAST), make_sighting(2, WEST), first, second, other)
    assert resolved(command(CommandKind.UNDO, undoes=2), people) == Correction(
        CorrectionKind.UNDONE, (1,), "ann", 5.5, (), "seen by eye", "", 3, 2, ((1, "A"),)
    )


def test_an_undone_merge_names_who_has_the_parts_now_and_all_numbers_of_the_other() -> None:
    seen = [make_sighting(1, EAST), make_sighting(2, WEST)]
    earlier = Correction(CorrectionKind.MERGED, (2, 6), "review", 1.0)
    merged = Correction(CorrectionKind.MERGED, (1, 2), "ann", 3.0, command=1)
    later = Correction(CorrectionKind.MERGED, (4, 1), "review", 3.0)
    found = resolved(command(CommandKind.UNDO, undoes=1), people_of(*seen, earlier, merged, later))
    assert (found.person_ids, found.parts) == ((4, 2, 6), (W0,))


def test_an_undone_split_goes_back_to_whoever_the_person_is_now() -> None:
    seen = [make_sighting(1, EAST, part, make_path(10 * part)) for part in range(2)]
    split = Correction(CorrectionKind.SPLIT, (1, 3), "ann", 3.0, (E1,), command=1)
    followed = make_sighting(3, WEST, 0, make_path(90))
    found = resolved(command(CommandKind.UNDO, undoes=1), people_of(*seen, split, followed))
    assert (found.person_ids, found.parts) == ((3, 1), (E1, W0))
    absorbed = Correction(CorrectionKind.MERGED, (5, 1), "review", 3.0)
    found = resolved(command(CommandKind.UNDO, undoes=1), people_of(*seen, split, absorbed))
    assert (found.person_ids, found.parts) == ((3, 5), (E1,))


def test_a_correction_is_told_by_kind_and_numbers() -> None:
    assert describe(Correction(CorrectionKind.SPLIT, (1, 8), "ann", 5.5)) == "split: 1, 8"
    assert describe(Correction(CorrectionKind.UNDONE, (1, 8), "ann", 5.5, undoes=4)) == "undone: correction 4"


def test_only_alerts_whose_whole_evidence_moves_follow_a_split() -> None:
    def alert(key: str, person_id: int, *evidence: TrackId, state: AlertState = AlertState.RAISED) -> Alert:
        return Alert(key, "dwell", Severity.INFO, person_id, "east", 5.0, 5.4, "Stays.", evidence, state)

    alerts = [
        alert("moves", 1, EAST),
        alert("stays", 1, EAST, WEST),
        alert("no evidence", 1),
        alert("another person", 2, EAST),
        alert("retracted", 1, EAST, state=AlertState.RETRACTED),
    ]
    split = Correction(CorrectionKind.SPLIT, (1, 8), "ann", 5.5, (E0,))
    assert amended(alerts, split) == [replace(alerts[0], person_id=8, state=AlertState.AMENDED, revision=2)]
    erased = Correction(CorrectionKind.ERASED, (1,), "ann", 5.5, (E0,))
    assert [each.key for each in amended(alerts, erased)] == ["moves", "stays", "no evidence"]
    assert {each.state for each in amended(alerts, erased)} == {AlertState.RETRACTED}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (command(CommandKind.MERGE, 1), "merge: expected 2 different people, got [1]"),
        (command(CommandKind.MERGE, 1, 1), "merge: expected 2 different people, got [1, 1]"),
        (command(CommandKind.CONFIRM), "confirm: expected 1 or 2 different people, got []"),
        (command(CommandKind.CONFIRM, 1, 2, 3), "confirm: expected 1 or 2 different people, got [1, 2, 3]"),
        (command(CommandKind.NAME, 1, 2), "name: expected 1 different people, got [1, 2]"),
        (command(CommandKind.UNDO, 1, undoes=1), "undo: expected 0 different people, got [1]"),
        (command(CommandKind.SPLIT, 1), "split: expected parts of tracks such as east/0/7:2, got none"),
        (command(CommandKind.REJECT, 1), "reject: expected parts of tracks such as east/0/7:2, got none"),
        (command(CommandKind.UNDO), "undo: expected the number of a correction to undo, for undo only"),
        (command(CommandKind.NAME, 1, undoes=2), "name: expected the number of a correction to undo, for undo only"),
        (
            CorrectionCommand(CommandKind.NAME, (1,), " review ", 0.0),
            "name: expected the name of the operator, got  review , which is the pipeline",
        ),
        (
            CorrectionCommand(CommandKind.NAME, (1,), " ", 0.0),
            "name: expected the name of the operator, got none; say by whom",
        ),
    ],
)
def test_an_incomplete_command_is_refused_in_words(given: CorrectionCommand, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(reason)}$"):
        check_command(given)
    assert RECLUSTERING == "review"


@pytest.mark.parametrize(
    "given",
    [
        command(CommandKind.MERGE, 1, 2),
        command(CommandKind.CONFIRM, 1),
        command(CommandKind.CONFIRM, 1, 2),
        command(CommandKind.UNDO, undoes=1),
        command(CommandKind.NAME, 1),
        command(CommandKind.REJECT, 1, parts=(E0,)),
    ],
)
def test_a_complete_command_is_accepted_and_comes_back_from_its_text(given: CorrectionCommand) -> None:
    check_command(given)
    assert command_from(command_body(given)) == given


def test_a_command_of_before_undos_is_read() -> None:
    body = command_body(command(CommandKind.MERGE, 1, 2)).replace('"undoes": 0', '"a": 0').replace('"force"', '"b"')
    found = command_from(body)
    assert (found.undoes, found.force) == (0, False)


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        (command(CommandKind.MERGE, 1, 2), "persons 1, 2"),
        (command(CommandKind.NAME, 2), "person 2"),
        (command(CommandKind.SPLIT, 1, parts=(E0, E1)), "person 1, 2 parts"),
        (command(CommandKind.UNDO, undoes=4), "correction 4"),
    ],
)
def test_the_audit_names_what_a_command_is_about(given: CorrectionCommand, subject: str) -> None:
    assert subject_of(given) == subject
