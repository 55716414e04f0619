"""A match actor that is killed at any moment, and comes back from its ledger."""

import asyncio
import json
from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from match_actors import EveryoneRule, MortalActor, interrupted, make_actor
from people import TRACKS, embeddings_of, see

from connectors.sinks.jsonl import JsonlSink
from connectors.sinks.memory import MemorySink
from pipeline.cli.state_at_rest import forget_everybody
from pipeline.core import (
    Embedding,
    Record,
    Sighting,
)
from pipeline.core.errors import LedgerChangedError
from pipeline.ledger import Ledger, LedgerReader
from pipeline.ledger import ledger as ledger_module
from pipeline.ledger.verification import faults_of
from pipeline.runtime import match_actor, reducer
from pipeline.runtime.deliveries import Acknowledgement, Deliveries
from pipeline.telemetry.match_report import MatchReport


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


@pytest.mark.parametrize("limit", ["MIN_JOURNAL_BYTES", "REPLAY_S"])
def test_a_snapshot_takes_the_place_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(reducer, "WORK_PER_SNAPSHOT", 0.0)
    monkeypatch.setattr(ledger_module if limit == "MIN_JOURNAL_BYTES" else reducer, limit, 0)
    embeddings = embeddings_of([("east", 0, 8, 1, [0.0] * 8, [True] * 8, False)])
    reports = []
    for name, deaths in (("one", set()), ("two", {2, 5, 7})):
        (tmp_path / name).mkdir()
        reports.append(asyncio.run(live(MortalActor(tmp_path / name), embeddings, deaths)))
    assert reports[0].digest == reports[1].digest


@pytest.mark.parametrize(("replay_s", "has_snapshot"), [(0.0, True), (1e9, False)])
def test_a_snapshot_is_made_where_the_journal_would_take_long_to_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replay_s: float, has_snapshot: bool
) -> None:
    monkeypatch.setattr(reducer, "REPLAY_S", replay_s)
    monkeypatch.setattr(reducer, "WORK_PER_SNAPSHOT", 0.0)
    mortal = MortalActor(tmp_path)
    for part in range(8):
        for camera_id, items in (("east", [see("east", 1, 3.0 * part, 3.0 * part + 2.9, part=part)]), ("west", [])):
            asyncio.run(mortal.deliver(camera_id, items, 3.0 * part + 3.0, 0.0, None))
    saved = mortal.actor._ledger.saved()
    mortal.kill()
    assert (saved.state is not None) == has_snapshot
    assert (len(saved.entries) < 2) == has_snapshot


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
