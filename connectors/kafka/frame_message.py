"""Frames as Kafka messages: the value is the encoded picture, the headers hold everything else.

``connectors/schemas/passerby.asyncapi.yaml`` describes the format for other programs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.kafka.trace_context import HEADER, frame_traceparent
from connectors.pictures.encoded_image import Encoding
from pipeline.core import FrameStamp
from pipeline.core.errors import WireFormatError

SCHEMA = 1
END = "end"
"""In place of an encoding: the recording is over, and the message has no picture."""

MAX_HEADERS = 32
MAX_HEADER_BYTES = 256
"""A message with more or longer headers is faulty. Higher limits cost memory when a sender misbehaves."""

MAX_INDEX = 2**53
"""Highest frame index: up to here JSON readers that use floats keep every integer."""

UNREADABLE = "unreadable"
"""Name of the header of a message that kafka-python cannot parse. No producer writes it."""

Headers = Sequence[tuple[str, bytes]]


class Fault(StrEnum):
    """Why a message is not a frame; the header ``fault`` of a dead letter."""

    KEY = "key"
    SCHEMA = "schema"
    FORM = "form"
    HEADER = "header"
    SIZE = "size"
    REPEAT = "repeat"
    IMAGE = "image"


class FaultyMessageError(WireFormatError):
    """A message is not a frame.

    Args:
        fault: The reason, in one word.
        message: The reason, in detail.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the headers of a message say.

    Attributes:
        stamp: Camera, index and time, as sent.
        size_hw: Height and width of the picture, pixels.
        encoding: Encoding of the value; None at the end of a recording, where there is no picture.
    """

    stamp: FrameStamp
    size_hw: tuple[int, int]
    encoding: Encoding | None


def to_headers(header: FrameHeader) -> list[tuple[str, bytes]]:
    """Return the headers of a message. Times are written so that reading returns the same float."""
    stamp, (height, width) = header.stamp, header.size_hw
    texts = {
        "schema": str(SCHEMA),
        "camera_id": stamp.camera_id,
        "frame_index": str(stamp.index),
        "captured_at": repr(float(stamp.captured_at)),
        "width": str(width),
        "height": str(height),
        "encoding": END if header.encoding is None else header.encoding.value,
        HEADER: frame_traceparent(stamp.camera_id, stamp.captured_at),
    }
    return [(name, text.encode()) for name, text in texts.items()]


def from_headers(headers: Headers, *, camera_id: str, max_image_px: int) -> FrameHeader:
    """Parse the headers of a message; headers with other names are ignored.

    Args:
        headers: As received.
        camera_id: The camera that they must name.
        max_image_px: Pixels of a picture, at most.

    Raises:
        FaultyMessageError: If they do not follow the format. The message names the header.
    """
    texts = _texts(headers)
    if texts.get("schema") != str(SCHEMA):
        raise FaultyMessageError(
            Fault.SCHEMA, f"schema: expected {SCHEMA}, got {_short(texts.get('schema'))}; update the older side"
        )
    if texts.get("camera_id") != camera_id:
        raise FaultyMessageError(Fault.HEADER, f"camera_id: expected {camera_id}, got {_short(texts.get('camera_id'))}")
    stamp = FrameStamp(camera_id, _whole(texts, "frame_index", MAX_INDEX), _seconds(texts, "captured_at"))
    encoding = texts.get("encoding")
    if encoding == END:
        return FrameHeader(stamp, (0, 0), None)
    if encoding not in list(Encoding):
        raise FaultyMessageError(
            Fault.HEADER, f"encoding: expected one of {', '.join(Encoding)}, {END}, got {_short(encoding)}"
        )
    width, height = (_whole(texts, side, MAX_INDEX) for side in ("width", "height"))
    if not 0 < width * height <= max_image_px:
        raise FaultyMessageError(Fault.SIZE, f"size: expected 1 to {max_image_px} pixels, got {width} x {height}")
    return FrameHeader(stamp, (height, width), Encoding(encoding))


class FrameNumbering:
    """Numbers the frames of one camera so that indices increase even when the sender starts again from 0.

    Args:
        last: The previous frame; None: there was none.
    """

    def __init__(self, last: FrameStamp | None = None) -> None:
        self._last = last
        self._shift = 0

    @property
    def next_index(self) -> int:
        """The index of a frame that was sent without one."""
        return 0 if self._last is None else self._last.index + 1 - self._shift

    def stamp(self, camera_id: str, sent: FrameStamp) -> FrameStamp:
        """Return the stamp of a frame that was sent with the index of ``sent``; its time is taken as it is."""
        if self._last is not None and sent.index + self._shift <= self._last.index:
            self._shift = self._last.index + 1 - sent.index
        self._last = FrameStamp(camera_id, sent.index + self._shift, sent.captured_at)
        return self._last


def _texts(headers: Headers) -> dict[str, str]:
    if len(headers) > MAX_HEADERS:
        raise FaultyMessageError(Fault.HEADER, f"headers: expected at most {MAX_HEADERS}, got {len(headers)}")
    texts: dict[str, str] = {}
    for name, value in headers:
        try:
            text = value[: MAX_HEADER_BYTES + 1].decode() if value is not None else ""
        except UnicodeDecodeError as error:
            raise FaultyMessageError(Fault.HEADER, f"{_short(name)}: expected UTF-8, got other bytes") from error
        if len(text) > MAX_HEADER_BYTES or name in texts:
            raise FaultyMessageError(
                Fault.HEADER, f"{_short(name)}: expected once, at most {MAX_HEADER_BYTES} bytes, got more"
            )
        texts[name] = text
    return texts


def _whole(texts: dict[str, str], name: str, highest: int) -> int:
    text = texts.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= highest):
        raise FaultyMessageError(Fault.HEADER, f"{name}: expected a whole number, got {_short(texts.get(name))}")
    return int(text)


def _seconds(texts: dict[str, str], name: str) -> float:
    try:
        value = float(texts.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FaultyMessageError(Fault.HEADER, f"{name}: expected Unix seconds, got {_short(texts.get(name))}")
    return value


def _short(text: str | None) -> str:
    return "nothing" if text is None else repr(text[:40])
