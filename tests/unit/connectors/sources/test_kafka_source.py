import pickle
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import islice

import numpy as np
import pytest
from clips import picture
from factories import make_frame, make_stamp
from kafka import KafkaProducer
from kafka_broker import Broker, Message, end_message, frame_message, wait_for
from kafka_source import NODE, frames, make_source, stamps

from connectors.pictures.encoded_image import Encoding
from pipeline.config.plugins import build_source
from pipeline.core import Frame, FrameStamp
from pipeline.core.errors import ConfigError, SourceLostError

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.make_topic()


@pytest.fixture
def recording(broker: Broker, topic: str) -> list[Frame]:
    """Ten frames and an end mark in the topic."""
    sent = frames(10)
    broker.write(topic, [*map(frame_message, sent), end_message()])
    return sent


def test_every_pixel_and_every_stamp_arrives(broker: Broker, topic: str, recording: list[Frame]) -> None:
    received = list(make_source(broker, topic).frames())
    assert [frame.stamp for frame in received] == [frame.stamp for frame in recording]
    for frame, sent in zip(received, recording, strict=True):
        np.testing.assert_array_equal(frame.image, sent.image)
        assert not frame.image.flags.writeable


def test_jpeg_changes_pixels_little(broker: Broker, topic: str) -> None:
    (sent,) = frames(1)
    broker.write(topic, [frame_message(sent, Encoding.JPEG), end_message()])
    (received,) = make_source(broker, topic).frames()
    assert abs(received.image.astype(int) - sent.image).mean() < 3


def test_a_recording_yields_the_same_frames_each_time(broker: Broker, topic: str, recording: list[Frame]) -> None:
    source = make_source(broker, topic)
    assert stamps(source) == stamps(source) == stamps(make_source(broker, topic))


def test_its_factory_can_be_sent_to_another_process(broker: Broker, topic: str) -> None:
    make = build_source("east", {"uri": f"kafka://{broker.servers}/{topic}"}, NODE)  # type: ignore[arg-type]
    assert pickle.loads(pickle.dumps(make))().live is True


def test_close_is_idempotent_and_ends_the_frames_from_another_thread(broker: Broker, topic: str) -> None:
    source = make_source(broker, topic)
    threading.Timer(0.5, source.close).start()
    assert list(source.frames()) == []
    source.close()
    assert list(source.frames()) == []


def test_cameras_share_a_topic_and_each_gets_its_own(broker: Broker) -> None:
    topic = broker.make_topic(partitions=2)
    cameras = ["east", "west", "north", "south"]
    for camera_id in cameras:
        broker.write(topic, [*map(frame_message, frames(3, camera_id)), end_message(camera_id)])
    for camera_id in cameras:
        received = list(make_source(broker, topic, camera_id=camera_id).frames())
        assert [frame.stamp for frame in received] == [make_stamp(camera_id, index) for index in range(3)]


def test_the_sender_may_use_another_name_for_a_camera(broker: Broker, topic: str) -> None:
    broker.write(topic, [*map(frame_message, frames(2, "cam-17")), end_message("cam-17")])
    received = list(make_source(broker, topic, "?camera=cam-17").frames())
    assert [frame.stamp for frame in received] == [make_stamp("east", 0), make_stamp("east", 1)]


def test_indices_continue_when_the_sender_starts_again(broker: Broker, topic: str) -> None:
    first = [Frame(FrameStamp("east", i, 100 + i / 10), picture(i)) for i in range(3)]
    again = [Frame(FrameStamp("east", i, 200 + i / 10), picture(i)) for i in range(3)]
    broker.write(topic, [*map(frame_message, [*first, *again]), end_message()])
    assert [index for index, _ in stamps(make_source(broker, topic))] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("start", "expected"), [("earliest", 0), (4, 4)])
def test_a_recording_can_begin_at_an_offset(
    broker: Broker, topic: str, recording: list[Frame], start: int | str, expected: int
) -> None:
    assert next(make_source(broker, topic, start=start).frames()).stamp.index == expected


def test_a_recording_can_begin_at_a_time(broker: Broker, topic: str) -> None:
    broker.write(topic, [*map(frame_message, frames(3))])
    time.sleep(0.05)
    now = np.datetime64(time.time_ns(), "ns")
    time.sleep(0.05)
    broker.write(topic, [*map(frame_message, frames(3, first=3)), end_message()])
    assert next(make_source(broker, topic, start=f"{now.astype('datetime64[ms]')}Z").frames()).stamp.index == 3


def test_a_group_continues_after_the_acknowledged_frame(broker: Broker, topic: str, recording: list[Frame]) -> None:
    source = make_source(broker, topic, group=topic)
    received = source.frames()
    taken = [next(received) for _ in range(6)]
    source.ack(taken[3].stamp)
    source.close()
    list(received)
    assert stamps(make_source(broker, topic, group=topic))[0][0] == 4


def test_an_ack_during_reading_is_committed_during_reading(broker: Broker, topic: str, recording: list[Frame]) -> None:
    source = make_source(broker, topic, group=topic, commit_every_s=0.0)
    received = source.frames()
    source.ack(next(received).stamp)
    frozen = list(islice(received, 9))
    source.ack(frozen[4].stamp)
    thread = threading.Thread(target=lambda: list(received))
    thread.start()
    thread.join()
    assert stamps(make_source(broker, topic, group=topic))[0][0] == 6


def test_an_ack_after_the_end_is_committed_by_close(broker: Broker, topic: str, recording: list[Frame]) -> None:
    source = make_source(broker, topic, group=topic)
    received = list(source.frames())
    source.close()
    source.ack(received[-1].stamp)
    source.close()
    assert stamps(make_source(broker, topic, group=topic)) == []


def test_frames_whose_time_is_decided_at_the_end_are_committed(broker: Broker, topic: str) -> None:
    sent = [*frames(10), Frame(FrameStamp("east", 10, 30.0), picture(10))]
    broker.write(topic, [*map(frame_message, sent), end_message()])
    source = make_source(broker, topic, group=topic)
    received = list(source.frames())
    source.ack(received[-1].stamp)
    source.close()
    assert len(received) == 11
    assert stamps(make_source(broker, topic, group=topic)) == []


def test_another_process_continues_after_the_last_frame_even_if_less_was_committed(
    broker: Broker, topic: str, recording: list[Frame]
) -> None:
    source = make_source(broker, topic, group=topic)
    received = list(source.frames())
    source.ack(received[3].stamp)
    source.close()
    again = make_source(broker, topic, group=topic)
    again.resume(received[6].stamp)
    assert [index for index, _ in stamps(again)] == [7, 8, 9]
    assert again.num_bad == 0
    assert broker.read(f"{topic}.dead") == []


def test_another_process_keeps_the_indices_of_a_sender_that_had_started_again(broker: Broker, topic: str) -> None:
    first = [Frame(FrameStamp("east", i, 100 + i / 10), picture(i)) for i in range(3)]
    again = [Frame(FrameStamp("east", i, 200 + i / 10), picture(i)) for i in range(3)]
    broker.write(topic, [*map(frame_message, [*first, *again]), end_message()])
    whole = [frame.stamp for frame in make_source(broker, topic).frames()]
    source = make_source(broker, topic)
    source.resume(whole[3])
    assert [frame.stamp for frame in source.frames()] == whole[4:]


def test_a_live_camera_continues_with_higher_indices_in_another_process(broker: Broker, topic: str) -> None:
    source = make_source(broker, topic, live=True)
    source.resume(make_stamp(index=70, captured_at=7.0))
    received = source.frames()
    thread = threading.Timer(1.0, lambda: broker.write(topic, [frame_message(make_frame(make_stamp("east", 3, 99.0)))]))
    thread.start()
    assert next(received).stamp == make_stamp("east", 71, 99.0)
    source.close()
    thread.join()


def test_frames_that_were_not_acknowledged_are_read_again(broker: Broker, topic: str, recording: list[Frame]) -> None:
    for _ in range(2):
        assert len(stamps(make_source(broker, topic, group=topic))) == 10


def test_a_live_camera_begins_with_the_next_frame_and_drops_all_but_the_newest(broker: Broker, topic: str) -> None:
    broker.write(topic, [*map(frame_message, frames(5))])
    source = make_source(broker, topic, live=True)
    received: list[int] = []

    def read() -> None:
        for frame in source.frames():
            received.append(frame.stamp.index)
            time.sleep(0.5)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(1.0)
    broker.write(topic, [*map(frame_message, frames(1, first=5))])
    wait_for(lambda: 5 in received)
    broker.write(topic, [*map(frame_message, frames(30, first=6))])
    wait_for(lambda: received[-1] == 35)
    source.close()
    thread.join()
    assert min(received) >= 4  # Tansu's end offset is the beginning of the last batch
    assert source.num_dropped > 20


def test_a_silent_camera_is_lost(broker: Broker, topic: str) -> None:
    with pytest.raises(SourceLostError, match=r"expected a message of east, got none in 0\.3 s"):
        list(make_source(broker, topic, read_timeout_s=0.3).frames())


def test_a_lost_camera_continues_after_the_last_frame(broker: Broker, topic: str) -> None:
    broker.write(topic, [*map(frame_message, frames(3))])
    source = make_source(broker, topic, read_timeout_s=0.3)
    received: list[Frame] = []
    with pytest.raises(SourceLostError):
        received.extend(source.frames())
    broker.write(topic, [*map(frame_message, frames(3, first=3)), end_message()])
    received.extend(source.frames())
    assert [frame.stamp.index for frame in received] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("query", ["", "?partition=7"])
def test_a_missing_topic_is_reported(broker: Broker, topic: str, query: str) -> None:
    source = make_source(broker, topic if query else "nowhere", query)
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected a topic at .*, got no (topic|partition)"):
        source.check()
    with pytest.raises(SourceLostError, match=r"got no (topic|partition)"):
        next(source.frames())


def test_a_missing_broker_is_reported(broker: Broker) -> None:
    source = build_source("east", {"uri": "kafka://127.0.0.1:1/frames", "open_timeout_s": 0.5}, NODE)()  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected a topic at kafka://127\.0\.0\.1:1/frames"):
        source.check()
    with pytest.raises(SourceLostError, match="nothing listens there"):
        next(source.frames())


def test_check_passes_for_a_topic_that_exists(broker: Broker, topic: str) -> None:
    make_source(broker, topic).check()


FAULTS: dict[str, Callable[[Frame], object]] = {
    "schema": partial(frame_message, schema=b"2"),
    "header": partial(frame_message, frame_index=None),
    "size": partial(frame_message, width=b"60000", height=b"60000"),
    "repeat": lambda frame: frame_message(Frame(make_stamp(index=0), frame.image)),
    "image": lambda frame: (b"east", b"not a picture", frame_message(frame)[2]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_message_that_is_not_a_frame_is_dead_lettered_with_the_reason(broker: Broker, topic: str, fault: str) -> None:
    good = frames(3)
    bad = FAULTS[fault](make_frame(make_stamp(index=1)))
    broker.write(topic, [frame_message(good[0]), bad, frame_message(good[2]), end_message()])  # type: ignore[list-item]
    source = make_source(broker, topic)
    assert [index for index, _ in stamps(source)] == [0, 2]
    assert source.num_bad == 1
    assert source.report().left_out == {fault: 1}
    (letter,) = broker.read(f"{topic}.dead", 1)
    headers = dict(letter.headers)
    assert headers["fault"].decode() == fault
    assert b"expected" in headers["fault_detail"]
    assert (headers["fault_topic"].decode(), headers["fault_offset"]) == (topic, b"1")
    assert (letter.key, letter.value) == (bad[0], bad[1])  # type: ignore[index]


@pytest.mark.parametrize("wrong", [time.time() + 37600, -5.0])
def test_a_time_that_the_next_frames_do_not_confirm_is_replaced(broker: Broker, topic: str, wrong: float) -> None:
    sent = [Frame(FrameStamp("east", i, wrong), frame.image) if i == 4 else frame for i, frame in enumerate(frames(12))]
    broker.write(topic, [*map(frame_message, sent), end_message()])
    source = make_source(broker, topic)
    np.testing.assert_allclose(stamps(source), [(i, i / 10) for i in range(12)], atol=1e-9)
    assert source.num_bad == 0
    assert source.report().num_times_repaired == 1


def test_a_recording_that_is_sent_again_and_again_goes_on(broker: Broker, topic: str) -> None:
    for _ in range(3):
        broker.write(topic, [*map(frame_message, frames(10)), end_message()])
    source = make_source(broker, topic, end="latest")
    np.testing.assert_allclose(stamps(source), [(i, i / 10) for i in range(30)], atol=1e-9)
    assert [gap.outcome for gap in source.report().gaps] == ["restarted", "restarted"]


def test_a_camera_whose_clock_is_ahead_loses_no_frame_and_is_named(
    broker: Broker, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    begin = time.time() + 10
    sent = [Frame(FrameStamp("east", i, begin + i / 10), picture(i)) for i in range(20)]
    broker.write(topic, [*map(frame_message, sent), end_message()])
    source = make_source(broker, topic)
    assert stamps(source) == [(frame.stamp.index, frame.stamp.captured_at) for frame in sent]
    assert source.num_bad == 0
    assert re.search(r"camera east: its times are \d+\.\d s ahead of this machine's clock", caplog.text)


def test_a_broken_picture_is_left_out_with_its_time_and_told_once(
    broker: Broker, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [*map(frame_message, frames(30)), end_message()]
    for index in (11, 12, 14):
        key, value, headers = messages[index]
        messages[index] = key, value[: len(value) // 2], headers
    broker.write(topic, messages)
    source = make_source(broker, topic)
    assert [index for index, _ in stamps(source)] == [i for i in range(30) if i not in (11, 12, 14)]
    assert source.report().bad_at == pytest.approx((1.1, 1.2, 1.4))
    assert source.report().left_out == {"image": 3}
    assert caplog.text.count("left out a bad frame") == 1


class NoUtf8(str):
    """A header name that a producer can write and no consumer can parse."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe\xfa"


def unreadable(frame: Frame) -> Message:
    key, value, headers = frame_message(frame)
    return key, value, [(NoUtf8("name"), b""), *headers]


def write_in_a_batch(broker: Broker, topic: str, messages: list[Message]) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.servers, linger_ms=500, batch_size=2**20)) as producer:
        for key, value, headers in messages:
            producer.send(topic, value, key, headers)
        producer.flush()


def test_a_message_that_the_client_library_cannot_parse_is_skipped(broker: Broker, topic: str) -> None:
    sent = frames(6)
    broker.write(topic, [*map(frame_message, sent[:2])])
    write_in_a_batch(broker, topic, [unreadable(sent[2])])
    broker.write(topic, [*map(frame_message, sent[3:]), end_message()])
    source = make_source(broker, topic)
    assert [index for index, _ in stamps(source)] == [0, 1, 3, 4, 5]
    (letter,) = broker.read(f"{topic}.dead", 1)
    assert dict(letter.headers)["fault_offset"] == b"2"


def test_a_message_that_cannot_be_parsed_costs_no_more_than_its_batch(broker: Broker, topic: str) -> None:
    sent = frames(10)
    batch = [unreadable(frame) if frame.stamp.index == 3 else frame_message(frame) for frame in sent[:6]]
    write_in_a_batch(broker, topic, batch)
    broker.write(topic, [*map(frame_message, sent[6:]), end_message()])
    source = make_source(broker, topic)
    received = [index for index, _ in stamps(source)]
    assert received[:3] == [0, 1, 2]
    assert received[-4:] == [6, 7, 8, 9]
    assert len(received) + source.num_bad == 10


def test_in_a_partition_of_its_own_another_key_is_faulty(broker: Broker, topic: str) -> None:
    stranger = (b"\xff\x00", b"?", [])
    broker.write(topic, [stranger, *map(frame_message, frames(1)), end_message()], partition=0)
    source = make_source(broker, topic, "?partition=0")
    assert len(stamps(source)) == 1
    (letter,) = broker.read(f"{topic}.dead", 1)
    assert dict(letter.headers)["fault"] == b"key"


def test_without_a_dead_letter_topic_faulty_messages_are_counted(broker: Broker, topic: str) -> None:
    broker.write(topic, [(b"east", b"?", []), end_message()])
    source = make_source(broker, topic, dead_letters=None)
    with pytest.raises(SourceLostError, match="1 faulty"):
        stamps(source)
    assert source.num_bad == 1
    assert broker.read(f"{topic}.dead") == []
