"""What sinks do to a match actor: they are slow, busy or broken, and what they have is safe."""

import asyncio
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from math import inf
from pathlib import Path

import pytest
from http_receiver import serving
from match_actors import EveryoneRule, SlowFlushSink, end, make_actor, sightings_in
from people import see

from connectors.sinks.memory import MemorySink
from connectors.sinks.webhook import WebhookSink
from pipeline.core import Record
from pipeline.core.errors import ConnectorError
from pipeline.telemetry.match_report import MatchReport


class BrokenSink:
    def write(self, records: Sequence[Record]) -> None:
        raise ConnectorError("disk is full")

    def flush(self) -> None: ...

    def close(self) -> None: ...


def test_a_busy_sink_gets_the_same_batch_again_and_no_record_twice(tmp_path: Path) -> None:
    busy, free = MemorySink(busy_times=3), MemorySink()

    async def main() -> MatchReport:
        actor = make_actor(tmp_path, busy, free)
        await actor.deliver("east", [see("east", 1), see("east", 2, 2.0, 3.0, person=1)], 3.0, 0.0)
        return await end(actor)

    report = asyncio.run(main())
    assert sightings_in(busy) == sightings_in(free) == [("east", 1, 0), ("east", 2, 0)]
    assert report.num_sink_retries == 3


def test_a_sink_that_is_busy_while_it_is_flushed_is_asked_again(tmp_path: Path) -> None:
    sink = SlowFlushSink(busy_times=2)
    report = asyncio.run(end(make_actor(tmp_path, sink)))
    assert (report.num_sink_retries, sink.num_flushes) == (2, 1)


def test_a_broken_sink_ends_the_run(tmp_path: Path) -> None:
    async def main() -> None:
        actor = make_actor(tmp_path, BrokenSink())
        await actor.deliver("east", [see("east", 1)], 1.0, 0.0)
        await end(actor)

    with pytest.raises(ConnectorError, match="disk is full"):
        asyncio.run(main())


def test_a_delivery_that_is_cancelled_reaches_every_sink(tmp_path: Path) -> None:
    class HeldSink(MemorySink):
        """Holds its first write until the delivery is cancelled."""

        def __init__(self) -> None:
            super().__init__()
            self.is_writing, self.may_go_on = threading.Event(), threading.Event()

        def write(self, records: Sequence[Record]) -> None:
            self.is_writing.set()
            assert self.may_go_on.wait(10)
            super().write(records)

    first, second = HeldSink(), MemorySink()

    async def main() -> None:
        actor = make_actor(tmp_path, first, second, camera_ids=["east"])
        embeddings = [see("east", 1, 0.0, 1.0), see("east", 2, 4.0, 5.0, person=1)]
        delivery = asyncio.create_task(actor.deliver("east", embeddings, 20.0, 0.0))
        assert await asyncio.to_thread(first.is_writing.wait, 10)
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
        first.may_go_on.set()
        await actor.finish(5.0, is_whole=False)

    asyncio.run(main())
    assert sightings_in(first) == sightings_in(second) == [("east", 1, 0), ("east", 2, 0)]


def test_nothing_is_safe_before_the_sinks_were_flushed(tmp_path: Path) -> None:
    async def main() -> list[float]:
        actor = make_actor(tmp_path, MemorySink(), camera_ids=["east"])
        acknowledgements = [await actor.deliver("east", [see("east", 1)], 1.0, 0.0)]
        acknowledgements += [await actor.deliver("east", [], at, 0.0) for at in (5.0, 9.0)]
        return [each.safe_until for each in acknowledgements]

    assert asyncio.run(main()) == [-inf, -inf, -inf]


def test_what_all_cameras_have_passed_at_a_flush_is_safe(tmp_path: Path) -> None:
    sink = MemorySink()

    async def main() -> list[float]:
        actor = make_actor(tmp_path, sink, flush_every_s=0.0)
        return [
            (await actor.deliver(camera_id, [], at, 0.0)).safe_until
            for camera_id, at in [("east", 3.0), ("west", 1.0), ("east", 4.0), ("west", 8.0)]
        ]

    assert asyncio.run(main()) == [-inf, 1.0, 1.0, 4.0]
    assert sink.num_flushes == 4


def test_nothing_is_safe_while_one_of_the_sinks_is_busy(tmp_path: Path) -> None:
    async def main() -> list[float]:
        actor = make_actor(tmp_path, MemorySink(), SlowFlushSink(busy_times=2), camera_ids=["east"], flush_every_s=0.0)
        return [(await actor.deliver("east", [], at, 0.0)).safe_until for at in (1.0, 2.0, 3.0)]

    assert asyncio.run(main()) == [-inf, -inf, 3.0]


def test_what_waits_for_another_camera_is_not_safe(tmp_path: Path) -> None:
    async def main() -> list[float]:
        actor = make_actor(tmp_path, MemorySink(), flush_every_s=0.0)
        await actor.deliver("west", [], 1.0, 0.0)
        return [(await actor.deliver("east", [see("east", 1, 1.0, 2.0)], at, 0.0)).safe_until for at in (2.0, 9.0)]

    assert asyncio.run(main()) == [1.0, 1.0]


def test_sinks_are_flushed_and_closed_at_the_end(tmp_path: Path) -> None:
    sinks = [MemorySink(), MemorySink()]
    asyncio.run(end(make_actor(tmp_path, *sinks)))
    assert [(sink.num_flushes, sink.is_closed) for sink in sinks] == [(1, True), (1, True)]


class Refusing(BaseHTTPRequestHandler):
    """Refuses every request."""

    def do_POST(self) -> None:
        self.send_error(400)

    def log_message(self, *_: object) -> None:
        pass


def test_the_report_says_why_a_receiver_never_takes_what_was_dropped(tmp_path: Path) -> None:
    async def main(url: str) -> MatchReport:
        options = {"secret_env": None, "timeout_s": 2.0, "max_waiting": 10, "min_severity": "info"}
        sink = WebhookSink(url=url, **options)  # type: ignore[arg-type]
        actor = make_actor(tmp_path, sink, rules=[EveryoneRule()])
        await actor.deliver("east", [see("east", 1)], 1.0, 0.0)
        return await end(actor)

    with serving(Refusing) as url:
        report = asyncio.run(main(url))
    assert report.dropped == {"sink0": 1}
    assert report.why_dropped["sink0"].startswith("127.0.0.1 answers 400 Bad Request, it refuses the request: ")
