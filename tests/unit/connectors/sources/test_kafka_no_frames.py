"""A recording in a topic of which no frame came is an error of its camera, which says why."""

import base64
import json

import cv2
import numpy as np
import pytest
from clips import picture
from kafka_broker import Broker, Message, end_message, frame_message
from kafka_source import frames, make_source, stamps

from connectors.pictures.encoded_image import Encoding, encode_image
from pipeline.core.errors import SourceLostError

pytestmark = pytest.mark.kafka


def jpeg(index: int) -> bytes:
    return encode_image(np.asarray(picture(index)), Encoding.JPEG, quality=90)


def lists_in_json(index: int) -> Message:
    return None, json.dumps({"frames": [index]}).encode(), []


NOT_OF_NORD = [(b"east", jpeg(index), []) for index in range(20)] + [(b"west", jpeg(index), []) for index in range(10)]
CASES: dict[str, tuple[list[Message], dict[str, object], str]] = {
    "an empty topic": ([], {}, r"no message from start=earliest on; check that frames are published there"),
    "a wrong name": (
        NOT_OF_NORD,
        {"camera_id": "nord"},
        r"30 messages came, .*of other cameras \(20 of east, 10 of west\).*name the camera with \?camera=(east|west)",
    ),
    "a start behind the last message": (
        [(None, jpeg(index), []) for index in range(5)],
        {"start": "latest"},
        r"no message from start=latest on",
    ),
    "lists of frames in JSON": (
        [lists_in_json(index) for index in range(7)],
        {},
        r"7 messages came, .*7 faulty .*expected a base64 picture in a field, got fields frames",
    ),
    "raw pixels": (
        [(b"east", np.asarray(picture(index)).tobytes(), []) for index in range(4)],
        {},
        r"4 messages came, .*4 faulty .*bytes that begin with",
    ),
    "deleted keys and others": ([(b"west", jpeg(0), []), (b"east", None, [])], {}, "1 without a value"),  # type: ignore[list-item]
    "an end mark alone": ([end_message()], {"end": "mark"}, "1 message came, 1 of them the mark of its end"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_recording_without_a_frame_says_what_came(broker: Broker, case: str) -> None:
    messages, options, words = CASES[case]
    topic = broker.make_topic(partitions=2)
    broker.write(topic, messages)
    source = make_source(broker, topic, **{"end": "latest", **options})  # type: ignore[arg-type]
    with pytest.raises(SourceLostError, match=rf"kafka://.*/{topic}: expected frames of .*, got none: .*{words}"):
        stamps(source)


def test_a_group_that_has_read_a_recording_finds_nothing_more_and_that_is_no_error(broker: Broker) -> None:
    topic = broker.make_topic()
    broker.write(topic, [*map(frame_message, frames(5)), end_message()])
    options = {"end": "latest", "group": topic}
    first = make_source(broker, topic, **options)  # type: ignore[arg-type]
    for frame in first.frames():
        first.ack(frame.stamp)
    first.close()
    assert stamps(make_source(broker, topic, **options)) == []  # type: ignore[arg-type]
    again = stamps(make_source(broker, topic, **options, reread=True))  # type: ignore[arg-type]
    assert [index for index, _ in again] == [0, 1, 2, 3, 4]


def test_a_resumed_run_that_had_every_frame_is_no_error(broker: Broker) -> None:
    topic = broker.make_topic()
    sent = frames(5)
    broker.write(topic, [*map(frame_message, sent), end_message()])
    source = make_source(broker, topic)
    source.resume(sent[-1].stamp)
    assert stamps(source) == []


@pytest.mark.parametrize("suffix", [".webp", ".bmp", ".tiff", ".gif", ".jp2", ".avif"])
def test_pictures_of_other_kinds_are_read(broker: Broker, suffix: str) -> None:
    topic = broker.make_topic()
    pictures = [
        cv2.imencode(suffix, cv2.cvtColor(np.asarray(picture(index)), cv2.COLOR_RGB2BGR))[1].tobytes()
        for index in range(6)
    ]
    text = [base64.b64encode(each) for each in pictures]
    values = [*pictures[:2], *text[2:4], *(json.dumps({"image": each.decode()}).encode() for each in text[4:])]
    broker.write(topic, [(b"east", value, []) for value in values])
    source = make_source(broker, topic, end="latest")
    received = list(source.frames())
    assert len(received) == 6, source.report()
    for index, frame in enumerate(received):
        off = abs(frame.image.astype(int) - picture(index)).mean()
        assert off < (30 if suffix == ".gif" else 8)  # a GIF has few colours
