"""A person is erased from the ledger of a run that was killed: sinks get what they lack, and the erasure."""

import asyncio
import json
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from match_actors import end, make_actor
from people import see

from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.memory import MemorySink
from pipeline.core import CommandKind, Correction, CorrectionCommand, CorrectionKind, Sighting, Sink
from pipeline.ledger import LedgerReader, Saved, submit_command
from pipeline.ledger.corrections.apply import Forget
from pipeline.ledger.verification import faults_of
from pipeline.runtime.match_actor import MatchActor
from pipeline.runtime.reducer import AppliedCommand
from pipeline.telemetry.match_report import MatchReport

ERASE = CorrectionCommand(CommandKind.ERASE, (1,), "ann", 1.7e9, reason="asked for it")


def kill(actor: MatchActor) -> None:
    actor._reader.close()
    actor._ledger.close()


async def interrupted(folder: Path, *sinks: Sink) -> None:
    """A run that sees three people and is killed after the first was flushed."""
    actor = make_actor(folder, *sinks, flush_every_s=0.0)
    await actor.deliver("west", [], 9.0, 0.0, None)
    await actor.deliver("east", [see("east", 1)], 1.5, 0.0, None)
    actor._flush_every_s = 1e9
    await actor.deliver("east", [see("east", 1, 1.1, 3.0, part=1), see("east", 2, 2.0, 3.0, person=1)], 5.0, 0.0, None)
    await actor.deliver("east", [see("east", 3, 6.0, 7.0, person=2)], 9.0, 0.0, None)
    kill(actor)


def with_state(folder: Path) -> Forget:
    """Return what makes the state without a person, as the program does it from the configuration of a run."""

    def forget(_: Path, saved: Saved, command: CorrectionCommand, correction: Correction) -> tuple[bytes, list[bytes]]:
        actor = make_actor(folder / "elsewhere", MemorySink())
        reducer = actor._reducer
        reducer.bring_back(saved, folder)
        reducer.apply_at_rest(AppliedCommand(command, correction))
        kill(actor)
        return reducer.snapshot(), []

    return forget


def test_records_that_are_owed_are_erased_as_well(tmp_path: Path) -> None:
    asyncio.run(interrupted(tmp_path, MemorySink()))
    for person_id in (2, 1):
        submit_command(tmp_path / "ledger.sqlite", replace(ERASE, person_ids=(person_id,)))
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [command.outcome.endswith("nothing of it is found any more") for command in reader.commands()] == [True] * 2
    reader.close()
    told = MemorySink()
    actor = make_actor(tmp_path, told)
    asyncio.run(end(actor))
    kinds = [record.track_id.number if isinstance(record, Sighting) else record.person_ids for record in told.records]
    assert kinds == [3, (2,), (1,)]


@pytest.mark.parametrize("has_state", [True, False])
def test_what_sinks_lack_reaches_them_when_the_run_goes_on(has_state: bool, tmp_path: Path) -> None:
    sink, remembering = JsonlSink(output_dir=str(tmp_path)), MemorySink()
    asyncio.run(interrupted(tmp_path, sink, remembering))
    sink.close()
    with (tmp_path / "sightings.jsonl").open("a") as file:
        file.write('{"event": "sigh')
    had = [record for record in remembering.records if isinstance(record, Sighting)]
    assert [record.track_id.number for record in had] == [1, 1, 2, 3]
    (tmp_path / "elsewhere").mkdir()
    submit_command(tmp_path / "ledger.sqlite", ERASE, with_state(tmp_path) if has_state else None)
    told = MemorySink()

    async def second() -> MatchReport:
        actor = make_actor(tmp_path, JsonlSink(output_dir=str(tmp_path)), told)
        await actor.deliver("west", [see("west", 1, 20.0, 21.0, person=1)], inf, 0.0, None)
        await actor.deliver("east", [], inf, 0.0, None)
        return await actor.finish(5.0)

    report = asyncio.run(second())
    again = 2 if has_state else 4  # a stranger, where nobody is known any more
    told_of = [
        (str(record.track_id), record.person_id) if isinstance(record, Sighting) else record.kind
        for record in told.records
        if isinstance(record, Sighting | Correction)
    ]
    assert told_of == [("east/0/2", 2), ("east/0/3", 3), CorrectionKind.ERASED, ("west/0/1", again)]
    assert report.num_passed_over == 0
    assert lines(tmp_path, "sightings") == [("east/0/2", 2), ("east/0/3", 3), ("west/0/1", again)]
    assert lines(tmp_path, "corrections") == ["erased"]
    assert faults_of(tmp_path / "ledger.sqlite") == []


def test_an_erasure_that_a_kill_follows_still_reaches_the_sinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = MemorySink(), MemorySink()

    async def main() -> None:
        actor = make_actor(tmp_path, first, flush_every_s=0.0)
        await actor.deliver("west", [], 9.0, 0.0, None)
        await actor.deliver("east", [see("east", 1), see("east", 2, person=1)], 1.5, 0.0, None)
        submit_command(tmp_path / "ledger.sqlite", ERASE)
        monkeypatch.setattr(actor._sinks, "write", _dies)
        with pytest.raises(RuntimeError, match="killed"):
            await actor.deliver("east", [], 5.0, 0.0, None)
        kill(actor)
        actor = make_actor(tmp_path, second)
        for camera_id in ("east", "west"):
            await actor.deliver(camera_id, [], inf, 0.0, None)
        await actor.finish(5.0)

    asyncio.run(main())
    assert [record.kind for record in second.records if isinstance(record, Correction)] == [CorrectionKind.ERASED]
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [person.person_id for person in reader.persons()] == [2]
    reader.close()


async def _dies(_: object) -> None:
    raise RuntimeError("killed")


def lines(folder: Path, name: str) -> list[object]:
    read = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
    return [(line["track"], line["person_id"]) if name == "sightings" else line["kind"] for line in read]
