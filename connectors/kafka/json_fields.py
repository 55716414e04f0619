"""Finds a picture, and what is said of it, in messages that other programs write as JSON or base64."""

import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from connectors.kafka.frame_message import Fault, FaultyMessageError

CAMERA_NAMES = ("cameraid", "camera", "camid", "cam", "cameraname", "camname", "deviceid", "streamid", "sensorid")
TIME_NAMES = (
    *("capturedat", "timestamp", "capturetime", "frametimestamp", "frametime", "time", "ts", "datetime", "eventtime"),
    *("takenat", "taken", "recordedat", "createdat", "sentat", "publishedat", "date", "epoch", "t"),
)
INDEX_NAMES = ("frameindex", "frameid", "framenumber", "frameno", "framenum", "framecount", "index", "seq", "frame")
"""Names of fields and headers that are found by themselves, without their punctuation and unit, best first."""

MAX_DEPTH = 3
"""How deep in a JSON object fields are looked for. More finds more, and costs time where there is no picture."""

PICKLE = re.compile(rb"\x80[\x02-\x05]", re.DOTALL)
BASE64_PICTURE = re.compile(r"\s*\"?(?:data:image/[a-z+]+;base64,)?(/9j/|_9j_|iVBORw0KGgo)")
"""How the base64 text of a JPEG or a PNG begins."""

FIRST_BYTES = ([0xFF, 0xD8, 0xFF], [0x89, 0x50, 0x4E])
"""How a JPEG or a PNG begins that was written as a list of numbers."""

NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]+")
URL_SAFE = str.maketrans("-_", "+/")
SCHEMA_REGISTRY_BYTES = 5
"""A zero byte and the number of a schema, which serialisers of a schema registry put before JSON."""


def kind_of(value: bytes) -> str:
    """Return in words what a value that is no picture is."""
    if PICKLE.match(value):
        return "pickle, which is refused because reading it runs any code that its sender wrote; send the JPEG itself"
    if value[:4] == b"RIFF" and value[8:12] == b"WEBP":
        return "WebP"
    return f"{len(value)} bytes that begin with {value[:8]!r}"


def json_object(value: bytes) -> dict[str, Any]:
    """Return the JSON object of a value.

    Raises:
        FaultyMessageError: If it is none.
    """
    if value[:1] == b"\0":
        value = value[SCHEMA_REGISTRY_BYTES:]
    try:
        found = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaultyMessageError(Fault.FORM, f"value: expected a JSON object, got {kind_of(value)}: {error}") from error
    if not isinstance(found, dict):
        raise FaultyMessageError(Fault.FORM, f"value: expected a JSON object, got {type(found).__name__}")
    return found


def from_base64(text: str) -> bytes:
    """Return the bytes of a base64 text, with or without padding, line breaks, quotes or ``data:…,`` before it.

    Raises:
        FaultyMessageError: If it is none.
    """
    if text.lstrip('" \n')[:5] == "data:":
        text = text.partition(",")[2]
    plain = NOT_BASE64.sub("", text.translate(URL_SAFE))
    try:
        return binascii.a2b_base64(plain + "=" * (-len(plain) % 4))
    except binascii.Error as error:
        raise FaultyMessageError(Fault.IMAGE, f"value: expected base64, got other text: {error}") from error


def field_at(fields: Mapping[str, Any], path: str) -> Any:
    """Return the field at a name or a dotted path; None if there is none."""
    if path in fields:
        return fields[path]
    found: Any = fields
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def first_found(fields: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, Any] | None:
    """Return the best of the fields that bear one of the names; None if there is none."""
    return next(all_found(fields, names), None)


def all_found(fields: Mapping[str, Any], names: tuple[str, ...], depth: int = 1) -> Iterator[tuple[str, Any]]:
    """Yield the fields that bear one of the names, outer ones first, in the order of the names."""
    plain = {_plain(name): (name, value) for name, value in reversed(list(fields.items()))}
    yield from (plain[name] for name in names if name in plain)
    if depth < MAX_DEPTH:
        for value in fields.values():
            if isinstance(value, dict):
                yield from all_found(value, names, depth + 1)


def only_text_time(fields: Mapping[str, Any], is_time: Callable[[Any], bool]) -> tuple[str, Any] | None:
    """Return the only text that is a time, whatever its name; None if there is none or several."""
    found = [(name, value) for name, value in _leaves(fields, 1) if isinstance(value, str) and is_time(value)]
    return found[0] if len(found) == 1 else None


def _leaves(fields: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            yield from _leaves(value, depth + 1)
        elif not isinstance(value, dict):
            yield name, value


def _plain(name: str) -> str:
    plain = re.sub(r"[_.\- ]", "", name.lower())
    return re.sub(r"(?<=.)(?:unix|epoch|utc|ms|millis|us|ns|sec|seconds)$", "", plain)


def pictures(fields: Mapping[str, Any], depth: int = 1) -> Iterator[Any]:
    """Yield the fields that look like a picture, outer ones first."""
    for value in fields.values():
        is_text = isinstance(value, str) and BASE64_PICTURE.match(value[:100])
        if is_text or (isinstance(value, list) and value[:3] in FIRST_BYTES):
            yield value
    if depth < MAX_DEPTH:
        for value in fields.values():
            if isinstance(value, dict):
                yield from pictures(value, depth + 1)
