"""Undo: a correction that is undone is as if it had never been given."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_path, make_sighting
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.alerts.engine import AlertEngine
from pipeline.cli.ledger import main
from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Listing,
    Record,
    Severity,
    TrackId,
    TrackPart,
)
from pipeline.ledger import NOBODY, Event, Ledger, LedgerReader, resolve, submit_command
from pipeline.ledger.corrections.resolve import alerts_before, amended
from pipeline.ledger.events import from_row, to_row
from pipeline.ledger.people import People
from pipeline.ledger.verification import faults_of

EAST, WEST, GATE = TrackId("east", 0, 1), TrackId("west", 0, 1), TrackId("gate", 0, 1)
PARTS = [TrackPart(track_id, part) for track_id in (EAST, WEST, GATE) for part in range(3)]


def write(folder: Path) -> Path:
    """Persons 1 to 3 on a track each, at different times; an alert about each."""
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.append(records())
    ledger.close()
    return folder / "ledger.sqlite"


def records() -> list[Record]:
    found: list[Record] = []
    for person_id, track_id in enumerate((EAST, WEST, GATE), start=1):
        first = 100 * person_id
        found += [make_sighting(person_id, track_id, part, make_path(first + 10 * part)) for part in range(3)]
        found.append(
            Alert(f"dwell/{person_id}", "dwell", Severity.INFO, person_id, "east", 5.0, 5.4, "Stays.", (track_id,))
        )
    return found


@contextmanager
def opened(path: Path) -> Iterator[LedgerReader]:
    reader = LedgerReader(path)
    yield reader
    reader.close()


def content(alert: Alert) -> Alert:
    """An alert as it reads, whichever state of it this is."""
    is_false = alert.state is AlertState.RETRACTED
    return replace(alert, revision=1, state=AlertState.RETRACTED if is_false else AlertState.RAISED)


def state(path: Path) -> object:
    """Everything that an operator can see of people and alerts."""
    with opened(path) as reader:
        tracks = reader.people().tracks
        return (
            reader.persons(),
            [tracks.person_of(part) for part in PARTS],
            [tracks.current_id(number) for number in range(1, 4)],
            sorted((content(alert) for alert in reader.alerts()), key=lambda alert: alert.key),
        )


def give(path: Path, kind: CommandKind, *person_ids: int, parts: Sequence[TrackPart] = (), name: str = "") -> int:
    return submit_command(path, CorrectionCommand(kind, person_ids, "ann", 0.0, tuple(parts), name, force=True))


def undo(path: Path, number: int) -> str:
    submitted = submit_command(path, CorrectionCommand(CommandKind.UNDO, (), "ann", 0.0, undoes=number))
    with opened(path) as reader:
        return next(each.outcome for each in reader.commands() if each.number == submitted)


def test_an_undone_merge_gives_each_their_number_name_and_alerts_back(tmp_path: Path) -> None:
    path = write(tmp_path)
    give(path, CommandKind.NAME, 1, name="Anna")
    before = state(path)
    merge = give(path, CommandKind.MERGE, 2, 1)
    with opened(path) as reader:
        assert [(one.person_id, one.name) for one in reader.persons()] == [(2, "Anna"), (3, "")]
    assert undo(path, merge) == f"undone: correction {merge}"
    assert state(path) == before
    with opened(path) as reader:
        assert [alert.revision for alert in reader.alerts()] == [3, 1, 1], "each state has a number of its own"
        (key,) = [alert.key for alert in reader.alerts() if alert.revision == 3]
        told = [alert for alert in (event.alert() for event in reader.events(kind="alert")) if alert.key == key]
        states = {alert.revision: alert.state for alert in told}
        assert states == {1: AlertState.RAISED, 2: AlertState.AMENDED, 3: AlertState.AMENDED}, "raised only once"
    assert faults_of(path) == []


class Folded:
    """A ledger at rest without its file."""

    def __init__(self) -> None:
        self.people, self.events, self.number = People(), list[Event](), 0

    def append(self, records: Sequence[Record]) -> None:
        first = len(self.events) + 1
        found = [from_row((first + index, *to_row(record))) for index, record in enumerate(records)]
        self.events += found
        self.people.fold(found)

    def alerts(self) -> dict[str, Alert]:
        return {alert.key: alert for alert in (event.alert() for event in self.events if event.kind == "alert")}

    def give(self, command: CorrectionCommand) -> int:
        self.number += 1
        number = self.number
        next_person_id = self.people.numbers.upcoming
        correction = resolve(command, self.people, at=0.0, next_person_id=next_person_id, number=number)
        undone = self.people.done.get(correction.undoes)
        if undone is None:
            self.append([correction, *amended(list(self.alerts().values()), correction)])
        else:
            alerts = alerts_before((event for event in self.events if event.kind == "alert"), undone.event)
            self.append([correction, *alerts])
        return number

    def state(self) -> object:
        tracks = self.people.tracks
        return (
            self.people.persons(),
            self.people.listings,
            [tracks.person_of(part) for part in PARTS],
            [tracks.current_id(number) for number in range(1, 4)],
            {key: content(alert) for key, alert in self.alerts().items()},
        )


KINDS = [kind for kind in CommandKind if kind not in ("erase", "undo", "enrol", "unlist")]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_commands_and_then_their_undos_lead_back_to_the_first_state(data: st.DataObject) -> None:
    ledger = Folded()
    ledger.append(records())
    states = [(0, ledger.state())]
    for _ in range(data.draw(st.integers(1, 6))):
        people = ledger.people
        owner, *others = data.draw(st.permutations([person.person_id for person in people.persons()]))
        mine = people.parts_of(owner)
        some = tuple(data.draw(st.lists(st.sampled_from(mine), min_size=1, unique=True)))
        kind = data.draw(st.sampled_from(KINDS))
        if (kind is CommandKind.MERGE and not others) or (kind is CommandKind.SPLIT and len(some) == len(mine)):
            kind = CommandKind.NAME
        name = data.draw(st.sampled_from(["", "Anna", "Bob"])) if kind is CommandKind.NAME else ""
        listing = data.draw(st.sampled_from([None, Listing("info"), Listing("", 9e9)]))
        person_ids = (owner, others[0]) if kind is CommandKind.MERGE else (owner,)
        parts = () if kind in (CommandKind.MERGE, CommandKind.NAME) else some
        number = ledger.give(CorrectionCommand(kind, person_ids, "ann", 0.0, parts, name, force=True, listing=listing))
        states.append((number, ledger.state()))
    while len(states) > 1:
        number, _ = states.pop()
        ledger.give(CorrectionCommand(CommandKind.UNDO, (), "ann", 0.0, undoes=number))
        assert ledger.state() == states[-1][1]


def test_what_followed_on_the_tracks_of_a_merged_person_goes_back_with_them(tmp_path: Path) -> None:
    path = write(tmp_path)
    merge = give(path, CommandKind.MERGE, 1, 2)
    ledger = Ledger(path)
    ledger.append([make_sighting(1, WEST, 3, make_path(240)), make_sighting(1, EAST, 3, make_path(140))])
    ledger.close()
    undo(path, merge)
    with opened(path) as reader:
        assert reader.person_of(TrackPart(WEST, 3)) == 2
        assert reader.person_of(TrackPart(EAST, 3)) == 1


def test_an_undo_names_what_must_be_undone_first(tmp_path: Path) -> None:
    path = write(tmp_path)
    first = give(path, CommandKind.MERGE, 1, 2)
    second = give(path, CommandKind.MERGE, 3, 1)
    assert (
        undo(path, first) == f"correction {first}: undo correction {second} first, which came later for the same people"
    )
    assert undo(path, second) == f"undone: correction {second}"
    assert undo(path, first) == f"undone: correction {first}"
    assert "done and not undone: there is none" in undo(path, first)
    assert "there is none" in undo(path, 99)


def test_an_undo_of_a_wrong_number_names_those_that_can_be_undone(tmp_path: Path) -> None:
    path = write(tmp_path)
    merge = give(path, CommandKind.MERGE, 2, 1)
    name = give(path, CommandKind.NAME, 3, name="Anna")
    assert f"done and not undone: {name}, {merge}; see passerby ledger audit" in undo(path, name + 7)


def test_an_erasure_cannot_be_undone_and_ends_the_undo_of_what_it_erased(tmp_path: Path) -> None:
    path = write(tmp_path)
    merge = give(path, CommandKind.MERGE, 1, 2)
    erase = give(path, CommandKind.ERASE, 1)
    assert "cannot be undone" in undo(path, erase)
    assert not undo(path, merge).startswith("undone")


def test_erasing_one_of_two_who_were_merged_by_mistake_leaves_the_other(tmp_path: Path) -> None:
    path = write(tmp_path)
    give(path, CommandKind.NAME, 2, name="Anna")
    undo(path, give(path, CommandKind.MERGE, 1, 2))
    give(path, CommandKind.ERASE, 1)
    with opened(path) as reader:
        assert [(one.person_id, one.name) for one in reader.persons()] == [(2, "Anna"), (3, "")]
        assert [alert.key for alert in reader.alerts()] == ["dwell/2", "dwell/3"]
        assert [reader.person_of(part) for part in PARTS] == [NOBODY] * 3 + [2] * 3 + [3] * 3
    assert faults_of(path) == []


def test_the_command_line_undoes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    before = state(path)
    assert main(["merge", str(tmp_path), "1", "2", "--by", "ann"]) == 0
    assert main(["undo", str(tmp_path), "1", "--by", "ann"]) == 0
    assert "command 2 done: undone: correction 1" in capsys.readouterr().out
    assert state(path) == before
    assert main(["undo", str(tmp_path), "1", "--by", "ann"]) == 1


def test_two_people_who_were_seen_at_the_same_time_are_merged_by_force_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append(
        [make_sighting(1, EAST, 0, make_path(0, 30)), make_sighting(2, TrackId("east", 0, 2), 0, make_path(10, 30))]
    )
    ledger.close()
    assert main(["merge", str(tmp_path), "1", "2", "--by", "ann"]) == 1
    assert "persons 1 and 2 were seen at the same time: in east from 1.0 to 2.9" in capsys.readouterr().out
    assert main(["merge", str(tmp_path), "1", "2", "--by", "ann", "--force"]) == 0


def test_two_cameras_that_show_one_place_are_no_reason_against_a_merge(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(1, EAST, 0, make_path(0, 30)), make_sighting(2, WEST, 0, make_path(10, 30))])
    ledger.append([make_sighting(3, TrackId(name, 0, 9), 0, make_path(100, 30)) for name in ("east", "west")])
    ledger.close()
    assert main(["merge", str(tmp_path), "1", "2", "--by", "ann"]) == 0


def test_an_engine_says_of_alerts_again_what_it_said_before_an_undone_merge() -> None:
    engine = AlertEngine([], cooldown_s=60.0, max_open=10, max_parts=100)
    before = Alert("dwell/2", "dwell", Severity.INFO, 2, "east", 5.0, 5.4, "Stays.", (WEST,))
    amended_alert = replace(before, person_id=1, state=AlertState.AMENDED)
    assert engine.reinstate([before], [amended_alert]) == [before]
    assert engine.process([Correction(CorrectionKind.ERASED, (2,), "ann", 9.0)]) == [
        replace(before, state=AlertState.RETRACTED)
    ]
