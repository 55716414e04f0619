"""Finds a picture, and what is said of it, in messages that other programs write as JSON or base64."""

import binascii
import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from connectors.kafka.frame_message import Fault, FaultyMessageError

CAMERA_NAMES = ("cameraid", "camera", "camid", "cam", "cameraname", "camname", "deviceid", "streamid", "sensorid")
TIME_NAMES = (
    *("capturedat", "timestamp", "capturetime", "frametimestamp", "frametime", "time", "ts", "datetime", "eventtime"),
    *("stamp", "takenat", "taken", "recordedat", "createdat", "sentat", "publishedat", "date", "epoch", "t"),
)
INDEX_NAMES = ("frameindex", "frameid", "framenumber", "frameno", "framenum", "framecount", "index", "seq", "frame")
"""Names of fields and headers that are found by themselves, without their punctuation and unit, best first."""

MAX_DEPTH = 3
"""How deep in a JSON object fields are looked for. More finds more, and costs time where there is no picture."""

PICKLE = re.compile(rb"\x80[\x02-\x05]", re.DOTALL)
QUOTED = re.compile(r"""\s*(?:b'|b"|"|')""")
"""How a text begins that was written with its quotes: as JSON, or as Python shows bytes (``str(b64encode(…))``)."""

BASE64_PICTURE = re.compile(rf"(?:{QUOTED.pattern})?\s*(?:data:image/[a-z+]+;base64,)?(\\?/9j\\?/|_9j_|iVBORw0KGgo)")
"""How the base64 text of a JPEG or a PNG begins. PHP writes ``\\/`` for ``/``."""

HEX_PICTURE = re.compile(r"\s*(?:0x)?(ffd8ff|89504e47)", re.IGNORECASE)
"""How the hexadecimal text of a JPEG or a PNG begins."""

JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*\{)")
"""How a JSON object begins, alone or in a list, with or without a mark of UTF-8."""

FIRST_BYTES = ([0xFF, 0xD8, 0xFF], [0x89, 0x50, 0x4E])
"""How a JPEG or a PNG begins that was written as a list of numbers."""

NOT_BASE64 = re.compile(r"\\[nr]|[^A-Za-z0-9+/]+")
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
        found = msgspec.json.decode(value.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaultyMessageError(Fault.FORM, f"value: expected a JSON object, got {kind_of(value)}: {error}") from error
    if isinstance(found, list) and len(found) == 1:
        (found,) = found
    if not isinstance(found, dict):
        what = f"a list of {len(found)}" if isinstance(found, list) else type(found).__name__
        raise FaultyMessageError(Fault.FORM, f"value: expected one JSON object, got {what}; send each frame by itself")
    return found


def is_json(start: bytes) -> bool:
    """Return whether a value that begins so is a JSON object."""
    return bool(JSON_START.match(start) or (start[:1] == b"\0" and JSON_START.match(start[SCHEMA_REGISTRY_BYTES:])))


def from_text(text: str) -> bytes:
    """Return the bytes of a base64 or hexadecimal text.

    Base64 may have no padding, line breaks, quotes or ``data:…,`` before it.

    Raises:
        FaultyMessageError: If it is none.
    """
    try:
        if HEX_PICTURE.match(text):
            return bytes.fromhex(text.strip().removeprefix("0x"))
        text = QUOTED.sub("", text, count=1) if QUOTED.match(text) else text
        if text.lstrip()[:5] == "data:":
            text = text.partition(",")[2]
        plain = NOT_BASE64.sub("", text.translate(URL_SAFE))
        return binascii.a2b_base64(plain + "=" * (-len(plain) % 4))
    except ValueError as error:
        raise FaultyMessageError(Fault.IMAGE, f"value: expected base64, got other text: {error}") from error


def is_text_of_picture(text: str) -> bool:
    """Return whether a text that begins so is a picture as base64 or hexadecimal text."""
    return bool(BASE64_PICTURE.match(text) or HEX_PICTURE.match(text))


def field_at(fields: Mapping[str, Any], path: str) -> Any:
    """Return the field at a name or a dotted path; None if there is none."""
    if path in fields:
        return fields[path]
    found: Any = fields
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def found_camera(fields: Mapping[str, Any]) -> Any:
    """Return the best of the fields that name a camera; None if there is none."""
    return next((value for _, value in all_found(fields, CAMERA_NAMES)), None)


def camera_named(value: Any) -> str:
    """Return the name of a camera that a field states, alone or as ``{"id": …}``; empty if it states none."""
    if isinstance(value, Mapping):
        value = value.get("id", value.get("name"))
    return str(value) if isinstance(value, str | int) else ""


def named_by_key(key: bytes) -> str:
    """Return the name of a camera that a key states: the key itself, without quotes, or a field of the JSON in it."""
    text = key[:256].decode(errors="replace")
    if text[:1] == "{":
        try:
            fields = json_object(key)
        except FaultyMessageError:
            return text
        return camera_named(found_camera(fields) or fields.get("payload")) or text
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] == '"' else text


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
    plain = re.sub(r"^x[_-]|[_.\- ]", "", name.lower())
    return re.sub(r"(?<=.)(?:unix|epoch|utc|ms|millis|us|ns|sec|seconds)$", "", plain)


def pictures(fields: Mapping[str, Any], depth: int = 1) -> Iterator[Any]:
    """Yield the fields that look like a picture, outer ones first."""
    for value in fields.values():
        is_text = isinstance(value, str) and is_text_of_picture(value[:100])
        if is_text or (isinstance(value, list) and value[:3] in FIRST_BYTES):
            yield value
    if depth < MAX_DEPTH:
        for value in fields.values():
            if isinstance(value, dict):
                yield from pictures(value, depth + 1)
