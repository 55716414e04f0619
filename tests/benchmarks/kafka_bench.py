"""Speed of frames through Kafka, compared with kafka-python and OpenCV in a bare loop."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

import cv2
import numpy as np
from factories import make_stamp
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka_broker import Broker

from connectors.kafka.frame_publisher import FramePublisher
from connectors.pictures.encoded_image import Encoding
from connectors.sources.kafka import KafkaSource
from pipeline.core import Frame

NUM_FRAMES = 300
HW = (576, 768)
ROUNDS = 5


def make_frames() -> list[Frame]:
    """Make frames that compress about as well as those of a camera."""
    rng = np.random.default_rng(0)
    soft = cv2.GaussianBlur(rng.integers(0, 256, (*HW, 3), np.uint8), (0, 0), 2.0)
    return [Frame(make_stamp(index=i), np.roll(soft, 7 * i, axis=1)) for i in range(NUM_FRAMES)]


def publish(broker: Broker, topic: str, frames: list[Frame], encoding: Encoding = Encoding.JPEG) -> None:
    publisher = FramePublisher(
        {"bootstrap_servers": broker.servers},
        topic,
        camera_id="east",
        partition=None,
        encoding=encoding,
        quality=90,
        max_bytes=None,
    )
    with closing(publisher):
        for frame in frames:
            publisher.publish(frame)
        publisher.end(frames[-1].stamp)
        publisher.flush()


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
    source = KafkaSource(
        "east",
        f"kafka://{broker.servers}/{topic}",
        live=False,
        start="earliest",
        group=None,
        dead_letters=None,
        security={},
        max_ahead_s=5.0,
        max_image_px=50_000_000,
        open_timeout_s=5.0,
        read_timeout_s=30.0,
        commit_every_s=1.0,
    )
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
            }.items():
                taken.setdefault(name, []).append(seconds(work))
        size_mb = np.mean([len(message.value) for message in broker.read(topic, NUM_FRAMES)]) / 1e6
    for name in ("publish", "read"):
        (ours, ours_busy), (bare, bare_busy) = (np.median(taken[each], axis=0) for each in (name, f"{name} bare"))
        rate = NUM_FRAMES / ours
        print(
            f"{name}: {rate:.0f} frames/s, {rate * size_mb:.1f} MB/s; bare loop {NUM_FRAMES / bare:.0f}; "
            f"ratio {bare / ours:.2f}, by processor time {bare_busy / ours_busy:.2f}"
        )


if __name__ == "__main__":
    main()
