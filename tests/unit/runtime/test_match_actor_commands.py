"""Commands reach a match actor that runs, and one that comes back from its ledger."""

import asyncio
from math import inf
from pathlib import Path

import pytest
from match_actors import EveryoneRule, MortalActor, end, make_actor
from people import see

from connectors.kafka.event_message import event_messages
from connectors.kafka.outbox import Outbox
from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.memory import MemorySink
from pipeline.alerts.rules.watchlist import WatchlistRule
from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    Embedding,
    Sighting,
    TrackId,
    TrackPart,
)
from pipeline.ledger import LedgerReader, submit_command
from pipeline.runtime.deliveries import Deliveries
from pipeline.telemetry.match_report import MatchReport


def test_commands_are_applied_between_windows_and_survive_a_death(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> MatchReport:
        mortal = MortalActor(tmp_path, sink)
        cameras = {camera_id: Deliveries(mortal.deliver) for camera_id in ("east", "west")}
        await cameras["west"]("west", [], 1.0, 0.0)
        await cameras["east"]("east", [see("east", 1), see("east", 2, person=1)], 1.0, 0.0)
        await cameras["west"]("west", [], 2.0, 0.0)
        await cameras["east"]("east", [], 2.0, 0.0)
        submit_command(
            tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True)
        )
        submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.MERGE, (1, 9), "ann", 1.7e9))
        await cameras["east"]("east", [], 3.0, 0.0)
        mortal.kill()
        await cameras["east"]("east", [see("east", 2, 1.1, 4.0, person=1, part=1)], 4.0, 0.0)
        await asyncio.gather(*(camera.end(camera_id) for camera_id, camera in cameras.items()))
        return await mortal.actor.finish(5.0)

    report = asyncio.run(main())
    assert (report.num_identities, report.num_corrections) == (1, 1)
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [(submitted.state, submitted.outcome[:16]) for submitted in reader.commands()] == [
        ("done", "merged: 1, 2"),
        ("refused", "person 9: expect"),
    ]
    assert reader.person_of(TrackPart(TrackId("east", 0, 2), 1)) == 1
    reader.close()


def test_a_person_erased_during_a_run_is_in_no_file_any_more(tmp_path: Path) -> None:
    sink = JsonlSink(output_dir=str(tmp_path))

    async def main() -> tuple[bytes, MatchReport]:
        actor = make_actor(tmp_path, sink, flush_every_s=0.0)
        await actor.deliver("west", [], 2.0, 0.0)
        await actor.deliver("east", [see("east", 1), see("east", 2, person=1)], 2.0, 0.0)
        before = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        submit_command(
            tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.ERASE, (2,), "ann", 1.7e9, reason="asked for it")
        )
        await actor.deliver("west", [], 3.0, 0.0)
        # A later part of her track is a new person; the part before is not processed again.
        await actor.deliver("east", [see("east", 2, person=1), see("east", 2, 1.1, 3.0, person=1, part=1)], 3.0, 0.0)
        for camera_id in ("east", "west"):
            await actor.deliver(camera_id, [], inf, 0.0)
        return before, await actor.finish(5.0)

    before, report = asyncio.run(main())
    assert report.num_sightings == len((tmp_path / "sightings.jsonl").read_text().splitlines()) == 2
    after = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    # A bit of the other is in the front of the file; of her whole part nothing.
    assert b'"track": "east/0/2", "part": 0' in before
    assert b'"track": "east/0/2", "part": 0' not in after
    assert b'"track": "east/0/1", "part": 0' in after
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [person.person_id for person in reader.persons()] == [1, 3]
    (submitted,) = reader.commands()
    assert (submitted.state, submitted.outcome[-33:]) == ("done", "; nothing of it is found any more")
    reader.close()


async def watch(folder: Path, *embeddings: Embedding) -> list[int]:
    """Run these embeddings to the end; return the people they were matched to."""
    sink = MemorySink()
    actor = make_actor(folder, sink)
    await actor.deliver("west", [], inf, 0.0)
    await actor.deliver("east", embeddings, inf, 0.0)
    await actor.finish(5.0)
    return [record.person_id for record in sink.records if isinstance(record, Sighting)]


def test_a_run_that_continues_applies_the_commands_of_meanwhile(tmp_path: Path) -> None:
    assert asyncio.run(watch(tmp_path, see("east", 1, person=0), see("east", 2, person=1))) == [1, 2]
    submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True))
    submit_command(
        tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.NAME, (1,), "ann", 1.7e9, name="lost child")
    )
    assert asyncio.run(watch(tmp_path, see("east", 3, 50.0, 51.0, person=4))) == [3]
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [(person.person_id, person.name) for person in reader.persons()] == [(1, "lost child"), (3, "")]
    reader.close()
    assert asyncio.run(watch(tmp_path)) == []  # the stored state could be restored


def test_after_an_erasure_at_rest_appearance_is_forgotten_and_numbers_are_not_given_again(tmp_path: Path) -> None:
    assert asyncio.run(watch(tmp_path, see("east", 1, person=0), see("east", 2, person=1))) == [1, 2]
    submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.ERASE, (2,), "ann", 1.7e9))
    # Only the parts of tracks are known from before; a recording shows them once more.
    again = [see("east", 1, person=0), see("east", 2, person=1), see("east", 3, 50.0, 51.0, person=0)]
    assert asyncio.run(watch(tmp_path, *again)) == [3]


def watchlist() -> WatchlistRule:
    return WatchlistRule(name="watch", severity="critical", people={}, min_probability=0.0, forget_after_s=60.0)


@pytest.mark.parametrize("is_at_rest", [False, True], ids=["during the run, which is killed", "after its end"])
def test_a_person_put_on_the_watch_list_raises_an_alert_after_the_restart(tmp_path: Path, is_at_rest: bool) -> None:
    name = CorrectionCommand(CommandKind.NAME, (1,), "ann", 1.7e9, name="lost child")

    async def run_once(sink: MemorySink, *, number: int, start: float, is_killed: bool) -> None:
        actor = make_actor(tmp_path, sink, rules=[watchlist()], flush_every_s=0.0)
        await actor.deliver("west", [], start + 5.0, 0.0)
        await actor.deliver("east", [see("east", number, start, start + 1.0)], start + 5.0, 0.0)
        if is_killed:
            submit_command(tmp_path / "ledger.sqlite", name)
            await actor.deliver("east", [], start + 6.0, 0.0)
            actor._reader.close()
            actor._ledger.close()
        else:
            for camera_id in ("east", "west"):
                await actor.deliver(camera_id, [], inf, 0.0)
            await actor.finish(5.0)

    before, after = MemorySink(), MemorySink()
    asyncio.run(run_once(before, number=1, start=0.0, is_killed=not is_at_rest))
    assert [record for record in before.records if isinstance(record, Alert)] == []
    if is_at_rest:
        submit_command(tmp_path / "ledger.sqlite", name)
    asyncio.run(run_once(after, number=2, start=50.0, is_killed=False))
    alerts = [record for record in after.records if isinstance(record, Alert)]
    raised = [alert for alert in alerts if alert.state is AlertState.RAISED]
    assert [(alert.rule, alert.person_id, alert.message) for alert in raised] == [
        ("watch", 1, "'lost child' of the watch list is here.")
    ]
    # A sink gets the correction at the latest when the run continues.
    written = [*before.records, *after.records]
    assert [record.name for record in written if isinstance(record, Correction)] == ["lost child"]


def test_a_command_at_rest_reaches_the_sinks_once_when_the_run_continues(tmp_path: Path) -> None:
    assert asyncio.run(watch(tmp_path, see("east", 1, person=0), see("east", 2, person=1))) == [1, 2]
    submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True))

    async def go_on(sink: MemorySink) -> None:
        actor = make_actor(tmp_path, sink)
        for camera_id in ("east", "west"):
            await actor.deliver(camera_id, [], inf, 0.0)
        await actor.finish(5.0)

    sinks = MemorySink(), MemorySink()
    for sink in sinks:
        asyncio.run(go_on(sink))
    assert [[record.person_ids for record in sink.records if isinstance(record, Correction)] for sink in sinks] == [
        [(1, 2)],
        [],
    ]


@pytest.mark.parametrize("is_at_rest", [False, True], ids=["during the run", "after its end"])
def test_a_command_is_a_label_for_the_calibration_also_after_a_restart(tmp_path: Path, is_at_rest: bool) -> None:
    async def begin() -> float:
        actor = make_actor(tmp_path, MemorySink())
        await actor.deliver("west", [], 2.0, 0.0)
        await actor.deliver("east", [see("east", 1, person=0), see("east", 2, person=1)], 2.0, 0.0)
        before = actor._reducer.match._calibration.model.same_mean
        if not is_at_rest:
            submit_command(
                tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True)
            )
        for camera_id in ("east", "west"):
            await actor.deliver(camera_id, [], inf, 0.0)
        await actor.finish(5.0)
        return before

    before = asyncio.run(begin())
    if is_at_rest:
        submit_command(
            tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True)
        )
    actor = make_actor(tmp_path, MemorySink())
    assert actor._reducer.match._calibration.model.same_mean > before


@pytest.mark.parametrize("is_killed", [False, True])
def test_each_state_of_an_alert_has_a_number_and_reaches_an_outbox_though_an_undo_repeats_one(
    tmp_path: Path, is_killed: bool
) -> None:
    sink = MemorySink()

    async def main() -> None:
        mortal = MortalActor(tmp_path, sink)
        await mortal.deliver("west", [], 9.0, 0.0)
        await mortal.deliver("east", [see("east", 1), see("east", 2, person=1)], 2.0, 0.0)
        merge = CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True)
        number = submit_command(tmp_path / "ledger.sqlite", merge)
        await mortal.deliver("east", [], 3.0, 0.0)
        submit_command(tmp_path / "ledger.sqlite", CorrectionCommand(CommandKind.UNDO, (), "ann", 1.7e9, undoes=number))
        if is_killed:
            mortal.kill()
        await mortal.deliver("east", [], 4.0, 0.0)
        await end(mortal.actor)

    asyncio.run(main())
    alerts = [record for record in sink.records if isinstance(record, Alert) and record.key == "everyone/2/1.0"]
    told = {each.revision: (each.state, each.person_id) for each in alerts}
    assert told == {1: ("raised", 2), 2: ("retracted", 2), 3: ("raised", 2)}
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for _ in range(2):  # a restart repeats
        outbox.put(event_messages(alerts, {"alerts": "passerby.alerts"}))
    assert [message.name[-2:] for _, message in outbox.waiting(after=0, limit=9)] == ["/1", "/2", "/3"]
    outbox.close()


def test_states_that_a_ledger_at_rest_wrote_have_lower_numbers_than_those_of_the_run_that_continues(
    tmp_path: Path,
) -> None:
    sink = MemorySink()

    async def run_once() -> None:
        actor = make_actor(tmp_path, sink, rules=[EveryoneRule()])
        await actor.deliver("west", [], inf, 0.0)
        await actor.deliver("east", [see("east", 1), see("east", 2, person=1)], inf, 0.0)
        await actor.finish(5.0)

    asyncio.run(run_once())
    path = tmp_path / "ledger.sqlite"
    merge = submit_command(path, CorrectionCommand(CommandKind.MERGE, (1, 2), "ann", 1.7e9, force=True))
    submit_command(path, CorrectionCommand(CommandKind.UNDO, (), "ann", 1.7e9, undoes=merge))
    asyncio.run(run_once())
    submit_command(path, CorrectionCommand(CommandKind.MERGE, (2, 1), "ann", 1.7e9, force=True))
    reader = LedgerReader(path)
    rows = [event.alert() for event in reader.events(kind="alert")]
    reader.close()
    for key in {alert.key for alert in rows}:
        written = [alert.revision for alert in rows if alert.key == key]
        sent = [each.revision for each in sink.records if isinstance(each, Alert) and each.key == key]
        assert written == sorted(set(written)), key
        assert sent == sorted(set(sent)), key
