"""Speed of frames through Kafka, compared with OpenCV and kafka-python, and librdkafka, in a bare loop."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import confluent_kafka
import cv2
import numpy as np
from factories import make_stamp
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka_broker import Broker
from kafka_source import make_source, publish

from pipeline.core import Frame

NUM_FRAMES = 300
HW = (576, 768)
ROUNDS = 5


def make_frames() -> list[Frame]:
    """Make frames that compress about as well as those of a camera."""
    rng = np.random.default_rng(0)
    soft = cv2.GaussianBlur(rng.integers(0, 256, (*HW, 3), np.uint8), (0, 0), 2.0)
    return [Frame(make_stamp(index=i), np.roll(soft, 7 * i, axis=1)) for i in range(NUM_FRAMES)]


def publish_bare(broker: Broker, topic: str, frames: list[Frame]) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.servers, max_request_size=2_000_000)) as producer:
        futures = []
        for frame in frames:
            picture = cv2.cvtColor(np.asarray(frame.image), cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            futures.append(producer.send(topic, data, key=b"east"))
        for future in futures:
            future.get(30)


def read(broker: Broker, topic: str) -> None:
    source = make_source(broker, topic, dead_letters=None, read_timeout_s=30.0)
    assert sum(1 for _ in source.frames()) == NUM_FRAMES


def read_bare(broker: Broker, topic: str) -> None:
    options = {"bootstrap_servers": broker.servers, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    with closing(KafkaConsumer(**options)) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.partitions_for_topic(topic)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        num_read = 0
        while num_read < NUM_FRAMES:
            for message in consumer.poll(1000).get(partition, ()):
                if message.value:
                    cv2.imdecode(np.frombuffer(message.value, np.uint8), cv2.IMREAD_COLOR_RGB)
                    num_read += 1


def publish_librdkafka(broker: Broker, topic: str, frames: list[Frame]) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.servers, "message.max.bytes": 2_000_000})
    for frame in frames:
        picture = cv2.cvtColor(np.asarray(frame.image), cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        producer.produce(topic, data, b"east")
        producer.poll(0)
    producer.flush(30)


def read_librdkafka(broker: Broker, topic: str) -> None:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.servers, "group.id": "bench"})
    with closing(consumer):
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        num_read = 0
        while num_read < NUM_FRAMES:
            message = consumer.poll(1.0)
            if message is not None and message.value():
                cv2.imdecode(np.frombuffer(message.value(), np.uint8), cv2.IMREAD_COLOR_RGB)
                num_read += 1


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return wall time and processor time in seconds; the second depends little on other processes."""
    began, began_busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - began_busy


def main() -> None:
    """Print medians of rounds in which the connectors and the bare loop take turns."""
    frames = make_frames()
    taken: dict[str, list[tuple[float, float]]] = {}
    with Broker() as broker:
        for _ in range(ROUNDS):
            topic, other = broker.make_topic(), broker.make_topic()
            for name, work in {
                "publish": partial(publish, broker, topic, frames),
                "publish bare": partial(publish_bare, broker, other, frames),
                "read": partial(read, broker, topic),
                "read bare": partial(read_bare, broker, topic),
                "publish librdkafka": partial(publish_librdkafka, broker, other, frames),
                "read librdkafka": partial(read_librdkafka, broker, topic),
            }.items():
                taken.setdefault(name, []).append(seconds(work))
        size_mb = np.mean([len(message.value) for message in broker.read(topic, NUM_FRAMES)]) / 1e6
    for name, runs in taken.items():
        wall, busy = np.median(runs, axis=0)
        rate = NUM_FRAMES / wall
        busy_ms = 1000 * busy / NUM_FRAMES
        print(f"{name}: {rate:.0f} frames/s, {rate * size_mb:.1f} MB/s, {busy_ms:.2f} ms of processor a frame")


if __name__ == "__main__":
    main()
