"""Further producers, each as different programs write them: names of fields, units of time, clients, layouts."""

import base64
import json
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import cv2
import numpy as np
import pytest
from clips import picture
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions
from kafka_broker import Broker, Message, end_message, frame_message
from kafka_source import frames, make_source, stamps
from small_brokers import Need
from test_kafka_forms import send_live, watching

pytestmark = pytest.mark.kafka

COUNT = 30
BEGAN = 1_783_000_000.0
"""2026-07-02; eight pictures a second."""
CEST = timezone(timedelta(hours=2))


def encoded(index: int, suffix: str = ".jpg", grey: bool = False) -> bytes:
    image = cv2.cvtColor(np.asarray(picture(index, (20, 160, 90))), cv2.COLOR_RGB2BGR)
    if grey:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.imencode(suffix, image)[1].tobytes()


def text(index: int, suffix: str = ".jpg") -> str:
    return base64.b64encode(encoded(index, suffix)).decode()


def at(index: int) -> float:
    return BEGAN + index / 8


def local(index: int) -> str:
    return datetime.fromtimestamp(at(index), CEST).isoformat()


def wire(**fields: object) -> bytes:
    return json.dumps(fields, indent=1).encode()


FORMS: dict[str, Callable[[int], Message]] = {
    "a grey JPEG alone": lambda i: (None, encoded(i, grey=True), []),
    "a PNG with the camera as key": lambda i: (b"east", encoded(i, ".png"), []),
    "a PNG in base64 with line breaks": lambda i: (None, base64.encodebytes(encoded(i, ".png")), []),
    "base64 for URLs without padding": lambda i: (
        b"east",
        base64.urlsafe_b64encode(encoded(i)).rstrip(b"="),
        [],
    ),
    "a data URL alone": lambda i: (None, b"data:image/png;base64," + text(i, ".png").encode(), []),
    "JSON: deviceId, captureTime in local ISO, snapshot": lambda i: (
        None,
        wire(deviceId="east", captureTime=local(i), snapshot=text(i)),
        [],
    ),
    "JSON: cam, ts in microseconds, img": lambda i: (None, wire(cam="east", ts=round(at(i) * 1e6), img=text(i)), []),
    "JSON: stream_id, time_ns as text, jpeg_b64": lambda i: (
        b"%d" % i,
        wire(stream_id="east", time_ns=str(round(at(i) * 1e9)), jpeg_b64=text(i)),
        [],
    ),
    "JSON: nested, eventTime in seconds with a fraction": lambda i: (
        None,
        wire(source={"cameraName": "east"}, event={"eventTime": at(i), "frameNo": i}, media={"content": text(i)}),
        [],
    ),
    "JSON of a Node.js Buffer": lambda i: (
        b"east",
        wire(timestamp=round(at(i) * 1000), frame={"type": "Buffer", "data": list(encoded(i))}),
        [],
    ),
    "JSON behind five bytes of a schema registry": lambda i: (
        None,
        struct.pack(">bI", 0, 17) + wire(camera="east", datetime=local(i), data=text(i)),
        [],
    ),
    "JSON with its only time in a field of any name": lambda i: (
        None,
        wire(meta={"moment": local(i), "unit": "A4"}, media={"jpg": text(i)}),
        [],
    ),
    "JPEG with Camera-Id and Timestamp headers in milliseconds": lambda i: (
        None,
        encoded(i),
        [("Camera-Id", b"east"), ("Timestamp", b"%d" % round(at(i) * 1000)), ("Content-Type", b"image/jpeg")],
    ),
}
WITHOUT_TIME = {"a grey", "a PNG", "base64", "a data"}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read_whole_with_its_times(broker: Broker, form: str) -> None:
    topic = broker.make_topic()
    broker.write(topic, [FORMS[form](index) for index in range(COUNT)])
    source = make_source(broker, topic, end="latest")
    received = list(source.frames())
    assert [frame.stamp.index for frame in received] == list(range(COUNT))
    times = [frame.stamp.captured_at for frame in received]
    if any(form.startswith(words) for words in WITHOUT_TIME):
        assert (np.diff(times) > 0).all()
        assert abs(times[-1] - time.time()) < 60
    else:
        np.testing.assert_allclose(times, [at(index) for index in range(COUNT)], atol=1e-3)
    assert source.num_bad == 0
    assert source.report().left_out == {}


def test_dotted_paths_name_fields_that_nobody_would_find(broker: Broker) -> None:
    topic = broker.make_topic()
    messages = [
        (None, wire(a={"wer": "east", "wann": at(i), "nr": 100 + i}, b={"c": {"d": {"bild": text(i)}}}, image="no"), [])
        for i in range(10)
    ]
    broker.write(topic, messages)  # type: ignore[arg-type]
    fields = {"image": "b.c.d.bild", "camera": "a.wer", "time": "a.wann", "index": "a.nr"}
    received = stamps(make_source(broker, topic, end="latest", message="json", fields=fields))
    assert received == [(100 + i, at(i)) for i in range(10)]


def test_pictures_without_a_key_over_three_partitions_arrive_live(broker: Broker) -> None:
    broker.need(Need.LIVE)
    topics = [broker.make_topic(partitions=3) for _ in range(2)]
    sources = [make_source(broker, topic, live=True) for topic in topics]
    now = time.time()
    alone: list[Message] = [(None, encoded(i), []) for i in range(60)]
    in_json: list[Message] = [(None, wire(ts=now + i / 20, img=text(i)), []) for i in range(60)]
    with watching(*sources) as received:
        senders = [
            threading.Thread(target=send_live, args=(broker, topic, messages, 20, 3))
            for topic, messages in zip(topics, (alone, in_json), strict=True)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    for indices, source in zip(received, sources, strict=True):
        assert len(indices) >= 54
        assert len(indices) + source.num_dropped == 60


def test_librdkafka_with_murmur_and_snappy_costs_no_frame(broker: Broker) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    pytest.importorskip("snappy")
    topic = broker.make_topic(partitions=6)
    for partitioner in ("murmur2_random", "fnv1a_random"):
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": broker.servers, "compression.type": "snappy", "partitioner": partitioner}
        )
        for index in range(10):
            first = 10 * (partitioner != "murmur2_random")
            producer.produce(topic, wire(cam="east", ts=at(first + index), img=text(index)), b"east")
        assert producer.flush(30) == 0
    np.testing.assert_allclose(
        [seconds for _, seconds in stamps(make_source(broker, topic, end="latest"))], [at(index) for index in range(20)]
    )


def test_transactions_of_several_producers_that_abort_in_turns(broker: Broker) -> None:
    broker.need(Need.TRANSACTIONS)
    topic = broker.make_topic(partitions=2)
    with (
        closing(KafkaProducer(bootstrap_servers=broker.servers, transactional_id=f"{topic}.1")) as good,
        closing(KafkaProducer(bootstrap_servers=broker.servers, transactional_id=f"{topic}.2")) as bad,
    ):
        for producer in (good, bad):
            producer.init_transactions()
        for begin in range(0, 15, 5):
            for producer in (good, bad):
                producer.begin_transaction()
                for index in range(begin, begin + 5):
                    producer.send(topic, wire(cam="east", ts=at(index), img=text(index)), partition=index % 2)
                producer.flush()
            bad.abort_transaction()
            good.commit_transaction()
    source = make_source(broker, topic, end="latest")
    np.testing.assert_allclose([seconds for _, seconds in stamps(source)], [at(index) for index in range(15)])
    assert source.num_bad == 0


def test_five_partitions_are_added_while_a_camera_is_watched(broker: Broker) -> None:
    broker.need(Need.ADDED_PARTITIONS)
    topic = broker.make_topic(partitions=2)
    source = make_source(broker, topic, live=True)
    with watching(source) as (received,):
        send_live(broker, topic, [(None, encoded(index), []) for index in range(60)], fps=25, partitions=2)
        with closing(KafkaAdminClient(bootstrap_servers=broker.servers)) as admin:
            admin.create_partitions({topic: NewPartitions(total_count=7)})
        send_live(broker, topic, [(None, encoded(index), []) for index in range(60, 200)], fps=25, partitions=7)
    assert len(received) >= 180
    assert len(received) + source.num_dropped == 200
    assert source.report().gaps == ()  # what lay in the new partitions was late, and says nothing of the clock


def test_records_that_were_deleted_in_two_partitions_are_counted_as_missing(broker: Broker) -> None:
    broker.need(Need.DELETED_RECORDS)
    topic = broker.make_topic(partitions=2)
    for partition in range(2):
        indices = range(partition, 30, 2)
        broker.write(topic, [(None, wire(cam="east", ts=at(i), img=text(i)), []) for i in indices], partition)
    with closing(KafkaAdminClient(bootstrap_servers=broker.servers)) as admin:
        admin.delete_records({TopicPartition(topic, 0): 5, TopicPartition(topic, 1): 5})
    source = make_source(broker, topic, end="latest", start=0)
    np.testing.assert_allclose([seconds for _, seconds in stamps(source)], [at(index) for index in range(10, 30)])
    assert source.report().left_out == {"deleted by the broker": 10}


def test_retention_that_overtakes_a_slow_reader_costs_only_what_is_gone(broker: Broker) -> None:
    broker.need(Need.DELETED_RECORDS)
    broker.need(Need.FETCH_LIMIT)
    topic = broker.make_topic()
    large = [(key, value + bytes(700_000), headers) for key, value, headers in map(frame_message, frames(60))]
    broker.write(topic, [*large, end_message()])  # more than one fetch holds
    source = make_source(broker, topic)
    received = source.frames()
    taken = [next(received).stamp.index for _ in range(5)]
    with closing(KafkaAdminClient(bootstrap_servers=broker.servers)) as admin:
        admin.delete_records({TopicPartition(topic, 0): 50})
    taken += [frame.stamp.index for frame in received]
    assert taken[-10:] == list(range(50, 60))
    assert len(taken) + source.num_missed == 60
    assert source.num_missed > 0


def test_what_is_no_frame_is_passed_over_and_counted_by_reason(broker: Broker) -> None:
    topic = broker.make_topic()
    with closing(KafkaProducer(bootstrap_servers=broker.servers)) as producer:
        for key in (b"east", b"west", b"north"):
            producer.send(topic, None, key).get(30)  # tombstones
    huge = cv2.imencode(".png", np.zeros((9000, 9000), np.uint8))[1].tobytes()
    garbage: list[Message] = [
        (b"east", b"\x80\x05\x95" + encoded(0), []),
        (b"east", b"{" + b'"a":[' * 5000, []),
        (b"east", huge, []),
        (b"east", encoded(0)[:300], []),
        (b"east", b"RIFF\0\0\0\0WEBPVP8 ", []),
        (b"east", bytes(900_000), []),
        (b"west", encoded(0), []),
    ]
    good: list[Message] = [(b"east", wire(ts=at(i), img=text(i)), []) for i in range(20)]
    broker.write(topic, [*good[:10], *garbage, *good[10:]])
    source = make_source(broker, topic, end="latest")
    np.testing.assert_allclose([seconds for _, seconds in stamps(source)], [at(index) for index in range(20)])
    left_out = source.report().left_out
    assert left_out["of another camera"] == 1
    assert left_out["without a value"] == 3
    assert {name: left_out[name] for name in ("form", "size", "image")} == {"form": 1, "size": 1, "image": 4}
    assert source.num_bad == 6


def test_log_append_time_orders_pictures_by_the_brokers_clock(broker: Broker) -> None:
    broker.need(Need.APPEND_TIME)
    topic = broker.make_topic(partitions=2, settings={"message.timestamp.type": "LogAppendTime"})
    began = time.time()
    with closing(KafkaProducer(bootstrap_servers=broker.servers)) as producer:
        for index in range(20):
            # The sender's own timestamp is of another year, and the broker overwrites it.
            producer.send(topic, encoded(index), partition=index % 2, timestamp_ms=1_000_000 + index).get(30)
            time.sleep(0.02)
    received = list(make_source(broker, topic, end="latest").frames())
    bars = [int((abs(frame.image[2].astype(int) - 128) < 30).all(axis=-1).sum()) for frame in received]
    assert len(received) == 20
    assert bars == sorted(bars)
    assert began - 1 < received[0].stamp.captured_at < received[-1].stamp.captured_at < time.time() + 1


def test_a_camera_that_pauses_is_shown_at_once_when_it_goes_on(broker: Broker) -> None:
    broker.need(Need.LIVE)
    topic = broker.make_topic()
    source = make_source(broker, topic, live=True)
    with watching(source) as (received,), closing(KafkaProducer(bootstrap_servers=broker.servers)) as producer:
        producer.partitions_for(topic)
        for begin in (0, 3):
            before = len(received)
            for index in range(begin, begin + 3):
                producer.send(topic, encoded(index), b"east", [("timestamp", b"%.3f" % time.time())])
                time.sleep(0.1)
            time.sleep(2.5)
            assert len(received) > before  # while the camera is silent again
    assert len(received) + source.num_dropped == 6
    assert source.report().gaps == ()


def test_a_live_camera_whose_clock_leaps_for_one_frame_loses_none_but_for_newer_ones(broker: Broker) -> None:
    broker.need(Need.LIVE)
    topic = broker.make_topic()
    source = make_source(broker, topic, live=True)
    now = time.time() + 10  # and is ten seconds ahead
    with watching(source) as (received,):
        messages: list[Message] = [
            (b"east", wire(ts=now + i / 15 + (7200 if i in (20, 44) else 0), img=text(i)), []) for i in range(45)
        ]
        send_live(broker, topic, messages, fps=15)
    assert len(received) >= 10
    assert len(received) + source.num_dropped == 45
    assert source.num_bad == 0
    assert source.report().num_times_repaired == 2


def test_the_mark_of_a_recording_ends_it_among_messages_of_others(broker: Broker) -> None:
    topic = broker.make_topic()
    strangers: list[Message] = [(b"west", encoded(i), []) for i in range(10)]
    broker.write(topic, [*strangers, *map(frame_message, frames(8)), end_message(), *strangers])
    source = make_source(broker, topic)
    assert [index for index, _ in stamps(source)] == list(range(8))
    assert source.report().left_out == {"of another camera": 20}


def test_utc_is_meant_where_a_time_names_no_zone(broker: Broker) -> None:
    topic = broker.make_topic()
    messages: list[Message] = [
        (
            None,
            wire(cam="east", ts=datetime.fromtimestamp(at(i), UTC).strftime("%Y-%m-%d %H:%M:%S.%f"), img=text(i)),
            [],
        )
        for i in range(5)
    ]
    broker.write(topic, messages)
    received = [seconds for _, seconds in stamps(make_source(broker, topic, end="latest"))]
    np.testing.assert_allclose(received, [at(i) for i in range(5)], atol=1e-3)
