"""The event format: records as JSON-able dicts with ``"schema": 1``.

Described for others by the files in ``connectors/schemas``. The boxes of a sighting's path do not travel with it,
their number does; they are a tracklet, an event of its own. Floats are rounded, so that files are readable and equal
runs give equal bytes.
"""

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from pipeline.core import (
    Alert,
    AlertState,
    Correction,
    CorrectionKind,
    FrameStamp,
    Record,
    Severity,
    Sighting,
    TrackId,
    TrackPart,
)
from pipeline.core.errors import WireFormatError

SCHEMA = 1
TIME_DECIMALS = 6
PIXEL_DECIMALS = 2
RATIO_DECIMALS = 4
"""Of distances and probabilities."""

Message = dict[str, object]
Choice = TypeVar("Choice", bound=StrEnum)

CORRECTION_KEYS = frozenset({"schema", "event", "kind", "person_ids", "by", "at", "parts", "reason", "name"})
ALERT_KEYS = frozenset(
    {"schema", "event", "key", "state", "rule", "severity", "person_id", "camera_id"}
    | {"started_at", "raised_at", "message", "evidence"}
)


def to_dict(record: Record) -> Message:
    """Return a record as plain values, keys in the order of the schema file.

    Raises:
        WireFormatError: If a number is not finite, or it is no record that has a schema.
    """
    if isinstance(record, Sighting):
        return sighting_to_dict(record)
    if isinstance(record, Correction):
        return correction_to_dict(record)
    if isinstance(record, Alert):
        return alert_to_dict(record)
    raise WireFormatError(f"record: expected Sighting, Correction or Alert, got {type(record).__name__}")


def to_line(record: Record) -> bytes:
    """Return a record as one line of JSON, ASCII, with the line feed. Raises as ``to_dict``."""
    return json.dumps(to_dict(record), allow_nan=False).encode("ascii") + b"\n"


def sighting_to_dict(sighting: Sighting) -> Message:
    """Return a sighting as described by ``sighting.schema.json``."""
    runner_up = sighting.runner_up
    return {
        "schema": SCHEMA,
        "event": "sighting",
        "person_id": sighting.person_id,
        "camera_id": sighting.track_id.camera_id,
        "track": str(sighting.track_id),
        "part": sighting.part,
        "first": _stamp(sighting.first),
        "last": _stamp(sighting.last),
        "box_xyxy": [_rounded("box_xyxy", side, PIXEL_DECIMALS) for side in sighting.box_xyxy.tolist()],
        "outcome": sighting.outcome.value,
        "distance": None if sighting.distance is None else _rounded("distance", sighting.distance, RATIO_DECIMALS),
        "probability": _rounded("probability", sighting.probability, RATIO_DECIMALS),
        "runner_up": None
        if runner_up is None
        else {
            "person_id": runner_up.person_id,
            "distance": _rounded("runner_up.distance", runner_up.distance, RATIO_DECIMALS),
        },
        "gates": list(sighting.gates),
        "num_frames": len(sighting.path),
        "is_last": sighting.is_last,
        "evidence": {name: _rounded("evidence", value, RATIO_DECIMALS) for name, value in sighting.evidence},
    }


def tracklet_to_dict(sighting: Sighting) -> Message:
    """Return what was followed, without who it was, as described by ``tracklet.schema.json``."""
    path = sighting.path
    rows = zip(
        path.indices.tolist(), path.captured_at.tolist(), path.boxes_xyxy.tolist(), path.scores.tolist(), strict=True
    )
    return {
        "schema": SCHEMA,
        "event": "tracklet",
        "camera_id": sighting.track_id.camera_id,
        "track": str(sighting.track_id),
        "part": sighting.part,
        "frame_hw": list(path.frame_hw),
        "path": [
            {
                "index": index,
                "captured_at": _rounded("path.captured_at", at, TIME_DECIMALS),
                "box_xyxy": [_rounded("path.box_xyxy", side, PIXEL_DECIMALS) for side in box_xyxy],
                "score": _rounded("path.score", score, RATIO_DECIMALS),
            }
            for index, at, box_xyxy, score in rows
        ],
        "is_last": sighting.is_last,
    }


def correction_to_dict(correction: Correction) -> Message:
    """Return a correction as described by ``correction.schema.json``; what was erased is not named once more."""
    parts = () if correction.kind is CorrectionKind.ERASED else correction.parts
    return {
        "schema": SCHEMA,
        "event": "correction",
        "kind": correction.kind.value,
        "person_ids": list(correction.person_ids),
        "by": correction.by,
        "at": _rounded("at", correction.at, TIME_DECIMALS),
        "parts": [{"track": str(part.track_id), "part": part.part} for part in parts],
        "reason": correction.reason,
        "name": correction.name,
    }


def alert_to_dict(alert: Alert) -> Message:
    """Return an alert as described by ``alert.schema.json``."""
    return {
        "schema": SCHEMA,
        "event": "alert",
        "key": alert.key,
        "state": alert.state.value,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "person_id": alert.person_id,
        "camera_id": alert.camera_id,
        "started_at": _rounded("started_at", alert.started_at, TIME_DECIMALS),
        "raised_at": _rounded("raised_at", alert.raised_at, TIME_DECIMALS),
        "message": alert.message,
        "evidence": [str(track_id) for track_id in alert.evidence],
    }


def correction_from_dict(message: Mapping[str, object]) -> Correction:
    """Return the correction that a message holds.

    Raises:
        WireFormatError: If it does not follow ``correction.schema.json``; names the key.
    """
    _check_keys(message, "correction", CORRECTION_KEYS)
    return Correction(
        kind=_choice(message, "kind", CorrectionKind),
        person_ids=tuple(_as_int(f"person_ids[{i}]", item) for i, item in enumerate(_list(message, "person_ids"))),
        by=_text(message, "by"),
        at=_number(message, "at"),
        parts=tuple(_part(f"parts[{i}]", item) for i, item in enumerate(_list(message, "parts"))),
        reason=_text(message, "reason"),
        name=_text(message, "name"),
    )


def alert_from_dict(message: Mapping[str, object]) -> Alert:
    """Return the alert that a message holds.

    Raises:
        WireFormatError: If it does not follow ``alert.schema.json``; names the key.
    """
    _check_keys(message, "alert", ALERT_KEYS)
    return Alert(
        key=_text(message, "key"),
        rule=_text(message, "rule"),
        severity=_choice(message, "severity", Severity),
        person_id=_as_int("person_id", message["person_id"]),
        camera_id=_text(message, "camera_id"),
        started_at=_number(message, "started_at"),
        raised_at=_number(message, "raised_at"),
        message=_text(message, "message"),
        evidence=_tracks(message, "evidence"),
        state=_choice(message, "state", AlertState),
    )


def _stamp(stamp: FrameStamp) -> Message:
    """Return index and time; the camera is said once, one level up."""
    return {"index": stamp.index, "captured_at": _rounded("captured_at", stamp.captured_at, TIME_DECIMALS)}


def _rounded(key: str, value: float, decimals: int) -> float:
    """Return a finite Python float; minus zero becomes zero."""
    if not math.isfinite(value):
        raise WireFormatError(f"{key}: expected a finite number, got {value}")
    return round(float(value), decimals) + 0.0


def _check_keys(message: Mapping[str, object], event: str, keys: frozenset[str]) -> None:
    """Raise unless schema number, event and the set of keys are right."""
    if not isinstance(message, Mapping):
        raise WireFormatError(f"{event}: expected a JSON object, got {type(message).__name__}")
    for key in sorted(keys - message.keys()):
        raise WireFormatError(f"{key}: expected in every {event}, got nothing")
    for unknown in sorted(map(str, message.keys() - keys)):
        raise WireFormatError(f"{unknown[:40]!r}: expected no such key in a {event} of schema {SCHEMA}")
    if message["schema"] is True or message["schema"] != SCHEMA:
        raise WireFormatError(f"schema: expected {SCHEMA}, got {message['schema']!r}; update the older side")
    if message["event"] != event:
        raise WireFormatError(f"event: expected {event!r}, got {message['event']!r}")


def _text(message: Mapping[str, object], key: str) -> str:
    value = message[key]
    if not isinstance(value, str):
        raise WireFormatError(f"{key}: expected a string, got {type(value).__name__}")
    return value


def _number(message: Mapping[str, object], key: str) -> float:
    value = message[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WireFormatError(f"{key}: expected a finite number, got {value!r}")
    return float(value)


def _as_int(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WireFormatError(f"{key}: expected an integer, got {value!r}")
    return value


def _list(message: Mapping[str, object], key: str) -> list[object]:
    value = message[key]
    if not isinstance(value, list):
        raise WireFormatError(f"{key}: expected a list, got {type(value).__name__}")
    return value


def _choice(message: Mapping[str, object], key: str, choices: type[Choice]) -> Choice:
    value = _text(message, key)
    if value not in list(choices):
        raise WireFormatError(f"{key}: expected one of {', '.join(choices)}, got {value!r}")
    return choices(value)


def _tracks(message: Mapping[str, object], key: str) -> tuple[TrackId, ...]:
    return tuple(_track(f"{key}[{i}]", item) for i, item in enumerate(_list(message, key)))


def _track(key: str, value: object) -> TrackId:
    try:
        if isinstance(value, str):
            return TrackId.parse(value)
    except ValueError:
        pass
    raise WireFormatError(f"{key}: expected camera/session/number, got {value!r}")


def _part(key: str, value: object) -> TrackPart:
    if not isinstance(value, dict) or value.keys() != {"track", "part"}:
        raise WireFormatError(f"{key}: expected an object with track and part, got {value!r}")
    return TrackPart(_track(f"{key}.track", value["track"]), _as_int(f"{key}.part", value["part"]))
