"""A program that knows only the AsyncAPI document reads our messages, and we read its messages."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import confluent_kafka
import cv2
import jsonschema
import numpy as np
import pytest
import yaml
from clips import picture
from factories import make_sighting, make_stamp
from kafka_broker import Broker, Message, end_message, frame_message
from kafka_source import make_source, publish

from connectors.kafka.alert_topic import AlertTopic
from connectors.kafka.frame_message import Fault
from connectors.pictures.encoded_image import Encoding
from connectors.sinks.kafka import KafkaSink
from pipeline.core import Alert, Correction, CorrectionKind, Frame, Severity, TrackId, TrackPart
from pipeline.ledger.codec import to_dict

SCHEMAS = Path(__file__).resolve().parents[3] / "connectors/schemas"
TRACK = TrackId("east", 0, 1)
RECORDS = {
    "tracklets": make_sighting(4, TRACK),
    "sightings": make_sighting(4, TRACK),
    "corrections": Correction(CorrectionKind.SPLIT, (4, 5), "rule", 7.0, (TrackPart(TRACK, 0),)),
    "alerts": Alert("dwell/4/4.5", "dwell", Severity.WARNING, 4, "east", 4.5, 6.0, "Stays.", (TRACK,)),
}


class Reader:
    """Checks messages by the AsyncAPI document alone."""

    def __init__(self) -> None:
        self.document = yaml.safe_load((SCHEMAS / "passerby.asyncapi.yaml").read_text())

    def described(self, channel: str) -> dict[str, Any]:
        ((_, reference),) = self.document["channels"][channel]["messages"].items()
        described: dict[str, Any] = self.resolved(reference)
        return described

    def resolved(self, node: Any) -> Any:
        """Return a node with all references replaced by what they name."""
        if isinstance(node, list):
            return [self.resolved(each) for each in node]
        if not isinstance(node, Mapping):
            return node
        if "$ref" not in node:
            return {name: self.resolved(each) for name, each in node.items()}
        if not node["$ref"].startswith("#/"):
            return json.loads((SCHEMAS / node["$ref"]).read_text())
        found: Any = self.document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return self.resolved(found)

    def check(self, channel: str, message: Message) -> Any:
        """Return the content of the value: an object, or the pixels of a picture."""
        key, value, headers = message
        described = self.described(channel)
        texts = {name: text.decode() for name, text in headers}
        jsonschema.validate(texts, self.resolved(described["headers"]))
        if "bindings" in described:
            assert key is not None
            jsonschema.validate(key.decode(), described["bindings"]["kafka"]["key"])
        if described["contentType"] == "application/json":
            content = json.loads(value)
            jsonschema.validate(content, self.resolved(described["payload"]))
            return content
        if not value or texts["encoding"] == "h264":
            return None
        return cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR_RGB)


def read(broker: Broker, topic: str, count: int) -> list[Message]:
    """Return the messages of a topic as librdkafka reads them, which shares no code with our client library."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.servers, "group.id": topic})
    found: list[Message] = []
    try:
        numbers = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in numbers])
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is not None:
                assert message.error() is None, message.error()
                found.append((message.key(), message.value() or b"", message.headers() or []))
    finally:
        consumer.close()
    assert len(found) == count
    return found


def write(broker: Broker, topic: str, messages: list[Message]) -> None:
    """Write messages as librdkafka does."""
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.servers})
    for key, value, headers in messages:
        producer.produce(topic, value, key, headers=headers)
    assert producer.flush(30) == 0


@pytest.mark.parametrize("encoding", [Encoding.JPEG, Encoding.PNG])
def test_a_reader_decodes_our_frames(encoding: Encoding) -> None:
    frame = Frame(make_stamp(index=3), picture(3))
    seen = Reader().check("frames", frame_message(frame, encoding))
    assert abs(seen.astype(int) - frame.image).mean() < 3


def test_a_reader_recognises_the_end_mark() -> None:
    assert Reader().check("frames", end_message()) is None


@pytest.mark.kafka
def test_a_reader_decodes_our_access_units(broker: Broker) -> None:
    topic = broker.make_topic()
    publish(broker, topic, [Frame(make_stamp(index=index), picture(index)) for index in range(12)], Encoding.H264)
    messages = read(broker, topic, 13)
    decoder = av.CodecContext.create("h264", "r")
    pictures = []
    for message in messages[:-1]:
        Reader().check("frames", message)
        pictures += decoder.decode(av.Packet(message[1]))
    pictures += decoder.decode(None)
    assert len(pictures) == 12
    for index, seen in enumerate(pictures):
        assert abs(seen.to_ndarray(format="rgb24").astype(int) - picture(index)).mean() < 5


@pytest.mark.kafka
def test_a_reader_parses_our_events(broker: Broker, tmp_path: Path) -> None:
    topic = broker.make_topic()
    sink = KafkaSink(
        servers=broker.servers,
        topics={kind: f"{topic}.{kind}" for kind in RECORDS},
        outbox=str(tmp_path / "outbox.sqlite"),
        security={},
        partitions=1,
        replication=1,
        dead_letters=None,
        max_waiting=10,
        open_timeout_s=2.0,
        flush_timeout_s=5.0,
    )
    sink.write([RECORDS[kind] for kind in ("sightings", "corrections", "alerts")])
    sink.flush()
    sink.close()
    for kind in RECORDS:
        (message,) = read(broker, f"{topic}.{kind}", 1)
        assert Reader().check(kind, message)["event"] == kind[:-1]


@pytest.mark.kafka
@pytest.mark.parametrize("encoding", list(Encoding))
def test_a_reader_parses_what_is_published(broker: Broker, encoding: Encoding) -> None:
    topic = broker.make_topic()
    publish(broker, topic, [Frame(make_stamp(index=index), picture(index)) for index in range(5)], encoding)
    *sent, end = read(broker, topic, 6)
    for message in sent:
        Reader().check("frames", message)
    assert dict(end[2])["encoding"] == b"end"
    assert Reader().check("frames", end) is None


@pytest.mark.kafka
def test_an_acknowledgement_is_written_and_read_by_either_side(broker: Broker) -> None:
    topic = broker.make_topic()
    alert = RECORDS["alerts"]
    key, body = alert.key.encode(), to_dict(alert)  # type: ignore[union-attr, arg-type]
    headers = [("schema", b"1"), ("event_key", b"alert/1")]
    write(broker, topic, [(key, json.dumps(body).encode(), headers)])
    alerts = AlertTopic({"bootstrap_servers": broker.servers}, topic)
    alerts.acknowledge(alert.key, "ann")  # type: ignore[union-attr]
    (own,) = [message for message in read(broker, topic, 2) if message[0] != key]
    assert Reader().check("alerts", own)["state"] == "acknowledged"
    value = json.dumps({**body, "state": "acknowledged"}).encode()
    write(broker, topic, [(own[0], value, [*headers, ("by", b"desk")])])
    assert alerts.standing()[alert.key].by == "desk"  # type: ignore[union-attr]


@pytest.mark.kafka
def test_a_reader_parses_our_dead_letters(broker: Broker) -> None:
    topic = broker.make_topic()
    broker.write(topic, [(b"east", b"", []), frame_message(Frame(make_stamp(), picture(0))), end_message()])
    assert len(list(make_source(broker, topic).frames())) == 1
    (letter,) = read(broker, f"{topic}.dead", 1)
    Reader().check("deadLetters", letter)


@pytest.mark.kafka
def test_a_frame_as_in_the_example_of_the_document_is_read(broker: Broker) -> None:
    (example,) = Reader().described("frames")["examples"]
    texts = example["headers"]
    image = np.full((int(texts["height"]), int(texts["width"]), 3), 200, np.uint8)
    value = cv2.imencode(".jpg", image)[1].tobytes()
    topic = broker.make_topic()
    headers = [(name, text.encode()) for name, text in texts.items()]
    write(broker, topic, [(texts["camera_id"].encode(), value, headers), end_message()])
    (frame,) = make_source(broker, topic).frames()
    assert (frame.stamp.index, frame.stamp.captured_at) == (17, 1767225600.25)
    assert abs(frame.image.astype(int) - 200).max() < 5


def test_every_fault_is_described() -> None:
    headers = Reader().described("deadLetters")["headers"]
    assert set(headers["properties"]["fault"]["enum"]) == set(Fault)


def test_the_topics_are_those_of_the_configuration() -> None:
    channels = Reader().document["channels"]
    root = SCHEMAS.parents[1]
    sink = yaml.safe_load((root / "configs/sink/kafka.yaml").read_text())["kafka"]
    source = yaml.safe_load((root / "configs/source/kafka.yaml").read_text())["kafka"]
    addresses = {kind: channels[kind]["address"] for kind in RECORDS}
    assert addresses == {**sink["topics"], "tracklets": "passerby.tracklets"}
    assert sink["topics"]["tracklets"] is None
    assert channels["deadLetters"]["address"] == source["dead_letters"]
