"""A match actor judges embeddings in the order of event time, however cameras deliver them."""

import asyncio
from collections.abc import Sequence
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from match_actors import EveryoneRule, end, make_actor, sightings_in
from people import see

from connectors.sinks.memory import MemorySink
from pipeline.core import Alert, Correction, Embedding, Sighting
from pipeline.core.errors import ConnectorError
from pipeline.ledger import LedgerReader, lease
from pipeline.runtime.match_actor import MatchActor
from pipeline.telemetry.match_report import MatchReport


def test_embeddings_of_two_cameras_are_processed_in_order_of_time(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> MatchReport:
        actor = make_actor(tmp_path, sink)
        await actor.ready()
        await actor.deliver("west", [see("west", 1, 4.0, 5.0), see("west", 2, 9.0, 10.0, person=1)], inf, 0.0)
        assert sink.records == []
        await actor.deliver("east", [see("east", 1, 0.0, 1.0)], 7.0, 0.0)
        assert sightings_in(sink) == [("east", 1, 0), ("west", 1, 0)]
        return await end(actor, "east")

    report = asyncio.run(main())
    assert sightings_in(sink) == [("east", 1, 0), ("west", 1, 0), ("west", 2, 0)]
    assert (report.num_identities, report.num_sightings, report.num_corrections, report.num_late) == (2, 3, 0, 0)


def test_an_embedding_that_is_delivered_twice_is_processed_once(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> MatchReport:
        actor = make_actor(tmp_path, sink)
        seen = [see("east", 1, 0.0, 1.0), see("east", 1, 1.1, 4.0, part=1)]
        for delivered in (seen[:1], seen, seen[1:]):
            await actor.deliver("east", delivered, 5.0, 0.0)
        return await end(actor)

    report = asyncio.run(main())
    assert sightings_in(sink) == [("east", 1, 0), ("east", 1, 1)]
    assert (report.num_sightings, report.num_late) == (2, 0)


def test_alerts_follow_the_sightings_of_their_window_and_are_counted(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> MatchReport:
        actor = make_actor(tmp_path, sink, rules=[EveryoneRule()])
        await actor.deliver("east", [see("east", 1), see("east", 2, person=1)], 0.0, 0.0)
        return await end(actor)

    report = asyncio.run(main())
    assert [type(record) for record in sink.records] == [Sighting, Sighting, Alert, Alert]
    assert (report.num_sightings, report.num_alerts) == (2, 2)


def test_the_report_counts_people_whom_the_matcher_has_forgotten(tmp_path: Path) -> None:
    async def main() -> MatchReport:
        actor = make_actor(tmp_path, camera_ids=["east"])
        for number in range(3):
            at = number * 4000.0  # people are forgotten after an hour
            await actor.deliver("east", [see("east", number, at, at + 1, person=number)], at + 2, 0.0)
        return await end(actor, "east")

    report = asyncio.run(main())
    assert (report.num_identities, report.num_sightings) == (3, 3)


def test_the_report_counts_the_last_corrections_too(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> MatchReport:
        actor = make_actor(tmp_path, sink)
        later = see("east", 1, 1.1, 5.0, part=1)
        await actor.deliver("east", [see("east", 1, 0.0, 1.0), see("east", 2, 2.0, 3.0), later], 5.0, 0.0)
        return await end(actor)

    report = asyncio.run(main())
    assert isinstance(sink.records[-1], Correction)
    assert (report.num_corrections, report.num_identities) == (1, 2)


def test_a_camera_that_is_ahead_waits_for_room_and_the_one_behind_does_not(tmp_path: Path) -> None:
    async def main() -> None:
        actor = make_actor(tmp_path, max_waiting_embeddings=2)
        many = [see("east", n, 10.0, 11.0, person=n) for n in range(5)]
        ahead = asyncio.create_task(actor.deliver("east", many, 11.0, 0.0))
        await asyncio.sleep(0.01)
        await asyncio.wait_for(actor.deliver("west", [], 2.0, 0.0), 5)
        assert not ahead.done()
        west = asyncio.create_task(actor.deliver("west", [], 12.0, 0.0))
        await asyncio.wait_for(ahead, 5)
        assert not west.done()  # now it is ahead
        await asyncio.wait_for(actor.deliver("east", [], 12.0, 0.0), 5)
        await asyncio.wait_for(west, 5)

    asyncio.run(main())


def test_a_camera_that_waits_goes_on_when_the_one_behind_ends(tmp_path: Path) -> None:
    async def main() -> None:
        actor = make_actor(tmp_path, max_waiting_embeddings=0)
        ahead = asyncio.create_task(actor.deliver("east", [see("east", 1, 10.0, 11.0)], 11.0, 0.0))
        await asyncio.sleep(0.01)
        west = asyncio.create_task(actor.deliver("west", [], inf, 0.0))
        await asyncio.wait_for(ahead, 5)
        await actor.deliver("east", [], inf, 0.0)
        await asyncio.wait_for(west, 5)

    asyncio.run(main())


@pytest.mark.parametrize("stalled_at", [-inf, 0.5], ids=["before its first frame", "after some frames"])
def test_a_stalled_live_camera_does_not_hold_the_others_back(tmp_path: Path, stalled_at: float) -> None:
    sink = MemorySink()

    async def main() -> float:
        actor = make_actor(tmp_path, sink, max_lateness_s=3.0, flush_every_s=0.0)
        if stalled_at > -inf:
            await actor.deliver("west", [], stalled_at, 0.0)
        for second in range(1, 9):
            east = see("east", second, second - 1.0, float(second), person=second)
            reply = await asyncio.wait_for(actor.deliver("east", [east], second, 0.0), 5)
        return reply.safe_until

    assert asyncio.run(main()) == 8.0
    assert sightings_in(sink) == [("east", second, 0) for second in range(1, 8)]


def test_a_stalled_live_camera_does_not_hold_the_others_back_for_want_of_room(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> None:
        actor = make_actor(tmp_path, sink, max_lateness_s=0.2, max_waiting_embeddings=0)
        await actor.deliver("west", [], 0.0, 0.0)
        waiting = asyncio.create_task(actor.deliver("east", [see("east", 1, 0.0, 0.1)], 0.1, 0.0))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await asyncio.wait_for(waiting, 5)
        await asyncio.wait_for(actor.deliver("east", [], 1.0, 0.0), 5)

    asyncio.run(main())
    assert sightings_in(sink) == [("east", 1, 0)]


def test_late_embeddings_are_processed_and_counted(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> MatchReport:
        actor = make_actor(tmp_path, sink, max_lateness_s=1.0)
        await actor.deliver("west", [], 0.0, 0.0)
        await actor.deliver("east", [see("east", 1, 4.0, 5.0)], 9.0, 0.0)
        await actor.deliver("west", [see("west", 1, 0.0, 1.0, person=1)], 1.0, 0.0)
        return await end(actor)

    report = asyncio.run(main())
    assert sightings_in(sink) == [("east", 1, 0), ("west", 1, 0)]
    assert report.num_late == 1


def test_latency_is_measured_from_when_the_frame_was_due(tmp_path: Path) -> None:
    async def main() -> MatchReport:
        actor = make_actor(tmp_path, camera_ids=["east"])
        await actor.deliver("east", [see("east", 1)], 1.0, due_at=-1e9)
        return await end(actor, "east")

    (latency_s,) = asyncio.run(main()).latencies_s
    assert latency_s > 1e9


TRACKS = st.lists(
    st.tuples(st.sampled_from(["east", "west"]), st.integers(0, 100), st.integers(0, 3)), min_size=1, max_size=12
)


@given(TRACKS, st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_which_camera_was_faster(tmp_path_factory, tracks, random) -> None:
    queues: dict[str, list[Embedding]] = {"east": [], "west": []}
    for number, (camera_id, start, person) in enumerate(sorted(tracks, key=lambda track: track[1])):
        queues[camera_id].append(see(camera_id, number, start / 10, start / 10 + 1, person))

    async def digest(turns: Sequence[str]) -> str:
        actor = make_actor(tmp_path_factory.mktemp("run"), MemorySink(), recluster_every_s=2.0)
        left = {camera_id: list(queue) for camera_id, queue in queues.items()}
        for camera_id in turns:
            embedding = left[camera_id].pop(0)
            await actor.deliver(camera_id, [embedding], embedding.completed_at, 0.0)
        return (await end(actor)).digest

    in_turn = [camera_id for camera_id, queue in queues.items() for _ in queue]
    shuffled = random.sample(in_turn, len(in_turn))
    assert asyncio.run(digest(in_turn)) == asyncio.run(digest(shuffled))


def test_an_enrolment_is_in_the_audit_once(tmp_path: Path) -> None:
    async def enrolled() -> None:
        actor = make_actor(tmp_path, MemorySink())
        await actor.enrol(1, see("pictures", 1))
        await end(actor)

    for _ in range(2):  # the second run continues
        asyncio.run(enrolled())
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [(entry.by, entry.action, entry.subject) for entry in reader.audit()] == [
        ("configuration", "enrol", "person 1")
    ]
    reader.close()


MAX_DELAY_S = 3.0


@given(TRACKS, st.lists(st.floats(0.0, MAX_DELAY_S), min_size=12, max_size=12))
def test_delays_below_the_maximal_lateness_change_nothing(tmp_path_factory, tracks, delays: list[float]) -> None:
    seen = [
        see(camera_id, number, start / 10, start / 10 + 1, person)
        for number, (camera_id, start, person) in enumerate(sorted(tracks, key=lambda track: track[1]))
    ]

    async def report(delay_of: dict[str, float]) -> MatchReport:
        actor = make_actor(
            tmp_path_factory.mktemp("run"), MemorySink(), max_lateness_s=MAX_DELAY_S + 0.1, recluster_every_s=2.0
        )
        arrivals, last = list[tuple[float, Embedding]](), {"east": -inf, "west": -inf}
        for embedding in seen:  # a camera delivers in order, whatever delays it
            camera_id = embedding.track_id.camera_id
            delay = delay_of.get(str(embedding.track_id), 0.0)
            last[camera_id] = max(last[camera_id], embedding.completed_at + delay)
            arrivals.append((last[camera_id], embedding))
        for now, embedding in sorted(arrivals, key=lambda arrival: arrival[0]):
            camera_id = embedding.track_id.camera_id
            other = "west" if camera_id == "east" else "east"
            await actor.deliver(other, [], now - MAX_DELAY_S, 0.0)
            await actor.deliver(camera_id, [embedding], embedding.completed_at, 0.0)
        return await end(actor)

    delay_of = {str(embedding.track_id): delay for embedding, delay in zip(seen, delays, strict=False)}
    at_once, delayed = asyncio.run(report({})), asyncio.run(report(delay_of))
    assert (delayed.num_late, delayed.num_sightings) == (0, len(seen))
    assert delayed.digest == at_once.digest


def test_of_two_that_live_the_later_one_writes_and_the_earlier_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.3)
    monkeypatch.setattr(lease, "RENEW_S", 0.01)
    earlier, later = MemorySink(), MemorySink()
    first, second = see("east", 1, 0.0, 1.0), see("east", 2, 5.0, 6.0, person=1)

    async def deliver_on(actor: MatchActor) -> None:
        for tenth in range(100):
            await actor.deliver("east", [], 3.0 + tenth / 1000, 0.0)
            await asyncio.sleep(0.02)

    async def main() -> MatchReport:
        cut_off = make_actor(tmp_path, earlier, camera_ids=("east",))
        await cut_off.deliver("east", [first], 3.0, 0.0)
        delivering = asyncio.create_task(deliver_on(cut_off))  # a camera that is cut off together with it
        successor = await asyncio.to_thread(make_actor, tmp_path, later, camera_ids=("east",))
        delivering.cancel()
        await successor.deliver("east", [first, second], 8.0, 0.0)
        with pytest.raises(ConnectorError, match="nothing more is written here"):
            await cut_off.status()
        with pytest.raises(ConnectorError, match="nothing more is written here"):
            await cut_off.deliver("east", [see("east", 3, 9.0, 10.0, person=2)], 12.0, 0.0)
        await successor.status()
        return await end(successor, "east")

    assert asyncio.run(main()).num_sightings == 2
    assert sightings_in(earlier) == [("east", 1, 0)]
    assert sightings_in(later) == [("east", 1, 0), ("east", 2, 0)]  # the first is told again: no sink had it safe
    reader = LedgerReader(tmp_path / "ledger.sqlite")
    assert [event.person_id for event in reader.events(limit=-1)] == [1, 2]
    reader.close()
