"""Cameras as other programs publish them, and topics as they are laid out, on a broker."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest
from clips import picture
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka_broker import Broker, Message, end_message, frame_message, wait_for
from kafka_source import frames, make_source, stamps
from small_brokers import Need

from connectors.pictures.encoded_image import Encoding, encode_image
from connectors.sources.kafka import KafkaSource
from pipeline.core.errors import SourceLostError

pytestmark = pytest.mark.kafka

COUNT = 30
BEGAN = 1_767_225_600.0
"""2026-01-01, when the first picture was taken; ten a second."""


def jpeg(index: int) -> bytes:
    return encode_image(np.asarray(picture(index)), Encoding.JPEG, quality=90)


def text(index: int) -> str:
    return base64.b64encode(jpeg(index)).decode()


def at(index: int) -> float:
    return BEGAN + index / 10


def iso(index: int) -> str:
    return str(np.datetime64(round(at(index) * 1000), "ms")) + "Z"


def as_json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


FORMS: dict[str, Callable[[int], Message]] = {
    "the JPEG alone": lambda i: (None, jpeg(i), []),
    "the JPEG with the camera as key": lambda i: (b"east", jpeg(i), []),
    "base64 alone": lambda i: (None, text(i).encode(), []),
    "JSON with image, camera_id and ISO time": lambda i: (
        None,
        as_json(camera_id="east", timestamp=iso(i), image=text(i)),
        [],
    ),
    "JSON with frame, cam_id and seconds": lambda i: (None, as_json(cam_id="east", time=at(i), frame=text(i)), []),
    "JSON with data, milliseconds and the camera as key": lambda i: (
        b"east",
        as_json(data=text(i), timestamp=round(at(i) * 1000), frame=i),
        [],
    ),
    "JSON in JSON with a data URL": lambda i: (
        None,
        as_json(
            meta={"camera": {"id": "east"}, "ts_ms": round(at(i) * 1000)},
            payload={"img": "data:image/jpeg;base64," + text(i)},
        ),
        [],
    ),
    "the JPEG with camera and time in headers": lambda i: (
        b"%d" % i,
        jpeg(i),
        [("camera", b"east"), ("timestamp", b"%.3f" % at(i))],
    ),
}
TIMED = {name for name in FORMS if "ISO" in name or "seconds" in name or "JSON in" in name or "headers" in name}


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.make_topic()


@pytest.mark.parametrize("form", FORMS)
def test_a_recording_of_another_program_is_read_whole(broker: Broker, topic: str, form: str) -> None:
    broker.write(topic, [FORMS[form](index) for index in range(COUNT)])
    source = make_source(broker, topic, end="latest")
    received = list(source.frames())
    assert [frame.stamp.index for frame in received] == list(range(COUNT))
    assert (np.diff([frame.stamp.captured_at for frame in received]) > 0).all()
    if form in TIMED:
        np.testing.assert_allclose([frame.stamp.captured_at for frame in received], [at(i) for i in range(COUNT)])
    else:
        assert abs(received[-1].stamp.captured_at - time.time()) < 60
    assert abs(received[3].image.astype(int) - picture(3)).mean() < 3
    assert source.num_bad == 0


def test_a_recording_without_an_end_mark_ends_at_what_the_topic_held(broker: Broker, topic: str) -> None:
    broker.write(topic, [*map(frame_message, frames(5))])
    source = make_source(broker, topic, end="latest")
    received = source.frames()
    first = next(received)
    broker.write(topic, [*map(frame_message, frames(5, first=5))])
    assert [first.stamp.index, *(frame.stamp.index for frame in received)] == [0, 1, 2, 3, 4]


def test_pictures_without_a_key_in_three_partitions_are_one_camera_in_order_of_time(broker: Broker) -> None:
    topic = broker.make_topic(partitions=3)
    for partition in range(3):
        messages = [(None, as_json(image=text(i), time=at(i)), []) for i in range(COUNT) if i * 7 % 3 == partition]
        broker.write(topic, messages, partition)  # type: ignore[arg-type]
    received = stamps(make_source(broker, topic, end="latest"))
    assert [stamp for _, stamp in received] == pytest.approx([at(index) for index in range(COUNT)])


@contextmanager
def watching(*sources: KafkaSource) -> Iterator[list[list[int]]]:
    """Read live sources, each in a thread, from before the block until nothing more comes."""
    received: list[list[int]] = [[] for _ in sources]

    def read(source: KafkaSource, indices: list[int]) -> None:
        indices.extend(frame.stamp.index for frame in source.frames())

    threads = [threading.Thread(target=read, args=each) for each in zip(sources, received, strict=True)]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(source.is_open for source in sources))
    time.sleep(0.3)
    yield received
    count = -1
    while count != (count := sum(map(len, received))):
        time.sleep(0.7)
    for source, thread in zip(sources, threads, strict=True):
        source.close()
        thread.join()


def send_live(broker: Broker, topic: str, messages: list[Message], fps: float, partitions: int = 0) -> None:
    """Send messages at a pace; round robin over ``partitions``, or as keys say."""
    with closing(KafkaProducer(bootstrap_servers=broker.servers)) as producer:
        producer.partitions_for(topic)
        for number, (key, value, headers) in enumerate(messages):
            producer.send(topic, value, key, headers, number % partitions if partitions else None)
            time.sleep(1 / fps)
        producer.flush()


def test_live_cameras_of_a_process_share_a_consumer_and_each_gets_its_own(broker: Broker) -> None:
    broker.need(Need.LIVE)
    topic = broker.make_topic(partitions=4)
    cameras = ["east", "west", "north"]
    sources = [make_source(broker, topic, camera_id=name, live=True) for name in cameras]
    before = {thread.name for thread in threading.enumerate()}
    with watching(*sources) as received:
        readers = [thread for thread in threading.enumerate() if thread.name == f"kafka {topic}"]
        assert len(readers) == 1, before
        now = time.time()
        messages = [
            (name.encode(), jpeg(index), [("timestamp", b"%.3f" % (now + index / 10))])
            for index in range(25)
            for name in cameras
        ]
        send_live(broker, topic, messages, fps=30)
    assert min(map(len, received)) >= 22


def test_frames_of_an_aborted_transaction_are_not_read(broker: Broker, topic: str) -> None:
    broker.need(Need.TRANSACTIONS)
    with closing(
        KafkaProducer(bootstrap_servers=broker.servers, transactional_id=f"{topic}.one", max_block_ms=60_000)
    ) as producer:
        producer.init_transactions()
        for begin, is_good in ((0, True), (5, False), (5, True), (10, True), (15, False)):
            producer.begin_transaction()
            for index in range(begin, begin + 5):
                key, value, headers = frame_message(frames(1, first=index)[0])
                producer.send(topic, value, key, headers)
            producer.flush()
            producer.commit_transaction() if is_good else producer.abort_transaction()
    source = make_source(broker, topic, end="latest")
    assert [index for index, _ in stamps(source)] == list(range(15))
    assert source.num_bad == 0


def delete_before(broker: Broker, topic: str, offset: int) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker.servers)) as admin:
        admin.delete_records({TopicPartition(topic, 0): offset})


@pytest.mark.parametrize("start", [0, "earliest"])
def test_a_start_that_the_broker_has_deleted_goes_on_at_the_first_message_there_is(
    broker: Broker, topic: str, start: int | str
) -> None:
    broker.need(Need.DELETED_RECORDS)
    broker.write(topic, [*map(frame_message, frames(30)), end_message()])
    delete_before(broker, topic, 10)
    source = make_source(broker, topic, start=start)
    assert [index for index, _ in stamps(source)] == list(range(10, 30))
    assert source.num_missed == 10


def test_a_topic_that_is_made_anew_is_read_from_its_beginning(broker: Broker, topic: str) -> None:
    broker.need(Need.TOPIC_IDS)
    broker.write(topic, [*map(frame_message, frames(5))])
    source = make_source(broker, topic)
    received: list[int] = []
    thread = threading.Thread(target=lambda: received.extend(frame.stamp.index for frame in source.frames()))
    thread.start()
    wait_for(lambda: len(received) == 5)
    with closing(KafkaAdminClient(bootstrap_servers=broker.servers)) as admin:
        admin.delete_topics([topic])
        time.sleep(1.0)
        broker.make_topic(name=topic)
    broker.write(topic, [*map(frame_message, frames(8, first=5)), end_message()])
    thread.join(30)
    assert received == list(range(13))


@pytest.mark.parametrize("codec", ["snappy", "gzip", "lz4", "zstd"])
def test_another_partitioner_and_compression_cost_no_frame(broker: Broker, codec: str) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    if codec == "snappy":
        pytest.importorskip("snappy")
    topic = broker.make_topic(partitions=5)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": broker.servers, "compression.type": codec, "partitioner": "consistent_random"}
    )
    for key, value, headers in [*map(frame_message, frames(20)), end_message()]:
        producer.produce(topic, value, key, headers=headers)
    assert producer.flush(30) == 0
    assert len(stamps(make_source(broker, topic))) == 20


def test_silence_is_told_apart_from_messages_of_others(broker: Broker, topic: str) -> None:
    broker.write(topic, [(b"cam%d" % (index % 2), jpeg(index), []) for index in range(20)])
    with pytest.raises(
        SourceLostError,
        match=r"20 messages came, none of them is of east: 20 of other cameras \(10 of cam0, 10 of cam1\)",
    ):
        list(make_source(broker, topic, read_timeout_s=1.0).frames())
    with pytest.raises(SourceLostError, match="got none in 1 s; check that it is published"):
        list(make_source(broker, broker.make_topic(), read_timeout_s=1.0).frames())


def test_a_deleted_key_is_passed_over(broker: Broker, topic: str) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.servers)) as producer:
        producer.send(topic, None, b"east").get(30)
    broker.write(topic, [*map(frame_message, frames(3)), end_message()])
    source = make_source(broker, topic)
    assert len(stamps(source)) == 3
    assert source.num_bad == 0


def test_pickle_is_refused_by_name(broker: Broker, topic: str) -> None:
    broker.write(topic, [(b"east", b"\x80\x04\x95" + jpeg(0), [])])
    source = make_source(broker, topic, end="latest", message="image")
    with pytest.raises(SourceLostError, match=r"1 faulty .*pickle, which is refused"):
        list(source.frames())
    (letter,) = broker.read(f"{topic}.dead", 1)
    assert b"pickle, which is refused" in dict(letter.headers)["fault_detail"]


def test_two_cameras_of_a_group_in_one_partition_continue_each_where_it_was(broker: Broker, topic: str) -> None:
    broker.need(Need.OFFSET_METADATA)
    for camera in ("east", "west"):
        broker.write(topic, [*map(frame_message, frames(10, camera)), end_message(camera)])
    for camera, acknowledged in (("west", 2), ("east", 6)):
        source = make_source(broker, topic, camera_id=camera, group=topic)
        received = list(source.frames())
        source.ack(received[acknowledged].stamp)
        source.close()
    assert stamps(make_source(broker, topic, camera_id="east", group=topic))[0][0] == 7
    assert stamps(make_source(broker, topic, camera_id="west", group=topic))[0][0] == 3


def test_the_first_frame_of_another_process_follows_the_last_in_several_partitions(broker: Broker) -> None:
    topic = broker.make_topic(partitions=3)
    for partition in range(3):
        indices = range(partition, 20, 3)
        broker.write(topic, [(None, as_json(image=text(i), time=at(i), seq=i), []) for i in indices], partition)
    source = make_source(broker, topic, end="latest", group=topic)
    received = list(source.frames())
    source.ack(received[11].stamp)
    source.close()
    assert [index for index, _ in stamps(make_source(broker, topic, end="latest", group=topic))] == list(range(12, 20))
