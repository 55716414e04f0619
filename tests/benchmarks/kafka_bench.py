"""Speed of frames through Kafka, beside bare loops of OpenCV with kafka-python and with librdkafka.

``python tests/benchmarks/kafka_bench.py`` prints medians of rounds in which all take turns, for one camera and for 16.
Every reader decodes every picture, and every writer encodes it. The figures hold for the load that is printed.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from multiprocessing import get_context

import confluent_kafka
import cv2
import numpy as np
from factories import make_stamp
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka_broker import Broker, wait_for
from kafka_source import make_source

from connectors.kafka.frame_publisher import FramePublisher
from connectors.pictures.encoded_image import Encoding
from connectors.sources.kafka import KafkaSource
from pipeline.core import Frame

HW = (576, 768)
ROUNDS = 3
NUM_FRAMES = {1: 300, 16: 480}
"""Frames of all cameras together, by number of cameras."""

LIVE_FPS = 5.0
"""Frames a second of each of the live cameras: 16 of them are read on one core without dropping any."""

Sent = Sequence[tuple[str, Frame]]


def make_frames(num_cameras: int) -> Sent:
    """Make frames that compress about as well as those of a camera, of all cameras in turns."""
    rng = np.random.default_rng(0)
    soft = cv2.GaussianBlur(rng.integers(0, 256, (*HW, 3), np.uint8), (0, 0), 2.0)
    names = [f"camera{number}" for number in range(num_cameras)]
    return [
        (name, Frame(make_stamp(name, index), np.roll(soft, 7 * index, axis=1)))
        for index in range(NUM_FRAMES[num_cameras] // num_cameras)
        for name in names
    ]


def encoded(frame: Frame) -> bytes:
    picture = cv2.cvtColor(np.asarray(frame.image), cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())


def decode(value: bytes) -> None:
    cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR_RGB)


def publishers(broker: Broker, topic: str, names: Sequence[str]) -> dict[str, FramePublisher]:
    options = {"bootstrap_servers": broker.servers}
    chosen = {"encoding": Encoding.JPEG, "quality": 90, "max_bytes": 1_000_000}
    return {
        name: FramePublisher(options, topic, camera_id=name, partition=number, **chosen)  # type: ignore[arg-type]
        for number, name in enumerate(names)
    }


def publish(broker: Broker, topic: str, sent: Sent) -> None:
    made = publishers(broker, topic, list(dict(sent)))
    for name, frame in sent:
        made[name].publish(frame)
    for name, each in made.items():
        each.end(make_stamp(name, len(sent)))
        each.flush()
        each.close()


def publish_bare(broker: Broker, topic: str, sent: Sent) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.servers, max_request_size=2_000_000)) as producer:
        for future in [producer.send(topic, encoded(frame), key=name.encode()) for name, frame in sent]:
            future.get(60)


def publish_librdkafka(broker: Broker, topic: str, sent: Sent) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.servers, "message.max.bytes": 2_000_000})
    for name, frame in sent:
        producer.produce(topic, encoded(frame), name.encode())
        producer.poll(0)
    assert producer.flush(60) == 0


def in_threads(works: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def count(source: KafkaSource, num_wanted: int) -> None:
    assert sum(1 for _ in source.frames()) == num_wanted


def read(broker: Broker, topic: str, sent: Sent) -> None:
    names = list(dict(sent))
    sources = [
        make_source(broker, topic, camera_id=name, dead_letters=None, end="latest", message="passerby")
        for name in names
    ]
    in_threads([partial(count, source, len(sent) // len(names)) for source in sources])


def read_bare(broker: Broker, topic: str, sent: Sent) -> None:
    options = {"bootstrap_servers": broker.servers, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    with closing(KafkaConsumer(**options)) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        num_read = 0
        while num_read < len(sent):
            for messages in consumer.poll(1000).values():
                for message in messages:
                    if message.value:
                        decode(message.value)
                        num_read += 1


def read_librdkafka(broker: Broker, topic: str, sent: Sent) -> None:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.servers, "group.id": "bench"})
    with closing(consumer):
        numbers = consumer.list_topics(topic).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in numbers])
        num_read = 0
        while num_read < len(sent):
            message = consumer.poll(1.0)
            if message is not None and message.value():
                decode(message.value())
                num_read += 1


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return wall time and processor time in seconds; the second depends little on other processes."""
    began, began_busy = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - began_busy


def send_live(servers: str, topic: str, names: Sequence[str], values: Sequence[bytes], num_each: int) -> None:
    """Send frames of every camera at ``LIVE_FPS``; runs in a process of its own."""
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        began = time.monotonic()
        for index in range(num_each):
            time.sleep(max(0.0, began + index / LIVE_FPS - time.monotonic()))
            for number, name in enumerate(names):
                producer.send(topic, values[(index + number) % len(values)], name.encode(), partition=number)
        producer.flush()


def live(broker: Broker, num_cameras: int) -> None:
    """Print what live cameras, which share a consumer, take of a processor, and how many frames they receive."""
    topic = broker.make_topic(partitions=num_cameras)
    sent = make_frames(num_cameras)
    names = list(dict(sent))
    num_each = 10 * int(LIVE_FPS)
    sources = [make_source(broker, topic, camera_id=name, live=True, dead_letters=None) for name in names]
    received: list[int] = []
    threads = [
        threading.Thread(target=lambda source=source: received.append(sum(1 for _ in source.frames())))  # type: ignore[misc]
        for source in sources
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(source.is_open for source in sources))
    values = [encoded(frame) for _, frame in sent[:50]]
    sender = get_context("spawn").Process(target=send_live, args=(broker.servers, topic, names, values, num_each))
    began = time.process_time()
    sender.start()
    sender.join()
    time.sleep(1.0)
    busy_s = time.process_time() - began
    for source in sources:
        source.close()
    for thread in threads:
        thread.join()
    share, busy_ms = sum(received) / (num_each * len(names)), 1000 * busy_s / max(1, sum(received))
    print(f"{num_cameras} live at {LIVE_FPS:g} frames/s: {100 * share:.0f} % received, {busy_ms:.2f} ms a frame")


def main() -> None:
    """Print medians of rounds in which the connectors and the bare loops take turns."""
    with Broker() as broker:
        print(f"{broker.kind}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
        for num_cameras, num_frames in NUM_FRAMES.items():
            sent = make_frames(num_cameras)
            taken: dict[str, list[tuple[float, float]]] = {}
            for _ in range(ROUNDS):
                topic, other = broker.make_topic(num_cameras), broker.make_topic(num_cameras)
                for name, work in {
                    "publish": partial(publish, broker, topic, sent),
                    "publish, bare kafka-python": partial(publish_bare, broker, other, sent),
                    "publish, bare librdkafka": partial(publish_librdkafka, broker, other, sent),
                    "read": partial(read, broker, topic, sent),
                    "read, bare kafka-python": partial(read_bare, broker, topic, sent),
                    "read, bare librdkafka": partial(read_librdkafka, broker, topic, sent),
                }.items():
                    taken.setdefault(name, []).append(seconds(work))
            for name, runs in taken.items():
                wall, busy = np.median(runs, axis=0)
                print(
                    f"{num_cameras} cameras, {name}: {num_frames / wall:.0f} frames/s, "
                    f"{1000 * busy / num_frames:.2f} ms of processor a frame"
                )
            live(broker, num_cameras)
        print(f"load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
