"""A match actor that is killed at any moment, and comes back from its ledger."""

import asyncio
import json
from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import TRACKS, embeddings_of, see
from test_match_actor import EveryoneRule, make_actor

from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.memory import MemorySink
from pipeline.alerts.rules.watchlist import WatchlistRule
from pipeline.cli.state_at_rest import forget_everybody
from pipeline.core import (
    Alert,
    AlertState,
    CommandKind,
    Correction,
    CorrectionCommand,
    Embedding,
    Record,
    Sighting,
    Sink,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import LedgerChangedError
from pipeline.ledger import Ledger, LedgerReader, submit_command
from pipeline.ledger import ledger as ledger_module
from pipeline.ledger.verification import faults_of
from pipeline.runtime import match_actor
from pipeline.runtime.deliveries import Acknowledgement, Deliveries
from pipeline.runtime.match_actor import MatchActor
from pipeline.telemetry.match_report import MatchReport


class MortalActor:
    """A match actor in this process that can be killed: nothing is flushed, and no sink is closed."""

    def __init__(
        self, folder: Path, sink: MemorySink | None = None, flush_every_s: float = 0.0, max_events: int = 0
    ) -> None:
        self._folder, self._sink, self._flush_every_s = folder, sink or MemorySink(), flush_every_s
        self._max_events = max_events
        self.actor = self._make()

    def kill(self) -> None:
        self.actor._reader.close()
        self.actor._ledger.close()
        self.actor = self._make()

    async def deliver(self, *arguments: object) -> Acknowledgement:
        return await self.actor.deliver(*arguments)  # type: ignore[arg-type]

    def _make(self) -> MatchActor:
        return make_actor(
            self._folder,
            self._sink,
            rules=[EveryoneRule()],
            flush_every_s=self._flush_every_s,
            recluster_every_s=2.0,
            max_events=self._max_events,
        )


async def live(mortal: MortalActor, embeddings: Sequence[Embedding], deaths: set[int]) -> MatchReport:
    """Deliver from two cameras in order of time; the actor dies before the calls of these numbers."""
    cameras = {camera_id: Deliveries(mortal.deliver) for camera_id in ("east", "west")}
    for number, embedding in enumerate(sorted(embeddings, key=lambda e: (e.completed_at, e.track_id, e.part))):
        if number in deaths:
            mortal.kill()
        camera_id = embedding.track_id.camera_id
        await cameras[camera_id](camera_id, [embedding], embedding.completed_at, 0.0)
        other = "west" if camera_id == "east" else "east"
        await cameras[other](other, [], embedding.completed_at - 1.0, 0.0)
    ends = [asyncio.create_task(cameras[camera_id].end(camera_id)) for camera_id in cameras]
    if len(embeddings) in deaths:
        mortal.kill()
    await asyncio.gather(*ends)
    if len(embeddings) + 1 in deaths:
        mortal.kill()
        # The supervisor of the cameras reports that they have ended.
        for camera_id in cameras:
            await mortal.deliver(camera_id, [], inf, 0.0, None)
    return await mortal.actor.finish(5.0)


def texts_of(records: Sequence[Record]) -> list[str]:
    return [
        repr((r.track_id, r.part, r.person_id, r.outcome, r.distance, r.gates)) if isinstance(r, Sighting) else repr(r)
        for r in records
    ]


@pytest.mark.slow
@given(st.lists(TRACKS, min_size=1, max_size=6), st.sets(st.integers(0, 40), max_size=4), st.sampled_from([0.0, 1e9]))
def test_however_often_it_dies_the_result_is_that_of_an_undisturbed_run(
    tmp_path_factory: pytest.TempPathFactory, tracks, deaths: set[int], flush_every_s: float
) -> None:
    embeddings = embeddings_of(tracks)
    sinks = MemorySink(), MemorySink()
    folders = [tmp_path_factory.mktemp("run") for _ in range(2)]
    undisturbed = asyncio.run(live(MortalActor(folders[0], sinks[0], flush_every_s), embeddings, set()))
    report = asyncio.run(live(MortalActor(folders[1], sinks[1], flush_every_s), embeddings, deaths))
    assert report.digest == undisturbed.digest
    assert (report.num_identities, report.num_sightings, report.num_corrections, report.num_alerts) == (
        undisturbed.num_identities,
        undisturbed.num_sightings,
        undisturbed.num_corrections,
        undisturbed.num_alerts,
    )
    # A sink that cannot go back gets some records again, and none too few.
    assert list(dict.fromkeys(texts_of(sinks[1].records))) == list(dict.fromkeys(texts_of(sinks[0].records)))


def test_a_snapshot_takes_the_place_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MIN_JOURNAL_BYTES", 0)
    embeddings = embeddings_of([("east", 0, 8, 1, [0.0] * 8, [True] * 8, False)])
    reports = []
    for name, deaths in (("one", set()), ("two", {2, 5, 7})):
        (tmp_path / name).mkdir()
        reports.append(asyncio.run(live(MortalActor(tmp_path / name), embeddings, deaths)))
    assert reports[0].digest == reports[1].digest


def test_the_deletion_of_old_events_does_not_change_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_actor, "COMPACT_EVERY_S", 0.0)
    embeddings = embeddings_of([("east", 10 * n, 6, n % 3, [0.0] * 8, [True] * 8, False) for n in range(4)])
    reports = []
    for name, max_events, deaths in (("all", 0, set()), ("ten", 10, {3, 7, 15})):
        (tmp_path / name).mkdir()
        reports.append(asyncio.run(live(MortalActor(tmp_path / name, max_events=max_events), embeddings, deaths)))
    assert reports[0].digest == reports[1].digest
    counts = []
    for name in ("all", "ten"):
        reader = LedgerReader(tmp_path / name / "ledger.sqlite")
        counts.append(len(reader.events(limit=-1)))
        reader.close()
        assert faults_of(tmp_path / name / "ledger.sqlite") == []
    assert counts[0] > 40
    assert counts[1] < 20


def test_a_delivery_to_an_earlier_epoch_is_refused(tmp_path: Path) -> None:
    async def main() -> tuple[Acknowledgement, Acknowledgement]:
        mortal = MortalActor(tmp_path)
        first = await mortal.deliver("east", [], 1.0, 0.0, None)
        mortal.kill()
        return first, await mortal.deliver("east", [see("east", 1)], 2.0, 0.0, first.epoch)

    first, second = asyncio.run(main())
    assert (first.is_accepted, second.is_accepted) == (True, False)
    assert second.epoch != first.epoch


def test_a_killed_run_continues_with_its_numbers(tmp_path: Path) -> None:
    sink = MemorySink()

    async def first() -> None:
        mortal = MortalActor(tmp_path, sink)
        await mortal.deliver("east", [see("east", 1), see("east", 2, person=1)], 5.0, 0.0, None)
        await mortal.deliver("west", [], 5.0, 0.0, None)
        mortal.actor._reader.close()
        mortal.actor._ledger.close()

    async def second() -> MatchReport:
        mortal = MortalActor(tmp_path, sink)
        await mortal.deliver("west", [see("west", 1, 10.0, 11.0, person=1)], inf, 0.0, None)
        await mortal.deliver("east", [see("east", 1), see("east", 2, person=1)], inf, 0.0, None)
        return await mortal.actor.finish(5.0)

    asyncio.run(first())
    report = asyncio.run(second())
    assert [record.person_id for record in sink.records if isinstance(record, Sighting)] == [1, 2, 2]
    assert (report.num_sightings, report.num_identities) == (3, 2)


async def interrupted(folder: Path, *sinks: Sink, flush_every_s: float = 1e9) -> None:
    """A run that sees two people and is killed; the first is flushed in any case."""
    actor = make_actor(folder, *sinks, flush_every_s=0.0)
    await actor.deliver("west", [], 5.0, 0.0, None)
    await actor.deliver("east", [see("east", 1)], 1.5, 0.0, None)
    actor._flush_every_s = flush_every_s
    await actor.deliver("east", [see("east", 2, 2.0, 3.0, person=1)], 5.0, 0.0, None)
    actor._reader.close()
    actor._ledger.close()


def test_another_configuration_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    asyncio.run(interrupted(tmp_path))
    with pytest.raises(LedgerChangedError) as raised:
        make_actor(tmp_path, MemorySink(), rules=[EveryoneRule()])
    assert raised.value.exit_code == 3
    assert "expected to come to the same events again, got others" in str(raised.value)
    assert f"passerby ledger forget {tmp_path} --by NAME" in str(raised.value)


def test_a_snapshot_of_another_version_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.save(b"of another version")
    ledger.close()
    with pytest.raises(LedgerChangedError, match=f"one of another version; .* passerby ledger forget {tmp_path} --by"):
        make_actor(tmp_path, MemorySink())


@pytest.mark.parametrize("flush_every_s", [0.0, 1e9])
@pytest.mark.parametrize("times", [1, 2])
def test_a_changed_program_goes_on_with_strangers_and_no_record_is_lost(
    flush_every_s: float, times: int, tmp_path: Path
) -> None:
    sink = JsonlSink(output_dir=str(tmp_path))
    asyncio.run(interrupted(tmp_path, sink, flush_every_s=flush_every_s))
    sink.close()
    before = _lines(tmp_path)
    for _ in range(times):
        assert forget_everybody(tmp_path / "ledger.sqlite") == 3

    async def second() -> MatchReport:
        actor = make_actor(tmp_path, JsonlSink(output_dir=str(tmp_path)), rules=[EveryoneRule()])
        await actor.deliver("west", [see("west", 1, 10.0, 11.0)], inf, 0.0, None)
        await actor.deliver("east", [see("east", 2, 2.0, 3.0, person=1)], inf, 0.0, None)  # known: passed over
        return await actor.finish(5.0)

    report = asyncio.run(second())
    assert (report.num_passed_over, report.num_alerts) == (1, 1)
    after = _lines(tmp_path)
    assert after[: len(before)] == before
    sightings = [(line["track"], line["person_id"]) for line in after if line["event"] == "sighting"]
    assert sightings == [("east/0/1", 1), ("east/0/2", 2), ("west/0/1", 3)]
    assert faults_of(tmp_path / "ledger.sqlite") == []


def _lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "sightings.jsonl").read_text().splitlines()]


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
