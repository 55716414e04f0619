"""A remote sink has a thread and a bounded queue; nobody waits for it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from factories import make_sighting
from http_receiver import serving

from connectors.sinks.memory import MemorySink
from connectors.sinks.webhook import WebhookSink
from pipeline.core import Alert, Record, Severity, TrackId
from pipeline.core.errors import ConnectorError, SinkBusyError
from pipeline.core.records.sink_report import SinkReport
from pipeline.runtime import sink_thread
from pipeline.runtime.sink_fanout import SinkFanout
from pipeline.runtime.sink_thread import SinkThread

SIGHTING = make_sighting(1, TrackId("east", 0, 1))


def make_alert(number: int) -> Alert:
    return Alert(f"dwell/1/{number}", "dwell", Severity.INFO, 1, "east", number, number, "Stays.", ())


class Gate(MemorySink):
    """A remote sink behind a gate that is closed at first; flushed only when it is open."""

    kinds = (Alert,)

    def __init__(self, *, may_drop: bool = True) -> None:
        super().__init__()
        self.may_drop = may_drop
        self.opened = threading.Event()

    def write(self, records: Sequence[Record]) -> None:
        if not self.opened.is_set():
            raise SinkBusyError("closed", retry_after_s=0.01)
        super().write(records)

    def flush(self) -> None:
        if not self.opened.is_set():
            raise SinkBusyError("closed", retry_after_s=0.01)
        super().flush()


class Broken(Gate):
    """Fails for good."""

    def write(self, records: Sequence[Record]) -> None:
        raise ConnectorError("gone")


class SlowReceiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(1.0)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow_url() -> Iterator[str]:
    with serving(SlowReceiver) as address:
        yield f"{address}/"


def test_a_receiver_that_takes_a_second_delays_nobody(slow_url: str) -> None:
    webhook = WebhookSink(url=slow_url, secret_env=None, timeout_s=5.0, max_waiting=10, min_severity="info")
    beside = MemorySink()

    async def main() -> float:
        fanout = SinkFanout[None]({"webhook": webhook, "beside": beside})
        began = time.monotonic()
        for number in range(3):
            await fanout.write([make_alert(number)])
            assert await fanout.try_to_flush(None) is None
        took_s = time.monotonic() - began
        assert await fanout.flush()
        await fanout.close()
        return took_s

    assert asyncio.run(main()) < 0.9
    assert (webhook.num_delivered, len(beside.records)) == (3, 3)


def test_a_flush_is_safe_once_the_remote_sink_has_what_came_before_it() -> None:
    gate = Gate()

    async def main() -> list[object]:
        fanout = SinkFanout[str]({"gate": gate})
        await fanout.write([make_alert(1)])
        found: list[object] = [await fanout.try_to_flush("first")]
        gate.opened.set()
        assert await fanout.settle(5.0)
        found.append(await fanout.try_to_flush("second"))
        await fanout.close()
        return [flush.note if hasattr(flush, "note") else flush for flush in found]

    assert asyncio.run(main()) == [None, "second"]


def test_records_that_a_sink_does_not_deliver_keep_nothing_waiting() -> None:
    async def main() -> bool:
        fanout = SinkFanout[str]({"gate": Gate()})
        await fanout.write([SIGHTING])
        flushed = await fanout.try_to_flush("all")
        await fanout.close()
        return flushed is not None

    assert asyncio.run(main())


def test_why_a_sink_takes_nothing_is_reported_until_it_does() -> None:
    gate = Gate(may_drop=False)
    thread = SinkThread("gate", gate)
    thread.put(1, [make_alert(1), make_alert(2)])
    deadline = time.monotonic() + 5
    while (report := thread.report()).refusal is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (report.refusal, report.num_waiting) == ("closed", 2)
    gate.opened.set()
    assert thread.wait_until_safe(5.0)
    assert thread.report() == SinkReport()
    thread.close()


def test_a_receiver_that_is_away_is_noticed_before_there_is_anything_to_deliver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sink_thread, "IDLE_FLUSH_S", 0.05)
    gate = Gate()
    thread = SinkThread("gate", gate)
    wait_for(lambda: thread.report().refusal == "closed")
    assert (thread.report().num_waiting, thread.safe, thread.wait_until_safe(0.0)) == (0, 0, True)
    gate.opened.set()
    wait_for(lambda: thread.report().refusal is None)
    gate.opened.clear()
    wait_for(lambda: thread.report().refusal == "closed")
    thread.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_overflows_is_dropped_from_the_front_and_counted() -> None:
    gate = Gate()
    thread = SinkThread("gate", gate, max_queued=10)
    for number in range(10_000):
        assert thread.put(number + 1, [make_alert(number)])
    gate.opened.set()
    assert thread.wait_until_safe(5.0)
    thread.close()
    assert len(gate.records) + thread.num_dropped == 10_000
    assert [alert.key for alert in gate.records][-9:] == [f"dwell/1/{number}" for number in range(9_991, 10_000)]


def test_a_sink_that_keeps_everything_is_waited_for_and_loses_nothing() -> None:
    gate = Gate(may_drop=False)

    async def main() -> int:
        fanout = SinkFanout[None]({"gate": gate})
        threading.Timer(0.2, gate.opened.set).start()
        for number in range(1500):
            await fanout.write([make_alert(number)])
        assert await fanout.flush()
        await fanout.close()
        return sum(fanout.dropped.values())

    assert asyncio.run(main()) == 0
    assert [alert.key for alert in gate.records] == [f"dwell/1/{number}" for number in range(1500)]


def test_at_the_end_a_sink_is_waited_for_only_so_long_and_named() -> None:
    async def main() -> SinkFanout[None]:
        fanout = SinkFanout[None]({"gate": Gate()})
        await fanout.write([make_alert(1)])
        fanout.be_patient_for(0.1)
        assert not await fanout.flush()
        await fanout.close()
        return fanout

    assert list(asyncio.run(main()).behind) == ["gate"]


def test_a_sink_that_fails_for_good_ends_the_run() -> None:
    async def main() -> None:
        fanout = SinkFanout[None]({"broken": Broken()})
        await fanout.write([make_alert(1)])
        await fanout.flush()

    with pytest.raises(ConnectorError, match="gone"):
        asyncio.run(main())


def test_a_sink_that_is_closed_twice_is_closed_once(tmp_path: Path) -> None:
    gate = Gate()
    thread = SinkThread("gate", gate)
    thread.close()
    thread.close()
    assert gate.is_closed


def test_a_sink_is_not_called_while_another_process_may_have_taken_over() -> None:
    sink, is_ours = Gate(), threading.Event()
    sink.opened.set()
    thread = SinkThread("memory", sink, may_call=is_ours.is_set)
    assert thread.put(1, [make_alert(1)])
    assert not thread.wait_until_safe(0.8)
    assert sink.records == []
    is_ours.set()
    assert thread.wait_until_safe(10.0)
    assert sink.records == [make_alert(1)]
    thread.close()
