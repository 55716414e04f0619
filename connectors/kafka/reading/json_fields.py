"""Finds a picture, and what is said of it, in messages that other programs write as JSON or base64."""

import binascii
import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connectors.kafka.frame_message import Fault, FaultyMessageError
from connectors.pictures.encoded_image import image_size, is_image

CAMERA_NAMES = ("cameraid", "camera", "camid", "cam", "cameraname", "camname", "deviceid", "streamid", "sensorid")
TIME_NAMES = (
    *("capturedat", "timestamp", "capturetime", "frametimestamp", "frametime", "time", "ts", "datetime", "eventtime"),
    *("stamp", "takenat", "taken", "recordedat", "createdat", "sentat", "publishedat", "date", "epoch", "t"),
)
IMAGE_NAMES = (
    *("image", "frame", "img", "picture", "imagedata", "framedata", "snapshot", "photo", "jpeg", "jpg", "png"),
    *("data", "bytes", "content", "payload", "body", "buffer", "raw", "full", "original"),
)
INDEX_NAMES = ("frameindex", "frameid", "framenumber", "frameno", "framenum", "framecount", "index", "seq", "frame")
"""Names of fields and headers that are found by themselves, without their punctuation and unit, best first."""

MAX_DEPTH = 3
"""How deep in a JSON object fields are looked for. More finds more, and costs time where there is no picture."""

PICKLE = re.compile(rb"\x80[\x02-\x05]", re.DOTALL)
QUOTED = re.compile(r"""\s*(?:b'|b"|"|')""")
"""How a text begins that was written with its quotes: as JSON, or as Python shows bytes (``str(b64encode(…))``)."""

DATA_URL = re.compile(r"\s*data:[^,]{0,100},")

HEX_TEXT = re.compile(r"\s*(?:0x)?((?:[0-9a-f]{2}){3,32})", re.IGNORECASE)
"""How hexadecimal text begins."""

JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*\{)")
"""How a JSON object begins, alone or in a list, with or without a mark of UTF-8."""

START_CHARACTERS = 200
"""Of a text that is looked at to see whether it is a picture: room for what stands before it, and 32 bytes of it."""

NOT_BASE64 = re.compile(r"\\[nr]|[^A-Za-z0-9+/]+")
URL_SAFE = str.maketrans("-_", "+/")
SCHEMA_REGISTRY_BYTES = 5
"""A zero byte and the number of a schema, which serialisers of a schema registry put before JSON."""


def kind_of(value: bytes) -> str:
    """Return in words what a value that is no picture is."""
    if PICKLE.match(value):
        return "pickle, which is refused because reading it runs any code that its sender wrote; send the JPEG itself"
    if value[4:8] == b"ftyp":
        return f"a picture or film of the kind {value[8:12].decode('latin-1').strip()}, which is not read"
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
        if _is_hex_picture(text):
            return bytes.fromhex(text.strip().removeprefix("0x"))
        text = QUOTED.sub("", text, count=1)
        text = DATA_URL.sub("", text, count=1)
        plain = NOT_BASE64.sub("", text.translate(URL_SAFE))
        return binascii.a2b_base64(plain + "=" * (-len(plain) % 4))
    except ValueError as error:
        raise FaultyMessageError(Fault.IMAGE, f"value: expected base64, got other text: {error}") from error


def is_text_of_picture(text: str) -> bool:
    """Return whether a text is a picture as base64 or hexadecimal text, by its beginning."""
    start = text[:START_CHARACTERS]
    if _is_hex_picture(start):
        return True
    start = DATA_URL.sub("", QUOTED.sub("", start, count=1), count=1)
    plain = NOT_BASE64.sub("", start.translate(URL_SAFE))
    return is_image(binascii.a2b_base64(plain[: min(44, len(plain) // 4 * 4)]))


def _is_hex_picture(text: str) -> bool:
    found = HEX_TEXT.match(text)
    return found is not None and is_image(bytes.fromhex(found[1]))


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


def best_picture(fields: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Return path and value of the field with the picture; None if there is none.

    Of several, the one with the best known name in its path is taken, and of those the one with the most pixels: a
    preview may stand beside the picture.
    """
    found = list(_pictures(fields, ()))
    if len(found) > 1:
        best = min(_rank(path) for path, _ in found)
        found = [(path, value) for path, value in found if _rank(path) == best]
    if len(found) > 1:
        found.sort(key=lambda each: -_num_pixels(each[1]))
    return None if not found else (".".join(found[0][0]), found[0][1])


def picture_bytes(value: Any) -> bytes | None:
    """Return the picture of a field: a text, a list of numbers or a Buffer of Node.js; None if it is none of these.

    Raises:
        FaultyMessageError: If it is a text that is no base64.
    """
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, Mapping) and isinstance(value.get("data"), list):
        value = value["data"]
    if isinstance(value, list) and value and all(type(each) is int and 0 <= each < 256 for each in value):
        return bytes(value)
    return None


def _pictures(fields: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of the fields that look like a picture, outer ones first."""
    for name, value in fields.items():
        is_text = isinstance(value, str) and is_text_of_picture(value)
        if is_text or (isinstance(value, list) and _begins_like_a_picture(value[:32])):
            yield (*above, name), value
    if len(above) + 1 < MAX_DEPTH:
        for name, value in fields.items():
            if isinstance(value, dict):
                yield from _pictures(value, (*above, name))


def _begins_like_a_picture(start: Sequence[Any]) -> bool:
    return all(type(each) is int and 0 <= each < 256 for each in start) and is_image(bytes(start))


def _rank(path: tuple[str, ...]) -> int:
    """Return the place of the best name of a path among those that pictures have."""
    names = [re.sub(r"(?<=.)(?:base64|b64|bytes|jpe?g|png)$", "", _plain(name)) for name in path]
    return min((IMAGE_NAMES.index(name) for name in names if name in IMAGE_NAMES), default=len(IMAGE_NAMES))


def _num_pixels(value: Any) -> int:
    try:
        found = image_size(picture_bytes(value) or b"")
    except FaultyMessageError:
        return 0
    return 0 if found is None else found[1][0] * found[1][1]
