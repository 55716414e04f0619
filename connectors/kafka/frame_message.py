"""Frames on the wire: the picture, or what H.264 has of it, is the value, everything else stands in headers.

``passerby.asyncapi.yaml`` in ``connectors/schemas`` describes this for others.
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
"""In place of an encoding: the recording is over; no picture."""

MAX_HEADERS = 32
MAX_HEADER_BYTES = 256
MAX_INDEX = 2**53

Headers = Sequence[tuple[str, bytes]]


class Fault(StrEnum):
    """Why a message is no frame; the ``reason`` of a dead letter."""

    KEY = "key"
    SCHEMA = "schema"
    HEADER = "header"
    SIZE = "size"
    FUTURE = "future"
    ORDER = "order"
    IMAGE = "image"


class FaultyMessageError(WireFormatError):
    """A message is no frame.

    Args:
        fault: Why, in one word.
        message: In more.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What is said of a picture.

    Attributes:
        stamp: As the sender says.
        size_hw: Height and width, pixels.
        encoding: Of the value; None if there is none, because the recording is over.
    """

    stamp: FrameStamp
    size_hw: tuple[int, int]
    encoding: Encoding | None


def to_headers(header: FrameHeader) -> list[tuple[str, bytes]]:
    """Return the headers of a message; times lose nothing on the way."""
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
    """Return what the headers of a message say; headers of other names are ignored.

    Args:
        headers: As they came.
        camera_id: Whose they must be.
        max_image_px: Pixels of a picture, at most.

    Raises:
        FaultyMessageError: If they do not follow the format; names the header.
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
