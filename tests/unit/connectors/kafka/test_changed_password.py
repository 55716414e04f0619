"""A password that is changed on the broker, or a right that is taken away, while a run writes and reads."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from apache_kafka import USERS, ApacheKafka
from factories import make_sighting
from kafka.admin import ACLOperation, ResourceType, ScramMechanism, UserScramCredentialUpsertion
from kafka_broker import Broker, end_message, frame_message, wait_for
from kafka_sink import flush_at_last, sink_options
from kafka_source import frames, open_source

from connectors.sinks.kafka import KafkaSink
from pipeline.core import TrackId
from pipeline.core.errors import SinkBusyError

pytestmark = pytest.mark.kafka

USER = "guest"


def set_password(kafka: ApacheKafka, password: str) -> None:
    with kafka.admin() as admin:
        admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(USER, ScramMechanism.SCRAM_SHA_512, password.encode(), iterations=4096)]
        )


@pytest.fixture
def password(kafka: ApacheKafka) -> Iterator[None]:
    yield
    set_password(kafka, USERS[USER])


@pytest.mark.usefixtures("password")
def test_events_and_frames_wait_for_the_new_password_and_the_cause_is_said(
    kafka: ApacheKafka, broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    topic, of_frames = broker.make_topic(), broker.make_topic()
    for each in (topic, of_frames):
        kafka.allow(USER, ResourceType.TOPIC, each, ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE)
    security = kafka.sasl_security(USER, "SCRAM-SHA-512")
    options = sink_options(kafka.sasl_servers, topic, tmp_path, security, open_timeout_s=2.0, flush_timeout_s=1.0)
    sink = KafkaSink(**options)  # type: ignore[arg-type]
    sink.write([make_sighting(1, TrackId("east", 0, 0))])
    flush_at_last(sink)
    sent = frames(20)
    broker.write(of_frames, [*map(frame_message, sent[:10])])
    source = open_source(kafka.sasl_servers, of_frames, security)
    received: list[int] = []
    reading = Thread(target=lambda: received.extend(frame.stamp.index for frame in source.frames()))
    reading.start()
    wait_for(lambda: len(received) == 10)
    set_password(kafka, "changed-secret")
    time.sleep(3.0)  # until the connections have to say it
    sink.write([make_sighting(1, TrackId("east", 0, index)) for index in range(1, 20)])
    began = time.monotonic()
    said = ""
    with caplog.at_level(logging.INFO):
        while "authentication failed" not in said and time.monotonic() - began < 20:
            with pytest.raises(SinkBusyError) as busy:
                sink.flush()
            said = str(busy.value)
            time.sleep(0.2)
    assert "authentication failed for user guest; check name and password" in said
    assert time.monotonic() - began < 10
    broker.write(of_frames, [*map(frame_message, sent[10:]), end_message()])
    Path(str(security["password_file"])).write_text("changed-secret")
    flush_at_last(sink)
    reading.join(30)
    sink.close()
    assert received == list(range(20))
    keys = [dict(message.headers)["event_key"] for message in broker.read(topic, 20)]
    assert sorted(keys) == sorted(f"sighting/east/0/{index}/0".encode() for index in range(20))
    assert "authentication failed for user guest" in caplog.text
    assert "Unable to bootstrap" not in caplog.text


def test_a_recording_waits_for_its_right_and_the_user_is_named(
    kafka: ApacheKafka, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    topic = broker.make_topic()
    kafka.allow("reader", ResourceType.TOPIC, topic, ACLOperation.READ, ACLOperation.DESCRIBE)
    sent = frames(20)
    broker.write(topic, [*map(frame_message, sent[:10])])
    source = open_source(kafka.sasl_servers, topic, kafka.sasl_security("reader"))
    received: list[int] = []
    reading = Thread(target=lambda: received.extend(frame.stamp.index for frame in source.frames()))
    reading.start()
    wait_for(lambda: len(received) == 10)
    kafka.forbid("reader", ResourceType.TOPIC, topic, ACLOperation.READ)
    time.sleep(1.0)  # a request that was let in may still be open
    broker.write(topic, [*map(frame_message, sent[10:]), end_message()])
    wait_for(lambda: f"user reader may not Read from {topic}" in caplog.text, 15)
    kafka.allow("reader", ResourceType.TOPIC, topic, ACLOperation.READ)
    reading.join(30)
    assert received == list(range(20))
