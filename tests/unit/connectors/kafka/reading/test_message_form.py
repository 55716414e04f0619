"""What is read from a message, without a broker: ways in which programs write pictures, cameras and times."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import cv2
import numpy as np
import pytest
from clips import picture
from kafka.consumer.fetcher import ConsumerRecord
from kafka_broker import Message

from connectors.kafka.frame_message import FaultyMessageError
from connectors.kafka.reading.message_form import MessageForm

AT = 1_790_000_000.25
JPEG = cv2.imencode(".jpg", np.asarray(picture(3)))[1].tobytes()
TEXT = base64.b64encode(JPEG).decode()
ISO = datetime.fromtimestamp(AT, UTC).isoformat()
LOGGED_S = 1_790_000_007.0
"""The broker's timestamp of every message, Unix seconds."""


def wire(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def record(message: Message) -> ConsumerRecord:
    key, value, headers = message
    at_ms = round(LOGGED_S * 1000)
    return ConsumerRecord("frames", 0, -1, 0, at_ms, 0, key, value, headers, None, len(key or b""), len(value), 0)


def make_form(**options: object) -> MessageForm:
    defaults = {
        "form": "auto",
        "fields": {},
        "camera_by": "auto",
        "live": False,
        "is_alone": False,
        "max_image_px": 10**7,
        "key": "site.cameras.east",
    }
    return MessageForm("east", **{**defaults, **options})  # type: ignore[arg-type]


WITH_TIME: dict[str, Callable[[], Message]] = {
    "a field beside a random key": lambda: (uuid4().bytes, wire(cameraId="east", capturedAt=AT * 1000, data=TEXT), []),
    "bytes as Python shows them": lambda: (None, wire(camera="east", ts=AT, frame=str(TEXT.encode())), []),
    "hexadecimal digits": lambda: (None, wire(camera="east", ts=AT, frame=JPEG.hex()), []),
    "hexadecimal digits in capitals": lambda: (None, wire(camera="east", ts=AT, frame="0x" + JPEG.hex().upper()), []),
    "a list of one object": lambda: (None, json.dumps([{"cam": "east", "ts": AT, "img": TEXT}]).encode(), []),
    "a mark of UTF-8 before it": lambda: (None, b"\xef\xbb\xbf" + wire(cam="east", ts=AT, img=TEXT), []),
    "seconds and nanoseconds of ROS 2": lambda: (
        None,
        wire(header={"stamp": {"sec": int(AT), "nanosec": 250_000_000}, "frame_id": "lens"}, data=TEXT),
        [],
    ),
    "seconds and nanos of Protocol Buffers": lambda: (
        b"east",
        wire(timestamp={"seconds": str(int(AT)), "nanos": 250_000_000}, image=TEXT),
        [],
    ),
    "a date of MongoDB": lambda: (None, wire(cam="east", timestamp={"$date": ISO}, image=TEXT), []),
    "a number in a date of MongoDB": lambda: (
        None,
        wire(cam="east", timestamp={"$date": {"$numberLong": str(round(AT * 1000))}}, image=TEXT),
        [],
    ),
    "an envelope of Kafka Connect": lambda: (
        b'{"schema":{"type":"string"},"payload":"east"}',
        wire(schema={"type": "struct"}, payload={"ts": round(AT * 1000), "img": TEXT}),
        [],
    ),
    "a comma before the fraction": lambda: (
        None,
        wire(cam="east", time=ISO[:19].replace("T", " ") + ",250", image=TEXT),
        [],
    ),
    "headers that begin with X": lambda: (
        None,
        JPEG,
        [("X-Camera-Id", b"east"), ("x-timestamp", repr(AT).encode()), ("Content-Type", b"image/jpeg")],
    ),
}
WITHOUT_TIME: dict[str, Callable[[], Message]] = {
    "base64 in quotes, as PHP writes it": lambda: (b"east", f'"{TEXT}"'.replace("/", "\\/").encode(), []),
    "base64 as Python shows bytes": lambda: (b"east", repr(base64.encodebytes(JPEG)).encode(), []),
    "hexadecimal digits": lambda: (b"east", JPEG.hex().encode(), []),
    "JSON as key": lambda: (b'{"camera": "east"}', JPEG, []),
    "a time that is no number of seconds": lambda: (b"east", wire(time={"seconds": "soon"}, image=TEXT), []),
}


@pytest.mark.parametrize("form", WITH_TIME)
def test_picture_camera_and_time_are_found(form: str) -> None:
    reader, message = make_form(), record(WITH_TIME[form]())
    assert reader.is_of(message)
    sent = reader.read(message)
    assert (sent.picture, sent.captured_at) == (JPEG, AT)


@pytest.mark.parametrize("form", WITHOUT_TIME)
def test_a_message_without_a_time_gets_that_of_the_broker(form: str) -> None:
    reader, message = make_form(), record(WITHOUT_TIME[form]())
    assert reader.is_of(message)
    sent = reader.read(message)
    assert (sent.picture, sent.captured_at) == (JPEG, LOGGED_S)


@pytest.mark.parametrize("form", {**WITH_TIME, **WITHOUT_TIME})
def test_a_message_of_a_named_camera_is_no_other_cameras(form: str) -> None:
    message = record({**WITH_TIME, **WITHOUT_TIME}[form]())
    is_named = form != "seconds and nanoseconds of ROS 2"
    reader = MessageForm(
        "west", form="auto", fields={}, camera_by="auto", live=False, is_alone=False, max_image_px=10**7, key="k"
    )
    assert reader.is_of(message) is not is_named


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (json.dumps([{"img": TEXT}, {"img": TEXT}]).encode(), "a list of 2; send each frame by itself"),
        (b"ffd8ff" + b"zz" * 9, "expected base64, got other text"),
        (wire(frame="0xffd8ffg"), "expected base64, got other text"),
        (wire(frame=TEXT[:5]), "expected base64, got other text"),
    ],
)
def test_what_is_no_picture_is_said(value: bytes, said: str) -> None:
    with pytest.raises(FaultyMessageError, match=said):
        make_form().read(record((b"east", value, [])))


SMALL = base64.b64encode(cv2.imencode(".jpg", np.zeros((44, 80, 3), np.uint8))[1].tobytes()).decode()
LARGE = base64.b64encode(cv2.imencode(".png", np.zeros((180, 320, 3), np.uint8))[1].tobytes()).decode()
TWO_PICTURES: dict[str, tuple[dict[str, object], str]] = {
    "a thumbnail before the image": ({"thumbnail": SMALL, "image": LARGE}, "image"),
    "a better name is smaller": ({"mask": LARGE, "image": SMALL}, "image"),
    "a name with its encoding": ({"preview": LARGE, "image_b64": SMALL}, "image_b64"),
    "no known name: the larger": ({"a": SMALL, "b": LARGE, "c": SMALL}, "b"),
    "two below one known name": ({"image": {"small": SMALL, "big": LARGE}}, "image.big"),
    "deeper, with a known name": ({"crop": LARGE, "payload": {"frame": SMALL}}, "payload.frame"),
    "numbers of Node.js": (
        {
            "thumbnail": {"type": "Buffer", "data": list(base64.b64decode(SMALL))},
            "snapshot": {"type": "Buffer", "data": list(base64.b64decode(LARGE))},
        },
        "snapshot.data",
    ),
}


@pytest.mark.parametrize("case", TWO_PICTURES)
def test_of_two_pictures_the_best_named_or_the_larger_is_taken_and_that_is_said(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields, path = TWO_PICTURES[case]
    with caplog.at_level("INFO"):
        frame = make_form().read(record((b"east", wire(**fields), [])))
    chosen: object = fields
    for name in path.split("."):
        chosen = chosen[name]  # type: ignore[index]
    assert frame.size_hw == ((180, 320) if chosen in (LARGE, list(base64.b64decode(LARGE))) else (44, 80))
    assert f"the picture of east is the field {path}" in caplog.text
