"""Three brokers of Apache Kafka: leaders that die for good, restarts, copies, and too few brokers in step."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from apache_kafka import ApacheKafka, kafka_home
from clips import picture
from factories import make_sighting
from kafka import KafkaConsumer, TopicPartition
from kafka_broker import wait_for
from kafka_sink import flush_at_last, sink_options
from kafka_source import open_source

from connectors.kafka.client import ask, client_options
from connectors.kafka.frame_publisher import FramePublisher
from connectors.pictures.encoded_image import Encoding
from connectors.sinks.kafka import KafkaSink
from pipeline.core import Frame, FrameStamp, TrackId
from pipeline.core.errors import ConfigError, SinkBusyError

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ApacheKafka]:
    """Three brokers that notice within three seconds that one is gone."""
    home = kafka_home()
    if home is None:
        pytest.skip("needs Apache Kafka: KAFKA_HOME, or the development material, and Java")
    settings = ["broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500", "replica.lag.time.max.ms=3000"]
    kafka = ApacheKafka(home, num_brokers=3, settings=settings)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def name(cluster: ApacheKafka) -> Iterator[str]:
    """A name for topics; all brokers are up before and after."""
    yield f"t{time.time_ns()}"
    for number in cluster.ended():
        cluster.restart(number)


def make(cluster: ApacheKafka, name: str, leads_first: int = 1, **settings: str) -> None:
    """Create a topic of one partition on all three brokers."""
    brokers = sorted((1, 2, 3), key=lambda number: number != leads_first)
    with cluster.admin() as admin:
        spec = {"assignments": {0: brokers}, "configs": {**settings}}
        ask(lambda: admin.create_topics({name: spec}, timeout_ms=30_000))


def described(cluster: ApacheKafka, name: str) -> dict[str, object]:
    with cluster.admin() as admin:
        (topic,) = ask(lambda: admin.describe_topics([name]))
    partition: dict[str, object] = topic["partitions"][0]
    return partition


def leader(cluster: ApacheKafka, name: str) -> int:
    """Return the number of the broker that leads the only partition, once one does."""
    wait_for(lambda: described(cluster, name)["leader_id"] in cluster.running(), 60)
    return int(described(cluster, name)["leader_id"])  # type: ignore[call-overload]


def event_keys(cluster: ApacheKafka, name: str, count: int) -> list[str]:
    """Return the event keys of a topic once there are ``count`` different ones."""
    keys: list[str] = []
    with closing(KafkaConsumer(bootstrap_servers=cluster.servers, enable_auto_commit=False)) as consumer:
        consumer.assign([TopicPartition(name, 0)])
        consumer.seek_to_beginning()
        deadline = time.monotonic() + 30
        while len(set(keys)) < count and time.monotonic() < deadline:
            for messages in consumer.poll(500).values():
                keys += [dict(message.headers)["event_key"].decode() for message in messages]
    return keys


def test_a_leader_killed_for_good_and_two_restarts_cost_no_event_and_no_frame(
    cluster: ApacheKafka, name: str, tmp_path: Path
) -> None:
    of_frames = f"{name}.frames"
    for topic in (name, of_frames):
        make(cluster, topic, leads_first=2)
    sink = KafkaSink(**sink_options(cluster.servers, name, tmp_path, {}, max_waiting=10_000, open_timeout_s=2.0))  # type: ignore[arg-type]
    publisher = FramePublisher(
        client_options(cluster.servers, {}, "test"),
        of_frames,
        camera_id="east",
        partition=None,
        encoding=Encoding.JPEG,
        quality=90,
        max_bytes=None,
    )
    source = open_source(cluster.servers, of_frames, {}, read_timeout_s=60.0)
    received: list[int] = []
    done, began = threading.Event(), time.time()
    num_events = num_frames = 0

    def write() -> None:
        nonlocal num_events
        while not done.is_set():
            sink.write([make_sighting(1, TrackId("east", 0, num_events))])
            num_events += 1
            time.sleep(0.02)

    def publish() -> None:
        nonlocal num_frames
        while not done.is_set():
            stamp = FrameStamp("east", num_frames, began + num_frames / 20)
            publisher.publish(Frame(stamp, picture(num_frames)))
            num_frames += 1
            time.sleep(0.05)

    def read() -> None:
        received.extend(frame.stamp.index for frame in source.frames())

    threads = [threading.Thread(target=work) for work in (write, publish, read)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1.0)
        assert leader(cluster, name) == leader(cluster, of_frames) == 2
        cluster.signal(2, signal.SIGKILL)  # for good: it comes back after the test
        time.sleep(3.0)
        for number in sorted(cluster.running()):
            cluster.signal(number, signal.SIGKILL)
            cluster.restart(number)
            time.sleep(1.0)
    finally:
        done.set()
        threads[0].join()
        threads[1].join()
    publisher.end(FrameStamp("east", num_frames - 1, began + num_frames / 20))
    publisher.flush()
    publisher.close()
    flush_at_last(sink, 90)
    threads[2].join(60)
    assert num_events > 150
    assert set(event_keys(cluster, name, num_events)) == {f"sighting/east/0/{i}/0" for i in range(num_events)}
    assert sink.num_dead == 0
    sink.close()
    assert num_frames > 30
    assert received == list(range(num_frames))
    assert source.num_bad == 0


def assert_a_run_may_begin(cluster: ApacheKafka, name: str, folder: Path) -> None:
    KafkaSink.check(**sink_options(cluster.servers, name, folder, {}))  # type: ignore[arg-type]
    open_source(cluster.servers, name, {}).check()


def test_too_few_brokers_in_step_keep_events_in_the_outbox_and_say_so(
    cluster: ApacheKafka, name: str, tmp_path: Path
) -> None:
    make(cluster, name, **{"min.insync.replicas": "3"})
    sink = KafkaSink(**sink_options(cluster.servers, name, tmp_path, {}, flush_timeout_s=5.0))  # type: ignore[arg-type]
    sink.write([make_sighting(1, TrackId("east", 0, 0))])
    flush_at_last(sink)
    follower = next(number for number in cluster.running() if number != leader(cluster, name))
    cluster.signal(follower, signal.SIGKILL)
    wait_for(lambda: len(described(cluster, name)["isr_nodes"]) == 2, 60)  # type: ignore[arg-type]
    sink.write([make_sighting(1, TrackId("east", 0, index)) for index in range(1, 11)])
    deadline = time.monotonic() + 30
    while "2 of 3 copies in step" not in (sink.report().refusal or "") and time.monotonic() < deadline:
        with pytest.raises(SinkBusyError):
            sink.flush()
        time.sleep(0.5)
    assert sink.report().num_waiting == 10
    assert f"2 of 3 copies in step for partition 0 of topic {name}" in str(sink.report().refusal)
    assert_a_run_may_begin(cluster, name, tmp_path / "other")
    cluster.restart(follower)
    flush_at_last(sink, 60)
    assert sorted(set(event_keys(cluster, name, 11))) == sorted(f"sighting/east/0/{i}/0" for i in range(11))
    sink.close()


def test_made_topics_have_as_many_copies_as_the_cluster_says(cluster: ApacheKafka, name: str, tmp_path: Path) -> None:
    sink = KafkaSink(**sink_options(cluster.servers, name, tmp_path, {}))  # type: ignore[arg-type]
    sink.write([make_sighting()])
    flush_at_last(sink)
    sink.close()
    assert len(described(cluster, name)["replica_nodes"]) == 3  # type: ignore[arg-type]


def test_more_copies_than_brokers_are_refused_before_the_run(cluster: ApacheKafka, name: str, tmp_path: Path) -> None:
    options = sink_options(cluster.servers, name, tmp_path, {}, replication=5)
    with pytest.raises(ConfigError, match=rf"replication 5 for {name}, but 3 brokers; set replication to 3 or null"):
        KafkaSink.check(**options)  # type: ignore[arg-type]
