"""What a message says of a frame, in the forms in which programs publish cameras.

=========  ======================================================  ==================================================
form       value                                                   camera, time, index
=========  ======================================================  ==================================================
passerby   JPEG, PNG or H.264                                      key and headers: ``connectors.kafka.frame_message``
image      JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or JPEG 2000      key or headers
base64     such a picture as base64, also as a ``data:`` URL       key or headers
json       an object with such a base64 text in one of its fields  fields, key or headers
=========  ======================================================  ==================================================

Pickle is refused: reading it runs any code that its sender wrote.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord

from connectors.kafka.frame_message import UNREADABLE, Fault, FaultyMessageError, from_headers
from connectors.kafka.reading.json_fields import (
    INDEX_NAMES,
    START_CHARACTERS,
    TIME_NAMES,
    all_found,
    best_picture,
    camera_named,
    field_at,
    found_camera,
    from_text,
    is_json,
    is_text_of_picture,
    json_object,
    kind_of,
    named_by_key,
    only_text_time,
    picture_bytes,
)
from connectors.kafka.reading.sent_time import MIN_UNIX_S, SentTime, is_iso, parse_time
from connectors.pictures.encoded_image import Encoding, image_size, is_image
from connectors.pictures.image_header import OtherImage
from pipeline.core.errors import ConfigError

logger = logging.getLogger(__name__)

OWN_HEADERS = {"schema", "frame_index", "captured_at", "encoding"}
"""A message with one of them claims to be of the form ``passerby``."""

MAX_NAMES = 100
"""Names of other cameras that are counted one by one. More cost memory when keys are random."""


MAX_SHOWN = 5
"""Other cameras that a message names. More make a line that nobody reads."""


class Form(StrEnum):
    """How a message holds a frame."""

    AUTO = "auto"
    PASSERBY = "passerby"
    IMAGE = "image"
    BASE64 = "base64"
    JSON = "json"


class CameraBy(StrEnum):
    """What names the camera of a message."""

    AUTO = "auto"
    KEY = "key"
    HEADER = "header"
    FIELD = "field"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True, eq=False)
class SentFrame:
    """A frame as it was sent.

    Attributes:
        picture: The encoded picture; empty at the end of a recording.
        encoding: Its encoding; None: the end of a recording.
        size_hw: Height and width of the picture, pixels.
        captured_at: Unix seconds.
        index: Number of the frame; None: the message does not state it.
        is_own: Whether it is of the form ``passerby``, with a time of its own.
    """

    picture: bytes
    encoding: Encoding | OtherImage | None
    size_hw: tuple[int, int]
    captured_at: float
    index: int | None
    is_own: bool


class MessageForm:
    """Reads the messages of one camera.

    ``auto`` takes each message for what it is. From the first message of the form ``passerby`` on, it takes all for
    that.

    Args:
        camera: The name that the sender uses for the camera.
        form: One of ``Form``.
        fields: Names or dotted paths of JSON fields by ``image``, ``camera``, ``time`` and ``index``; None or left out:
            found by itself.
        camera_by: One of ``CameraBy``. ``auto``: a message is the camera's if its key, a header or a field names it,
            or if it names no camera at all.
        live: Whether times must be of this day: a clock of the sender's own is then replaced by the broker's.
        is_alone: Whether the partition belongs to the camera: another key is then a fault.
        max_image_px: Pixels of a picture, at most.
        key: Key of the settings, for messages.

    Attributes:
        num_messages: Messages that were looked at.
        others: Number of messages by the name of another camera; ``None`` for messages without a name.
        num_empty: Messages without a value: keys that were deleted in a compacted topic.

    Raises:
        ConfigError: If an option cannot be used.
    """

    def __init__(
        self,
        camera: str,
        *,
        form: str,
        fields: Mapping[str, object],
        camera_by: str,
        live: bool,
        is_alone: bool,
        max_image_px: int,
        key: str,
    ) -> None:
        self._camera = camera
        self._form: Form = _choice(Form, form, f"{key}.message")
        self._by: CameraBy = _choice(CameraBy, camera_by, f"{key}.camera_by")
        self._fields = _checked_fields(fields, key)
        self._live = live
        self._is_alone = is_alone
        self._max_image_px = max_image_px
        self._logged: set[str] = set()
        self._is_foreign = self._form not in (Form.AUTO, Form.PASSERBY)
        self.num_messages = self.num_empty = 0
        self.others: Counter[str] = Counter()

    @property
    def is_foreign(self) -> bool:
        """Whether the messages are of another program, as far as known; such a topic has no end mark."""
        return self._is_foreign

    def is_of(self, message: ConsumerRecord) -> bool:
        """Return whether a message is the camera's; counts it if not."""
        self.num_messages += 1
        if message.value is None:
            self.num_empty += 1
            return False
        if self._is_alone or self._by is CameraBy.TOPIC or _is_unreadable(message):
            return True
        names = list(self._names(message))
        if self._camera in names or not (names or self._by is not CameraBy.AUTO):
            return True
        name = names[0] if names else "(no name)"
        self.others[name if name in self.others or len(self.others) < MAX_NAMES else "(others)"] += 1
        return False

    def read(self, message: ConsumerRecord) -> SentFrame:
        """Return the frame of a message.

        Raises:
            FaultyMessageError: If it is none.
        """
        if _is_unreadable(message):
            raise FaultyMessageError(Fault.FORM, "message: expected what the client library can parse, got other bytes")
        form = self._form_of(message)
        if form is Form.PASSERBY:
            return self._own(message)
        if self._is_alone and self._by is CameraBy.AUTO and message.key and self._camera not in self._names(message):
            raise self._other_key(message)
        value: bytes = message.value or b""
        fields: dict[str, Any] = {}
        if form is Form.JSON:
            fields = json_object(value)
            value = self._picture_of(fields)
        elif form is Form.BASE64:
            value = from_text(value.decode("latin-1"))
        found = image_size(value)
        if found is None:
            raise FaultyMessageError(Fault.IMAGE, f"value: expected a picture such as a JPEG, got {kind_of(value)}")
        encoding, (height, width) = found
        if not 0 < width * height <= self._max_image_px:
            raise FaultyMessageError(
                Fault.SIZE, f"size: expected 1 to {self._max_image_px} pixels, got {width} x {height}"
            )
        return SentFrame(
            value, encoding, (height, width), self._time(message, fields), self._index(message, fields), False
        )

    def instead(self, num_others: int) -> str:
        """Return in words what came in place of the camera's messages.

        Args:
            num_others: Messages that came since its last one.
        """
        if not num_others:
            return "check that it is published"
        seen = next((name for name in self.others if name is not None), "NAME")
        return (
            f"{num_others} messages came, none of them is of {self._camera}: {self.passed_over()}; "
            f"name the camera with ?camera={seen}, or set source.kafka.camera_by=topic"
        )

    def left_out(self) -> dict[str, int]:
        """Return how many messages are none of the camera's frames, by reason."""
        return {"of another camera": sum(self.others.values()), "without a value": self.num_empty}

    def report(self, camera_id: str) -> None:
        """Log what was passed over, if anything was."""
        if passed_over := self.passed_over():
            logger.info("camera %s: of %d messages, passed over %s", camera_id, self.num_messages, passed_over)

    def passed_over(self) -> str:
        """Return in words what was passed over, and why; empty if nothing was."""
        parts = []
        if self.others:
            names = ", ".join(f"{count} of {name}" for name, count in self.others.most_common(MAX_SHOWN))
            parts.append(f"{sum(self.others.values())} of other cameras ({names})")
        if self.num_empty:
            parts.append(f"{self.num_empty} without a value")
        return ", ".join(parts)

    def _form_of(self, message: ConsumerRecord) -> Form:
        if self._form is not Form.AUTO:
            return self._form
        form = _form_of(message)
        if form is Form.PASSERBY:
            self._form = Form.PASSERBY
        self._is_foreign = form is not Form.PASSERBY
        self._tell(f"{message.topic}: messages of {self._camera} are taken for {form.value}")
        return form

    def _own(self, message: ConsumerRecord) -> SentFrame:
        if message.key != self._camera.encode():
            raise self._other_key(message)
        header = from_headers(message.headers, camera_id=self._camera, max_image_px=self._max_image_px)
        stamp = header.stamp
        return SentFrame(message.value or b"", header.encoding, header.size_hw, stamp.captured_at, stamp.index, True)

    def _other_key(self, message: ConsumerRecord) -> FaultyMessageError:
        return FaultyMessageError(Fault.KEY, f"key: expected {self._camera}, got {message.key!r:.60}")

    def _names(self, message: ConsumerRecord) -> Iterator[str]:
        """Yield what names the camera of a message: a header, a field, the key."""
        by = self._by
        if self._form is Form.PASSERBY or (by is CameraBy.AUTO and is_own(message)):
            yield named_by_key(message.key or b"")
            return
        if by in (CameraBy.AUTO, CameraBy.KEY) and message.key:
            yield named_by_key(message.key)
        if by in (CameraBy.AUTO, CameraBy.HEADER):
            name = camera_named(found_camera(_header_texts(message)))
            if name:
                yield name
        if by in (CameraBy.AUTO, CameraBy.FIELD) and _form_of(message) is Form.JSON:
            try:
                fields = json_object(message.value)
            except FaultyMessageError:
                return
            path = self._fields.get("camera")
            name = camera_named(field_at(fields, path) if path else found_camera(fields))
            if name:
                yield name

    def _picture_of(self, fields: dict[str, Any]) -> bytes:
        path = self._fields.get("image")
        found = (path, field_at(fields, path)) if path else best_picture(fields)
        picture = None if found is None else picture_bytes(found[1])
        if found is None or picture is None:
            what = f"in the field {path}" if path else "in a field"
            raise FaultyMessageError(
                Fault.IMAGE, f"value: expected a base64 picture {what}, got fields {', '.join(map(str, fields))[:100]}"
            )
        self._tell(f"the picture of {self._camera} is the field {found[0]}")
        return picture

    def _time(self, message: ConsumerRecord, fields: dict[str, Any]) -> float:
        logged = message.timestamp / 1000 if message.timestamp and message.timestamp > 0 else time.time()
        path = self._fields.get("time")
        if path:
            name, value = path, field_at(fields, path)
            if value is None:
                value = _header_texts(message).get(path)
            sent = parse_time(value, path)
            if sent is None:
                raise FaultyMessageError(
                    Fault.HEADER, f"{path}: expected ISO 8601 or Unix time, got {value!r:.60}; set source.kafka.fields"
                )
        else:
            name, sent = self._found_time(message, fields)
        if sent is not None and self._live and sent.seconds < MIN_UNIX_S:
            self._tell(f"{message.topic}: {name} is no time of this day; live frames get the broker's time")
            sent = None
        if sent is None:
            self._tell(f"{message.topic}: frames of {self._camera} get the broker's timestamp of their message")
            return logged
        self._tell(f"{message.topic}: the time of {self._camera} is {name}, {sent.form}")
        return sent.seconds

    def _found_time(self, message: ConsumerRecord, fields: dict[str, Any]) -> tuple[str, SentTime | None]:
        for where in (fields, _header_texts(message)):
            for name, value in all_found(where, TIME_NAMES):
                sent = parse_time(value, name)
                if sent is not None:
                    return name, sent
        only = only_text_time(fields, is_iso)
        return ("", None) if only is None else (only[0], parse_time(only[1]))

    def _index(self, message: ConsumerRecord, fields: dict[str, Any]) -> int | None:
        path = self._fields.get("index")
        values = (
            [field_at(fields, path)]
            if path
            else [value for where in (fields, _header_texts(message)) for _, value in all_found(where, INDEX_NAMES)]
        )
        for value in values:
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
                value = int(value)
            if type(value) is int and 0 <= value < 2**53:
                return value
        return None

    def _tell(self, line: str) -> None:
        if line not in self._logged and len(self._logged) < MAX_NAMES:
            self._logged.add(line)
            logger.info("%s", line)


def is_own(message: ConsumerRecord) -> bool:
    """Return whether a message claims to be of the form ``passerby``."""
    return any(name in OWN_HEADERS for name, _ in message.headers[:32])


def _is_unreadable(message: ConsumerRecord) -> bool:
    return len(message.headers) == 1 and message.headers[0][0] == UNREADABLE


def _form_of(message: ConsumerRecord) -> Form:
    """Return the form of a message; ``image`` where it is none of the others."""
    value: bytes = message.value or b""
    if is_own(message):
        names = {name for name, _ in message.headers[:32]}
        if len(names & OWN_HEADERS) > 1 or not is_image(value[:32]):
            return Form.PASSERBY
    if is_image(value[:32]):
        return Form.IMAGE
    start = value[:START_CHARACTERS]
    if is_json(start):
        return Form.JSON
    if is_text_of_picture(start.decode("latin-1")):
        return Form.BASE64
    return Form.IMAGE


def _header_texts(message: ConsumerRecord) -> dict[str, str]:
    return {name: (value or b"")[:256].decode(errors="replace") for name, value in message.headers[:32]}


def _checked_fields(fields: Mapping[str, object], key: str) -> dict[str, str]:
    for name, path in fields.items():
        if name not in ("image", "camera", "time", "index") or not (path is None or (isinstance(path, str) and path)):
            raise ConfigError(
                f"{key}.fields.{name}: expected the path of a field for image, camera, time or index, got {path!r}"
            )
    return {name: str(path) for name, path in fields.items() if path is not None}


def _choice(kind: Any, value: str, key: str) -> Any:
    if value not in list(kind):
        raise ConfigError(f"{key}: expected one of {', '.join(kind)}, got {value!r}; correct it")
    return kind(value)
