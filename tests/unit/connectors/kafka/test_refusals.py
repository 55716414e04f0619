"""Why somebody is not let in, said before a run; and a refusal in a run, which passes."""

import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from apache_kafka import ApacheKafka
from certificates import Authority
from clips import picture
from factories import make_sighting, make_stamp
from kafka import KafkaConsumer
from kafka.admin import ACLOperation, ResourceType
from kafka_broker import Broker, end_message, frame_message, wait_for
from kafka_sink import flush_at_last, sink_options
from kafka_source import frames, open_source, stamps

from connectors.kafka.client import client_options
from connectors.kafka.frame_publisher import FramePublisher
from connectors.kafka.preflight import Needed, why_not
from connectors.kafka.probe import why_unreachable
from connectors.pictures.encoded_image import Encoding
from connectors.sinks.kafka import KafkaSink
from pipeline.cli import alerts, publish
from pipeline.cli.run import run
from pipeline.core import Frame, TrackId
from pipeline.core.errors import ConfigError, SinkBusyError

pytestmark = pytest.mark.kafka

GROUP = ResourceType.GROUP
TOPIC = ResourceType.TOPIC
READ, WRITE, DESCRIBE = ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE
WITHIN_S = 10.0


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.make_topic()


def refusal(servers: str, topic: str, security: dict[str, object], **options: object) -> str:
    """Return why a source is refused; it must be said in time."""
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected a topic at kafka://.*, got ") as caught:
        open_source(servers, topic, security, **options).check()
    assert time.monotonic() - began < WITHIN_S
    assert "-secret" not in str(caught.value)
    return str(caught.value).split(", got ", 1)[1]


def assert_frames_and_events_pass(
    kafka: ApacheKafka, servers: str, security: dict[str, object], tmp_path: Path
) -> None:
    with kafka.admin() as admin:
        name = f"pass.{time.time_ns()}"
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    kafka.allow("reader", TOPIC, name, READ, WRITE, DESCRIBE)
    options = sink_options(servers, name, tmp_path, security)
    KafkaSink.check(**options)  # type: ignore[arg-type]
    sink = KafkaSink(**options)  # type: ignore[arg-type]
    sink.write([make_sighting()])
    sink.flush()
    sink.close()
    publisher = FramePublisher(
        client_options(servers, security, "test"),
        name,
        camera_id="east",
        partition=None,
        encoding=Encoding.PNG,
        quality=90,
        max_bytes=None,
    )
    for index in range(5):
        publisher.publish(Frame(make_stamp(index=index), picture(index)))
    publisher.end(make_stamp(index=4))
    publisher.flush()
    publisher.close()
    source = open_source(servers, name, security)
    source.check()
    assert [frame.stamp.index for frame in source.frames()] == [0, 1, 2, 3, 4]


def test_frames_and_events_pass_through_mutual_tls(kafka: ApacheKafka, tmp_path: Path) -> None:
    assert_frames_and_events_pass(kafka, kafka.tls_servers, kafka.tls_security(), tmp_path)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_frames_and_events_pass_with_a_password(kafka: ApacheKafka, tmp_path: Path, mechanism: str) -> None:
    assert_frames_and_events_pass(kafka, kafka.sasl_servers, kafka.sasl_security("reader", mechanism), tmp_path)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"])
def test_a_wrong_password_is_said_with_the_user(kafka: ApacheKafka, topic: str, mechanism: str) -> None:
    security = kafka.sasl_security("reader", mechanism, password="wrong-secret")
    assert "authentication failed for user reader" in refusal(kafka.sasl_servers, topic, security)


def test_an_unknown_authority_is_said_with_the_file(kafka: ApacheKafka, topic: str, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    security = {**kafka.sasl_security("reader"), "ca_file": str(other.path)}
    assert f"certificate not signed by {other.path}" in refusal(kafka.sasl_servers, topic, security)


def test_a_client_without_its_certificate_is_told_to_set_it(kafka: ApacheKafka, topic: str) -> None:
    security = {"protocol": "ssl", "ca_file": str(kafka.ca_file)}
    assert "asks for a certificate of the client" in refusal(kafka.tls_servers, topic, security)


def test_the_wrong_protocol_for_a_port_is_said(kafka: ApacheKafka, topic: str) -> None:
    tls, sasl = kafka.tls_security(), kafka.sasl_security("reader")
    assert "the port speaks TLS, security.protocol says plaintext" in refusal(kafka.tls_servers, topic, {})
    assert "the port speaks TLS, security.protocol says plaintext" in refusal(kafka.sasl_servers, topic, {})
    assert "the port speaks plain text, security.protocol says ssl" in refusal(kafka.servers, topic, tls)
    assert "the port speaks plain text, security.protocol says sasl_ssl" in refusal(kafka.servers, topic, sasl)
    assert "set security.protocol=sasl_ssl" in refusal(kafka.sasl_servers, topic, tls)


def test_a_port_where_nothing_listens_and_a_host_that_is_none_are_said(topic: str) -> None:
    assert "nothing listens there" in refusal("127.0.0.1:1", topic, {})
    assert "there is no host" in refusal("no-such-host.invalid:9092", topic, {"allow_plaintext": True})


def test_servers_that_say_nothing_are_asked_at_once(kafka: ApacheKafka, topic: str) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        servers = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in silent)
        assert refusal(servers, topic, {}).count("no answer in 3 s") == 4
        assert refusal(servers, topic, kafka.sasl_security("reader")).count("no answer in 3 s") == 4
        open_source(f"{servers},{kafka.servers}", topic, {}).check()


def test_a_name_that_no_topic_can_have_is_said(kafka: ApacheKafka) -> None:
    assert "'no%20pe', which is no name of a topic" in refusal(kafka.servers, "no%20pe", {})


def test_a_right_that_is_missing_is_named_with_user_and_topic(kafka: ApacheKafka, topic: str) -> None:
    security = kafka.sasl_security("reader")
    assert f"user reader may not Describe {topic}" in refusal(kafka.sasl_servers, topic, security)
    kafka.allow("reader", TOPIC, topic, DESCRIBE)
    assert f"user reader may not Read from {topic}" in refusal(kafka.sasl_servers, topic, security)
    kafka.allow("reader", TOPIC, topic, READ)
    open_source(kafka.sasl_servers, topic, security).check()
    assert f"user reader may not Read group {topic}" in refusal(kafka.sasl_servers, topic, security, group=topic)
    kafka.allow("reader", GROUP, topic, READ)
    open_source(kafka.sasl_servers, topic, security, group=topic).check()
    letters = f"{topic}.dead"
    assert f"user reader may not Describe {letters}" in refusal(
        kafka.sasl_servers, topic, security, dead_letters=letters
    )


def test_a_group_that_somebody_subscribed_with_is_refused(kafka: ApacheKafka, topic: str) -> None:
    with closing(
        KafkaConsumer(topic, bootstrap_servers=kafka.servers, group_id=topic, auto_offset_reset="earliest")
    ) as consumer:
        wait_for(lambda: consumer.poll(500) or consumer.assignment())
        said = refusal(kafka.servers, topic, {}, group=topic)
    assert f"group {topic} has 1 members that subscribed" in said


def test_a_sink_says_before_the_run_what_it_may_not_do(kafka: ApacheKafka, topic: str, tmp_path: Path) -> None:
    security = kafka.sasl_security("writer")
    kafka.allow("writer", TOPIC, topic, DESCRIBE)
    with pytest.raises(ConfigError, match=rf"sink\.kafka: expected .* got user writer may not Write to {topic}"):
        KafkaSink.check(**sink_options(kafka.sasl_servers, topic, tmp_path, security))  # type: ignore[arg-type]
    options = sink_options(kafka.servers, f"{topic}.new", tmp_path, {}, replication=5)
    with pytest.raises(ConfigError, match=r"replication 5 for .* but 1 brokers"):
        KafkaSink.check(**options)  # type: ignore[arg-type]


def test_a_run_ends_with_exit_code_2_and_one_line(
    kafka: ApacheKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.sasl_servers)
    began = time.monotonic()
    camera = f"site.cameras={{east: 'kafka://{kafka.servers}/{topic}'}}"
    code = run(["site=empty", camera, "sink=[kafka]", "runtime=inline", f"output_dir={tmp_path / 'out'}"])
    assert (code, time.monotonic() - began < 15) == (2, True)
    error = capsys.readouterr().err
    assert "the port speaks TLS, security.protocol says plaintext" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_cameras_and_sinks_are_asked_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in silent]
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", addresses[3])
        cameras = ", ".join(f"c{number}: 'kafka://{address}/t'" for number, address in enumerate(addresses[:3]))
        began = time.monotonic()
        words = ["site=empty", f"site.cameras={{{cameras}}}", "sink=[kafka]", "detector=passerby", "runtime=inline"]
        assert run([*words, f"output_dir={tmp_path / 'out'}"]) == 2
        assert time.monotonic() - began < 9.0  # one after the other, four of them take 12 s
    assert "site.cameras.c0: expected a topic at " in capsys.readouterr().err


def test_publishing_says_why_it_cannot(
    kafka: ApacheKafka, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), np.zeros((48, 64, 3), np.uint8))
    code = publish.main(["--camera", "east", "--source", str(folder), "--to", f"kafka://{kafka.tls_servers}/{topic}"])
    assert code == 2
    assert "the port speaks TLS, security.protocol says plaintext" in capsys.readouterr().err


def test_an_operator_who_may_not_read_alerts_is_told_at_once(
    kafka: ApacheKafka, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    security = [f"source.kafka.security.{key}={value}" for key, value in kafka.sasl_security("reader").items()]
    began = time.monotonic()
    code = alerts.main(["tail", "--once", "--servers", kafka.sasl_servers, "--topic", topic, *security])
    assert code == 2
    assert f"user reader may not Describe {topic}" in capsys.readouterr().err
    assert time.monotonic() - began < WITHIN_S


def test_nothing_is_written_by_asking(broker: Broker, topic: str) -> None:
    needed = [Needed("topic", topic, ("Write", "Describe")), Needed("group", topic, ("Read",))]
    assert why_not(client_options(broker.servers, {}, "test"), needed) is None
    assert why_unreachable(client_options(broker.servers, {}, "test")) is None
    assert broker.read(topic) == []


# In a run, a refusal is weather.


def test_a_right_that_is_taken_away_for_a_while_loses_no_event(
    kafka: ApacheKafka, broker: Broker, topic: str, tmp_path: Path
) -> None:
    kafka.allow("writer", TOPIC, topic, WRITE, DESCRIBE)
    sink = KafkaSink(**sink_options(kafka.sasl_servers, topic, tmp_path, kafka.sasl_security("writer")))  # type: ignore[arg-type]
    sent = [make_sighting(1, TrackId("east", 0, index)) for index in range(40)]
    sink.write(sent[:10])
    sink.flush()
    kafka.forbid("writer", TOPIC, topic, WRITE)
    for each in sent[10:30]:
        sink.write([each])
    with pytest.raises(SinkBusyError, match=f"user writer may not Write to {topic}; kafka-acls.sh .* grants it"):
        sink.flush()
    kafka.allow("writer", TOPIC, topic, WRITE)
    sink.write(sent[30:])
    flush_at_last(sink)
    keys = [dict(message.headers)["event_key"] for message in broker.read(topic, 40)]
    assert sorted(keys) == sorted(f"sighting/east/0/{index}/0".encode() for index in range(40))
    sink.close()


def test_a_user_who_may_write_nowhere_any_more_is_told_where_to(kafka: ApacheKafka, topic: str, tmp_path: Path) -> None:
    kafka.allow("guest", TOPIC, topic, WRITE, DESCRIBE)
    sink = KafkaSink(**sink_options(kafka.sasl_servers, topic, tmp_path, kafka.sasl_security("guest")))  # type: ignore[arg-type]
    kafka.forbid("guest", TOPIC, topic, WRITE)  # a broker lets no such user begin to write
    sink.write([make_sighting()])
    with pytest.raises(SinkBusyError, match=f"user guest may not Write to {topic}"):
        sink.flush()
    kafka.allow("guest", TOPIC, topic, WRITE)
    flush_at_last(sink)
    sink.close()


def test_a_password_is_read_anew_from_its_file(kafka: ApacheKafka, broker: Broker, topic: str, tmp_path: Path) -> None:
    kafka.allow("writer", TOPIC, topic, WRITE, DESCRIBE)
    security = kafka.sasl_security("writer", password="not yet-secret")
    sink = KafkaSink(**sink_options(kafka.sasl_servers, topic, tmp_path, security, open_timeout_s=2.0))  # type: ignore[arg-type]
    sink.write([make_sighting()])
    with pytest.raises(SinkBusyError, match="authentication failed for user writer"):
        sink.flush()
    Path(str(security["password_file"])).write_text("writer-secret")
    flush_at_last(sink)
    assert len(broker.read(topic, 1)) == 1
    sink.close()


def test_an_event_that_is_too_large_blocks_no_other(kafka: ApacheKafka, broker: Broker, tmp_path: Path) -> None:
    name = f"small.{time.time_ns()}"
    with kafka.admin() as admin:
        admin.create_topics(
            {name: {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "2500"}}}
        )
    sink = KafkaSink(**sink_options(kafka.servers, name, tmp_path, {}, dead_letters=f"{name}.dead"))  # type: ignore[arg-type]
    large = make_sighting(1, TrackId("e" * 5000, 0, 1))
    sink.write([make_sighting(1, TrackId("east", 0, 0)), large, make_sighting(1, TrackId("east", 0, 2))])
    flush_at_last(sink)
    assert len(broker.read(name, 2)) == 2
    assert sink.num_dead == 1
    sink.close()


def test_a_topic_that_is_deleted_under_a_sink_is_made_anew(kafka: ApacheKafka, broker: Broker, tmp_path: Path) -> None:
    name = f"gone.{time.time_ns()}"
    sink = KafkaSink(**sink_options(kafka.servers, name, tmp_path, {}, open_timeout_s=2.0, flush_timeout_s=2.0))  # type: ignore[arg-type]
    sink.write([make_sighting(1, TrackId("east", 0, 0))])
    sink.flush()
    with kafka.admin() as admin:
        admin.delete_topics([name])
    time.sleep(1.0)
    began = time.monotonic()
    sink.write([make_sighting(1, TrackId("east", 0, 1))])
    flush_at_last(sink)
    assert time.monotonic() - began < 15
    keys = {dict(message.headers)["event_key"] for message in broker.read(name, 1)}
    assert keys == {b"sighting/east/0/1/0"}
    sink.close()


def test_dead_letters_that_may_not_be_written_cost_no_frame(kafka: ApacheKafka, broker: Broker, topic: str) -> None:
    kafka.allow("reader", TOPIC, topic, READ, DESCRIBE)
    sent = [frame_message(frame) for frame in frames(20)]
    broker.write(topic, [*sent[:10], (b"east", b"no frame", sent[0][2]), *sent[10:], end_message()])
    source = open_source(
        kafka.sasl_servers, topic, kafka.sasl_security("reader"), dead_letters=f"{topic}.dead", read_timeout_s=30.0
    )
    assert [index for index, _ in stamps(source)] == list(range(20))
    assert source.num_bad == 1


def test_a_recording_goes_on_when_its_right_comes_back(kafka: ApacheKafka, broker: Broker, topic: str) -> None:
    kafka.allow("reader", TOPIC, topic, READ, DESCRIBE)
    broker.write(topic, [*map(frame_message, frames(5))])
    received = open_source(kafka.sasl_servers, topic, kafka.sasl_security("reader")).frames()
    taken = [next(received).stamp.index for _ in range(5)]
    kafka.forbid("reader", TOPIC, topic, READ)
    broker.write(topic, [*map(frame_message, frames(5, first=5)), end_message()])
    time.sleep(1.0)
    kafka.allow("reader", TOPIC, topic, READ)
    assert taken + [frame.stamp.index for frame in received] == list(range(10))
