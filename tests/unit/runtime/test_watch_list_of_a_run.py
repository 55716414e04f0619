"""People are put on the watch-list by pictures while a run goes on, stay there until their time is over, and go."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from match_actors import MortalActor, end, make_actor
from people import see

from connectors.sinks.memory import MemorySink
from pipeline.alerts.rules.watchlist import WatchlistRule
from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    CorrectionKind,
    Embedding,
    Listing,
    TrackPart,
)
from pipeline.core.records.track import ENROLLED
from pipeline.ledger import LedgerReader, submit_command
from pipeline.ledger.verification import faults_of
from pipeline.runtime.match_actor import MatchActor

SOON = 1.7e9


def pictures(person: int, number: int = 1) -> Embedding:
    """Return what the page makes of pictures of a person."""
    return see(ENROLLED, number, -1e8, -1e8 + 1, person=person, is_last=True)


def enrol(
    folder: Path, of: Embedding, *, name: str = "Anna", people: tuple[int, ...] = (), listing: Listing | None = None
) -> int:
    part = TrackPart(of.track_id, of.part)
    command = CorrectionCommand(
        CommandKind.ENROL, people, "ann", SOON, (part,), name, "missing", listing=listing, embedding=of
    )
    return submit_command(folder / "ledger.sqlite", command)


def give(folder: Path, kind: CommandKind, *people: int, **values: object) -> int:
    command = CorrectionCommand(kind, people, "ann", SOON, **values)  # type: ignore[arg-type]
    return submit_command(folder / "ledger.sqlite", command)


def outcome(folder: Path, number: int) -> str:
    reader = LedgerReader(folder / "ledger.sqlite")
    found = reader.command(number)
    reader.close()
    assert found is not None
    return found.outcome


def rule() -> WatchlistRule:
    return WatchlistRule(name="watch", severity="critical", people={}, min_probability=0.0, forget_after_s=60.0)


def run(folder: Path, work: Callable[[MatchActor], object], **options: object) -> MemorySink:
    """Run a match actor with one camera that sees person 1 first; ``work`` returns a coroutine."""
    sink = MemorySink()

    async def main() -> None:
        actor = make_actor(folder, sink, rules=[rule()], camera_ids=["east"], flush_every_s=0.0, **options)  # type: ignore[arg-type]
        await actor.deliver("east", [see("east", 1, person=1)], 5.0, 0.0)
        await work(actor)  # type: ignore[misc]
        await end(actor, "east")

    asyncio.run(main())
    return sink


def raised(sink: MemorySink) -> list[tuple[int, str, str]]:
    alerts = [each for each in sink.records if isinstance(each, Alert) and each.state is AlertState.RAISED]
    return [(each.person_id, each.message, each.severity) for each in alerts]


def test_who_is_enrolled_while_the_run_goes_on_raises_an_alert_as_urgent_as_asked(tmp_path: Path) -> None:
    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(2), listing=Listing("warning"))
        await actor.deliver("east", [see("east", 2, 6.0, 7.0, person=2), see("east", 3, 6.0, 7.0, person=3)], 9.0, 0.0)

    sink = run(tmp_path, work)
    assert raised(sink) == [(2, "'Anna' of the watch list is here.", "warning")]
    (named,) = [each for each in sink.records if isinstance(each, Correction)]
    assert (named.kind, named.person_ids, named.name, named.reason) == (CorrectionKind.NAMED, (2,), "Anna", "missing")
    assert faults_of(tmp_path / "ledger.sqlite") == []


def test_who_is_in_the_picture_already_is_found_by_the_next_re_clustering(tmp_path: Path) -> None:
    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(1))
        for second in range(6, 12):
            seen = see("east", 1, second - 1.0, second, person=1, part=second - 5)
            await actor.deliver("east", [seen], second + 0.5, 0.0)

    sink = run(tmp_path, work, recluster_every_s=2.0)
    assert [each[:2] for each in raised(sink)] == [(2, "'Anna' of the watch list is here.")]
    merged = [each for each in sink.records if isinstance(each, Correction) and each.kind is CorrectionKind.MERGED]
    assert [each.person_ids for each in merged] == [(2, 1)]


def test_pictures_may_be_added_to_somebody_who_was_seen(tmp_path: Path) -> None:
    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(1), people=(1,))
        await actor.deliver("east", [see("east", 2, 6.0, 7.0, person=1)], 9.0, 0.0)

    assert [each[:2] for each in raised(run(tmp_path, work))] == [(1, "'Anna' of the watch list is here.")]


def test_a_run_that_is_killed_after_an_enrolment_goes_on_with_the_same_people(tmp_path: Path) -> None:
    async def main() -> None:
        mortal = MortalActor(tmp_path)
        await mortal.deliver("west", [], 9.0, 0.0)
        await mortal.deliver("east", [see("east", 1, person=1)], 2.0, 0.0)
        enrol(tmp_path, pictures(2))
        await mortal.deliver("east", [], 3.0, 0.0)
        mortal.kill()
        assert mortal.actor._reducer.match.is_known(2)
        await mortal.deliver("east", [see("east", 2, 4.0, 5.0, person=2)], 6.0, 0.0)
        await end(mortal.actor)

    asyncio.run(main())
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [(each.person_id, each.name) for each in reader.persons()] == [(1, ""), (2, "Anna")]
    reader.close()


def test_when_the_time_is_over_name_and_pictures_go_and_the_audit_says_so(tmp_path: Path) -> None:
    vector = pictures(2).vector.tobytes()

    def holds() -> list[str]:
        return [path.name for path in tmp_path.rglob("*") if path.is_file() and vector in path.read_bytes()]

    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(2), listing=Listing(expires_at=time.time() + 0.4))
        await actor.deliver("east", [], 6.0, 0.0)
        assert holds()
        assert actor._reducer.match.is_known(2)
        await asyncio.sleep(0.5)
        await actor.deliver("east", [], 7.0, 0.0)
        assert not actor._reducer.match.is_known(2)
        assert holds() == []
        await actor.deliver("east", [see("east", 2, 8.0, 9.0, person=2)], 11.0, 0.0)

    assert raised(run(tmp_path, work)) == []
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert reader.people().names == {}
    entry = [each for each in reader.audit() if each.by == "expiry"]
    assert [(each.action, each.subject) for each in entry] == [("unlist", "person 2"), ("unlist done", "person 2")]
    assert entry[0].reason.startswith("until 20")
    assert [each.person_id for each in reader.persons()] == [1, 3], "the number is not given again"
    reader.close()
    assert faults_of(tmp_path / "ledger.sqlite") == []


def test_what_follows_an_expiry_is_the_same_when_the_run_is_continued_later(tmp_path: Path) -> None:
    async def main() -> None:
        mortal = MortalActor(tmp_path)
        await mortal.deliver("west", [], 9.0, 0.0)
        await mortal.deliver("east", [see("east", 1, person=1)], 2.0, 0.0)
        give(tmp_path, CommandKind.NAME, 1, name="Bo", listing=Listing(expires_at=time.time() - 5))
        await mortal.deliver("east", [], 3.0, 0.0)
        await mortal.deliver("east", [see("east", 2, 3.0, 4.0, person=1)], 5.0, 0.0)
        mortal.kill()  # replays name and expiry from its journal, or refuses
        await end(mortal.actor)

    asyncio.run(main())
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert reader.people().names == {}
    reader.close()


def test_who_was_seen_meanwhile_stays_a_person_without_a_name(tmp_path: Path) -> None:
    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(2))
        await actor.deliver("east", [see("east", 2, 6.0, 7.0, person=2)], 8.0, 0.0)
        give(tmp_path, CommandKind.UNLIST, 2)
        await actor.deliver("east", [see("east", 2, 8.1, 9.0, person=2, part=1)], 10.0, 0.0)
        (segment,) = actor._reducer.match._store.people[2].segments
        assert {part.track_id.camera_id for part in segment.parts} == {"east"}
        assert actor._reducer.match._store.enrolled == set()

    run(tmp_path, work)
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [(each.person_id, each.name) for each in reader.persons()] == [(1, ""), (2, "")]
    reader.close()


def test_an_undone_merge_gives_the_pictures_back(tmp_path: Path) -> None:
    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(2), listing=Listing("info", 9e9))
        await actor.deliver("east", [], 6.0, 0.0)
        merge = give(tmp_path, CommandKind.MERGE, 1, 2)
        await actor.deliver("east", [], 7.0, 0.0)
        assert actor._reader.people().listings == {1: Listing("info", 9e9)}
        assert set(actor._reader.people().enrolled.values()) == {1}
        give(tmp_path, CommandKind.UNDO, undoes=merge)
        await actor.deliver("east", [], 8.0, 0.0)
        assert actor._reader.people().listings == {2: Listing("info", 9e9)}
        assert set(actor._reader.people().enrolled.values()) == {2}
        assert len(actor._reducer.match._store.people[2].segments) == 1
        await actor.deliver("east", [see("east", 2, 9.0, 9.5, person=2)], 10.0, 0.0)

    assert [each[0] for each in raised(run(tmp_path, work))] == [2]


def test_erasing_a_person_erases_the_pictures_by_which_they_were_enrolled(tmp_path: Path) -> None:
    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(2))
        await actor.deliver("east", [], 6.0, 0.0)
        number = give(tmp_path, CommandKind.ERASE, 2)
        await actor.deliver("east", [], 7.0, 0.0)
        assert outcome(tmp_path, number).endswith("; nothing of it is found any more")
        assert not actor._reducer.match.is_known(2)

    run(tmp_path, work)
    vector = pictures(2).vector.tobytes()
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert vector not in left
    assert b"Anna" not in left


def test_pictures_of_another_network_are_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    numbers = []

    async def work(actor: MatchActor) -> None:
        numbers.append(enrol(tmp_path, replace(pictures(2), space="another")))
        await actor.deliver("east", [see("east", 2, 6.0, 7.0, person=2)], 9.0, 0.0)

    run(tmp_path, work)
    assert "another" in outcome(tmp_path, numbers[0])


@pytest.mark.parametrize("kind", [CommandKind.ENROL, CommandKind.UNLIST])
def test_what_pictures_did_cannot_be_undone(tmp_path: Path, kind: CommandKind) -> None:
    numbers = []

    async def work(actor: MatchActor) -> None:
        number = enrol(tmp_path, pictures(2))
        await actor.deliver("east", [], 6.0, 0.0)
        if kind is CommandKind.UNLIST:
            number = give(tmp_path, CommandKind.UNLIST, 2)
            await actor.deliver("east", [], 7.0, 0.0)
        numbers.append(give(tmp_path, CommandKind.UNDO, undoes=number))

    run(tmp_path, work)
    assert "enrol the person again" in outcome(tmp_path, numbers[0])


def test_a_name_is_not_taken_from_pictures_that_would_stay(tmp_path: Path) -> None:
    numbers = []

    async def work(actor: MatchActor) -> None:
        enrol(tmp_path, pictures(2))
        await actor.deliver("east", [], 6.0, 0.0)
        numbers.append(give(tmp_path, CommandKind.NAME, 2, name=""))

    run(tmp_path, work)
    assert "passerby ledger unlist" in outcome(tmp_path, numbers[0])


def test_after_the_end_a_person_is_enrolled_for_the_run_that_continues(tmp_path: Path) -> None:
    async def nothing(actor: MatchActor) -> None:
        await actor.deliver("east", [], 6.0, 0.0)

    run(tmp_path, nothing)
    assert outcome(tmp_path, enrol(tmp_path, pictures(2))) == "named: 2"

    async def work(actor: MatchActor) -> None:
        await actor.deliver("east", [see("east", 2, 50.0, 51.0, person=2)], inf, 0.0)

    assert [each[0] for each in raised(run(tmp_path, work))] == [2]


def test_after_the_end_nobody_gets_the_number_of_one_who_was_enrolled_at_the_start_and_not_seen(tmp_path: Path) -> None:
    async def main() -> None:
        actor = make_actor(tmp_path, camera_ids=["east"])
        for number in (1, 2):
            await actor.enrol(number, see(ENROLLED, number, -1e9, -1e9 + 1, person=number))
        await end(actor, "east")

    asyncio.run(main())
    assert outcome(tmp_path, enrol(tmp_path, pictures(4))) == "named: 3"
