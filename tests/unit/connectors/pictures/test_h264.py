"""Frames as H.264: each unit needs the units before it."""

import threading
import time
from itertools import islice

import numpy as np
import pytest
from clips import HW, picture
from factories import make_stamp
from hypothesis import given
from hypothesis import strategies as st
from kafka_broker import Broker, Message, end_message, wait_for
from kafka_source import make_source, publish, stamps

from connectors.kafka.frame_message import FrameHeader, to_headers
from connectors.kafka.reading.topic_reading import ReadUpTo, TopicReading
from connectors.pictures import h264
from connectors.pictures.encoded_image import Encoding
from connectors.pictures.h264 import H264Decoder, H264Encoder, is_key_frame
from pipeline.core import Frame
from pipeline.core.errors import FrameDecodeError

KEY_EVERY = 5
NUM_FRAMES = 20


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h264, "KEY_EVERY", KEY_EVERY)


def encoded(count: int = NUM_FRAMES, hw: tuple[int, int] = HW) -> list[bytes]:
    encoder = H264Encoder()
    return [encoder.encode(picture(index, hw=hw)) for index in range(count)]


def message(index: int, unit: bytes, hw: tuple[int, int] = HW) -> Message:
    return b"east", unit, to_headers(FrameHeader(make_stamp(index=index), hw, Encoding.H264))


def publish_h264(broker: Broker, topic: str, count: int) -> None:
    frames = [Frame(make_stamp(index=index), picture(index)) for index in range(count)]
    publish(broker, topic, frames, Encoding.H264)


def test_every_picture_is_decoded_at_once_and_changes_little() -> None:
    decoder = H264Decoder()
    for index, unit in enumerate(encoded()):
        assert is_key_frame(unit) == (index % KEY_EVERY == 0)
        assert abs(decoder.decode(unit, HW).astype(int) - picture(index)).mean() < 3


@pytest.mark.parametrize("hw", [(64, 64), (121, 161), (720, 1280)])
def test_pictures_of_any_size_pass(hw: tuple[int, int]) -> None:
    decoder = H264Decoder()
    assert [decoder.decode(unit, hw).shape[:2] for unit in encoded(2, hw)] == [hw, hw]


def test_a_change_of_size_makes_a_key_frame() -> None:
    encoder, decoder = H264Encoder(), H264Decoder()
    for hw in (HW, (64, 64)):
        assert decoder.decode(encoder.encode(picture(0, hw=hw)), hw).shape[:2] == hw


def test_decoding_cannot_begin_without_a_key_frame() -> None:
    decoder = H264Decoder()
    with pytest.raises(FrameDecodeError, match="expected a key frame"):
        decoder.decode(encoded()[1], HW)
    assert not decoder.has_begun


def test_after_a_broken_unit_decoding_continues_at_the_next_key_frame() -> None:
    units, decoder = encoded(), H264Decoder()
    units[7] = units[7][: len(units[7]) // 2]
    read = []
    for index, unit in enumerate(units):
        try:
            decoder.decode(unit, HW)
            read.append(index)
        except FrameDecodeError:
            pass
    assert read == [0, 1, 2, 3, 4, 5, 6, *range(10, NUM_FRAMES)]


def test_a_picture_that_is_larger_than_announced_is_refused() -> None:
    (unit,) = encoded(1, (720, 1280))
    with pytest.raises(FrameDecodeError):
        H264Decoder().decode(unit, HW)


@given(st.binary(max_size=400), st.integers(0, 200))
def test_any_bytes_give_a_picture_or_an_error(junk: bytes, at: int) -> None:
    first, second = encoded(2)
    decoder = H264Decoder()
    decoder.decode(first, HW)
    for data in (junk, second[:at] + junk + second[at + len(junk) :], b"\0\0\1" + junk):
        try:
            assert decoder.decode(data, HW).shape == (*HW, 3)
        except FrameDecodeError:
            assert not decoder.has_begun
            decoder.decode(first, HW)


@pytest.mark.kafka
def test_a_recording_arrives_complete(broker: Broker) -> None:
    topic = broker.make_topic()
    publish_h264(broker, topic, NUM_FRAMES)
    received = list(make_source(broker, topic).frames())
    assert [frame.stamp for frame in received] == [make_stamp(index=index) for index in range(NUM_FRAMES)]
    for index, frame in enumerate(received):
        assert abs(frame.image.astype(int) - picture(index)).mean() < 3


@pytest.mark.kafka
def test_units_that_cannot_be_decoded_are_dead_lettered_up_to_the_next_key_frame(broker: Broker) -> None:
    topic = broker.make_topic()
    units = encoded()
    units[7] = b"\0\0\1\x01not a picture"
    sent = [message(index, unit) for index, unit in enumerate(units)][1:]
    broker.write(topic, [*sent, end_message()])
    source = make_source(broker, topic)
    assert [index for index, _ in stamps(source)] == [5, 6, *range(10, NUM_FRAMES)]
    letters = broker.read(f"{topic}.dead", 7)
    assert source.num_bad == len(letters) == 7
    details = [dict(letter.headers)["fault_detail"].decode() for letter in letters]
    assert {dict(letter.headers)["fault"] for letter in letters} == {b"image"}
    assert [index for index, text in enumerate(details) if "expected a key frame" in text] == [0, 1, 2, 3, 5, 6]


@pytest.mark.kafka
@pytest.mark.parametrize("taken", [5, 8, 9])
def test_a_group_continues_between_two_key_frames(broker: Broker, taken: int) -> None:
    topic = broker.make_topic()
    publish_h264(broker, topic, NUM_FRAMES)
    source = make_source(broker, topic, group=topic)
    received = list(islice(source.frames(), taken + 3))
    source.close()
    source.ack(received[taken - 1].stamp)
    source.close()
    again = make_source(broker, topic, group=topic)
    rest = list(again.frames())
    first = rest[0].stamp.index
    # Tansu does not store the metadata of an offset: frames from the key frame on are yielded a second time.
    assert first in (taken, (taken - 1) // KEY_EVERY * KEY_EVERY)
    assert [frame.stamp.index for frame in rest] == list(range(first, NUM_FRAMES))
    assert again.num_bad == 0
    np.testing.assert_array_equal(rest[0].image, received[first].image)


@pytest.mark.kafka
def test_units_before_the_committed_frame_are_decoded_and_not_yielded_again(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = broker.make_topic()
    publish_h264(broker, topic, NUM_FRAMES)
    read = {0: ReadUpTo(5, known_before=8)}
    monkeypatch.setattr(TopicReading, "committed", lambda _: read)  # as Apache Kafka answers
    source = make_source(broker, topic, group=topic)
    assert [index for index, _ in stamps(source)] == list(range(8, NUM_FRAMES))
    assert source.num_bad == 0


@pytest.mark.kafka
def test_another_process_continues_between_two_key_frames(broker: Broker) -> None:
    topic = broker.make_topic()
    publish_h264(broker, topic, NUM_FRAMES)
    whole = list(make_source(broker, topic).frames())
    source = make_source(broker, topic)
    source.resume(whole[7].stamp)
    rest = list(source.frames())
    assert [frame.stamp for frame in rest] == [frame.stamp for frame in whole[8:]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(rest, whole[8:], strict=True))


@pytest.mark.kafka
def test_a_live_camera_begins_at_the_next_key_frame_and_counts_every_unit(broker: Broker) -> None:
    topic = broker.make_topic()
    sent = [message(index, unit) for index, unit in enumerate(encoded())]
    source = make_source(broker, topic, live=True)
    received: list[Frame] = []

    def read() -> None:
        for frame in source.frames():
            received.append(frame)
            time.sleep(0.05)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(1.0)
    broker.write(topic, sent[2:])
    wait_for(lambda: received and received[-1].stamp.index == NUM_FRAMES - 1)
    source.close()
    thread.join()
    assert received[0].stamp.index >= KEY_EVERY
    assert len(received) + source.num_dropped == len(sent) - 2
    assert source.num_bad == 0
    for frame in received:
        assert abs(frame.image.astype(int) - picture(frame.stamp.index)).mean() < 3
