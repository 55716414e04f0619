import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from factories import make_sighting
from kafka_broker import Broker
from kafka_sink import flush_at_last
from plugins import ROOT
from small_brokers import Need
from tcp_proxy import TcpProxy

from connectors.kafka.event_message import event_messages
from connectors.kafka.outbox import Outbox
from connectors.sinks.kafka import STALL_S, KafkaSink
from pipeline.core import Alert, AlertState, Correction, CorrectionKind, Record, Severity, Sighting, TrackId, TrackPart
from pipeline.core.errors import ConfigError, SinkBusyError
from pipeline.ledger.codec import to_dict

pytestmark = [pytest.mark.kafka]

TRACK = TrackId("east", 0, 1)
SIGHTING = make_sighting(4, TRACK)
CORRECTION = Correction(CorrectionKind.MERGED, (4, 5), "rule", 7.0, (TrackPart(TRACK, 0),))
ALERT = Alert("dwell/4/4.5", "dwell", Severity.WARNING, 4, "east", 4.5, 6.0, "Stays.", (TRACK,))

Make = Callable[..., KafkaSink]

HANGS_S = STALL_S + 2.0
"""Seconds for which a broker hangs: longer than the sink waits before it looks what is wrong."""


def sightings(count: int, first: int = 0) -> list[Sighting]:
    return [make_sighting(1 + i % 5, TrackId("east", 0, i)) for i in range(first, first + count)]


@pytest.fixture
def topic(broker: Broker) -> str:
    """Prefix of the names of a test's topics."""
    return broker.make_topic()


@pytest.fixture
def make(broker: Broker, topic: str, tmp_path: Path) -> Iterator[Make]:
    made: list[KafkaSink] = []

    def make_sink(**options: object) -> KafkaSink:
        defaults = {
            "servers": broker.servers,
            "topics": {kind: f"{topic}.{kind}" for kind in ("sightings", "corrections", "alerts")},
            "outbox": str(tmp_path / "outbox.sqlite"),
            "security": {},
            "partitions": 4,
            "replication": 1,
            "dead_letters": f"{topic}.dead",
            "max_waiting": 1000,
            "open_timeout_s": 1.0,
            "flush_timeout_s": 5.0,
        }
        made.append(KafkaSink(**{**defaults, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make_sink
    for sink in made:
        sink.close()


def event_keys(broker: Broker, topic: str, count: int | None = None) -> list[str]:
    return [dict(message.headers)["event_key"].decode() for message in broker.read(topic, count)]


@pytest.mark.parametrize(
    ("record", "kind", "key", "event_key"),
    [
        (SIGHTING, "sightings", b"4", "sighting/east/0/1/0"),
        (CORRECTION, "corrections", b"4", "correction/merged/7.000000/"),
        (ALERT, "alerts", b"dwell/4/4.5", "alert/dwell/4/4.5/1"),
    ],
    ids=["sighting", "correction", "alert"],
)
def test_a_record_arrives_as_its_schema_says(
    broker: Broker, topic: str, make: Make, record: Record, kind: str, key: bytes, event_key: str
) -> None:
    sink = make()
    sink.write([record])
    sink.flush()
    (message,) = broker.read(f"{topic}.{kind}", 1)
    body = json.loads(message.value)
    jsonschema.validate(body, json.loads((ROOT / f"connectors/schemas/{kind[:-1]}.schema.json").read_text()))
    assert body == to_dict(record)
    assert message.key == key
    headers = {name: value.decode() for name, value in message.headers}
    assert headers["schema"] == "1"
    assert headers["event_key"].startswith(event_key)


def test_what_a_killed_process_had_sent_without_an_answer_is_not_sent_again(
    broker: Broker, topic: str, make: Make, tmp_path: Path
) -> None:
    sink = make()
    sink.write(sightings(20))
    sink.flush()
    waiting = Outbox(tmp_path / "killed.sqlite")  # as it was before the answers were noted, and one more
    waiting.put(event_messages(sightings(21), {"sightings": f"{topic}.sightings"}))
    waiting.close()
    after = make(outbox=str(tmp_path / "killed.sqlite"))
    flush_at_last(after)
    keys = event_keys(broker, f"{topic}.sightings")
    assert sorted(keys) == sorted({f"sighting/east/0/{number}/0" for number in range(21)})
    assert len(after._outbox) == 0


def test_events_of_a_person_stay_in_order(broker: Broker, topic: str, make: Make) -> None:
    sink = make()
    sent = sightings(200)
    for start in range(0, 200, 20):
        sink.write(sent[start : start + 20])
    sink.flush()
    received = broker.read(f"{topic}.sightings", 200)
    for person_id in range(1, 6):
        tracks = [json.loads(message.value)["track"] for message in received if message.key == str(person_id).encode()]
        assert tracks == [str(each.track_id) for each in sent if each.person_id == person_id]


def test_the_topic_of_alerts_is_compacted(broker: Broker, topic: str, make: Make) -> None:
    sink = make()
    sink.write([SIGHTING])
    sink.flush()
    assert broker.setting(f"{topic}.alerts", "cleanup.policy") == "compact"
    assert broker.setting(f"{topic}.sightings", "cleanup.policy") != "compact"


def test_how_long_made_topics_keep_events_is_set_and_said(
    broker: Broker, topic: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    sink = make(retention_s=86400)
    sink.write([SIGHTING])
    sink.flush()
    assert f"topic {topic}.sightings created: 4 partitions, 1 copies, kept for 24 hours" in caplog.text
    assert f"topic {topic}.alerts created: 4 partitions, 1 copies, compacted" in caplog.text
    assert broker.setting(f"{topic}.sightings", "retention.ms") == "86400000"
    with pytest.raises(ConfigError, match=r"sink\.kafka\.retention_s: expected null or seconds above 0"):
        make(retention_s=0)


def test_every_state_of_an_alert_has_the_same_key(broker: Broker, topic: str, make: Make) -> None:
    sink = make()
    states = [ALERT.state, AlertState.AMENDED, AlertState.RETRACTED, ALERT.state]
    alerts = [replace(ALERT, state=state, revision=number) for number, state in enumerate(states, start=1)]
    for alert in (*alerts, alerts[1]):
        sink.write([alert])
        sink.flush()
    messages = broker.read(f"{topic}.alerts", 4)
    assert {message.key for message in messages} == {b"dwell/4/4.5"}
    told = ["raised", "amended", "retracted", "raised"]
    assert [json.loads(message.value)["state"] for message in messages] == told
    assert event_keys(broker, f"{topic}.alerts", 4) == [f"alert/dwell/4/4.5/{number}" for number in range(1, 5)]


def test_kinds_without_a_topic_are_not_sent(broker: Broker, topic: str, make: Make) -> None:
    sink = make(topics={"alerts": f"{topic}.alerts", "sightings": None})
    sink.write([SIGHTING, CORRECTION, ALERT])
    sink.flush()
    assert len(broker.read(f"{topic}.alerts", 1)) == 1
    assert broker.read(f"{topic}.sightings") == []


def test_events_that_an_earlier_run_delivered_are_not_delivered_again(broker: Broker, topic: str, make: Make) -> None:
    first = make()
    first.write(sightings(10))
    first.flush()
    first.close()
    again = make()
    again.write(sightings(15))
    again.flush()
    assert event_keys(broker, f"{topic}.sightings") == event_keys(broker, f"{topic}.sightings", 15)


def test_events_that_an_earlier_run_could_not_deliver_are_delivered_by_the_next(
    broker: Broker, topic: str, make: Make
) -> None:
    absent = make(servers="127.0.0.1:1", open_timeout_s=0.2)
    absent.write(sightings(10))
    absent.close()
    after = make()
    after.flush()
    assert len(event_keys(broker, f"{topic}.sightings", 10)) == 10


def test_without_a_broker_events_wait_on_the_disk_up_to_a_limit(make: Make) -> None:
    sink = make(servers="127.0.0.1:1", open_timeout_s=0.2, max_waiting=25)
    sink.write(sightings(20))
    with pytest.raises(SinkBusyError, match=r"sink\.kafka: expected 127\.0\.0\.1:1 to take 20 events") as busy:
        sink.flush()
    assert busy.value.retry_after_s > 0
    with pytest.raises(SinkBusyError):
        sink.write(sightings(10, first=20))
    sink.write(sightings(5, first=20))


def test_only_the_first_flush_waits_for_a_broker_that_is_down(make: Make) -> None:
    sink = make(servers="127.0.0.1:1", open_timeout_s=0.3)
    began = time.monotonic()
    for number in range(50):
        sink.write(sightings(1, first=number))
        with pytest.raises(SinkBusyError):
            sink.flush()
    assert time.monotonic() - began < 50 * 0.3


@pytest.fixture
def proxied(broker: Broker) -> Iterator[tuple[Broker, TcpProxy]]:
    """A broker behind a proxy: that of all tests if it can be, else one of its own."""
    if broker.apache is not None:
        with broker.behind_a_proxy() as proxy:
            yield broker, proxy
    else:
        broker.need(Need.ADVERTISED_ADDRESS)
        with TcpProxy() as proxy, Broker(advertised=proxy.address) as own:
            proxy.target = own.servers
            yield own, proxy


@pytest.mark.slow
def test_a_broker_that_hangs_for_a_while_gets_every_event_once(broker: Broker, topic: str, make: Make) -> None:
    if not broker.is_ours:
        pytest.skip("stops a broker of the tests only")
    sink = make(flush_timeout_s=1.0)
    sink.write(sightings(100))
    sink.flush()
    broker.freeze()
    try:
        began = time.monotonic()
        for number in range(100, 200, 10):
            sink.write(sightings(10, first=number))
            time.sleep(0.2)
        with pytest.raises(SinkBusyError):
            sink.flush()
        time.sleep(max(0.0, HANGS_S - (time.monotonic() - began)))
    finally:
        broker.thaw()
    flush_at_last(sink)
    keys = event_keys(broker, f"{topic}.sightings", 200)
    assert sorted(keys) == sorted(f"sighting/east/0/{i}/0" for i in range(200))


def test_cut_connections_lose_and_duplicate_no_event(proxied: tuple[Broker, TcpProxy], topic: str, make: Make) -> None:
    broker, proxy = proxied
    sink = make(servers=proxy.address)
    for number in range(0, 200, 10):
        sink.write(sightings(10, first=number))
        if number % 50 == 0:
            proxy.cut()
    flush_at_last(sink)
    keys = event_keys(broker, f"{topic}.sightings", 200)
    assert sorted(keys) == sorted(f"sighting/east/0/{i}/0" for i in range(200))
    sink.close()


def test_a_broker_without_its_data_gets_the_events_that_were_not_delivered(
    proxied: tuple[Broker, TcpProxy], topic: str, make: Make
) -> None:
    _, proxy = proxied
    sink = make(servers=proxy.address, flush_timeout_s=1.0)
    sink.write(sightings(10))
    sink.flush()
    with Broker(advertised=proxy.address) as second:
        proxy.target = second.servers
        proxy.cut()
        sink.write(sightings(10, first=10))
        flush_at_last(sink, 60)
        keys = event_keys(second, f"{topic}.sightings")
        assert set(keys) >= {f"sighting/east/0/{i}/0" for i in range(10, 20)}
        sink.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"topics": {"alarms": "x"}}, "alarms"),
        ({"topics": {"alerts": 7}}, "alerts"),
        ({"servers": "kafka.example:9092"}, "security.protocol"),
        ({"security": {"protocl": "ssl"}}, "protocl"),
    ],
)
def test_wrong_options_are_named_before_the_run(make: Make, options: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=rf"sink\.kafka.*{named}"):
        make(**options)
    with pytest.raises(ConfigError, match=rf"sink\.kafka.*{named}"):
        KafkaSink.preflight(**{"servers": "127.0.0.1:1", "topics": {}, "security": {}, **options})  # type: ignore[arg-type]


def test_a_tracklet_does_not_name_the_person(broker: Broker, topic: str, make: Make) -> None:
    sink = make(topics={"tracklets": f"{topic}.tracklets"})
    sink.write([SIGHTING, CORRECTION, ALERT])
    sink.flush()
    (message,) = broker.read(f"{topic}.tracklets")
    body = json.loads(message.value)
    schema = json.loads((ROOT / "connectors/schemas/tracklet.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(body)
    assert (message.key, dict(message.headers)["event_key"]) == (b"east", b"tracklet/east/0/1/0")
    assert [row["index"] for row in body["path"]] == SIGHTING.path.indices.tolist()
    assert "person" not in message.value.decode()
