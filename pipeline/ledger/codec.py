"""The codec of events: records to and from messages, as ``messages`` describes them.

Files, topics and webhooks hold messages as JSON (``WIRE``); the ledger holds them in a compact form (``events``).
Floats are rounded, so files are readable and equal runs give equal bytes. The boxes of a sighting's path do not travel
with it, only their number; they are a tracklet, a message of its own.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import numpy as np

from pipeline.core import Alert, Correction, CorrectionKind, FrameStamp, Match, Record, Sighting, TrackId, TrackPart
from pipeline.core.errors import WireFormatError
from pipeline.core.records.identity import Listing
from pipeline.ledger.messages import (
    SCHEMA,
    AlertMessage,
    BoxMessage,
    CorrectionMessage,
    ListingMessage,
    NameMessage,
    PartMessage,
    RunnerUpMessage,
    SightingMessage,
    StampMessage,
    TrackletMessage,
)

Message = dict[str, object]
Struct = TypeVar("Struct", CorrectionMessage, AlertMessage)
Filled = TypeVar("Filled", SightingMessage, CorrectionMessage, AlertMessage)


@dataclass(frozen=True, slots=True)
class Decimals:
    """Decimals to which floats of a message are rounded. More decimals are noise that differs between machines.

    Attributes:
        time: Of Unix seconds; None keeps them exact.
        pixel: Of coordinates.
        ratio: Of distances, probabilities and log-likelihood ratios.
    """

    time: int | None
    pixel: int
    ratio: int


WIRE = Decimals(time=6, pixel=2, ratio=4)
"""Of files, topics and webhooks."""


def to_dict(record: Record) -> Message:
    """Return a record as plain values, keys in the order of its schema file.

    Raises:
        WireFormatError: If a number is not finite, or the record has no message.
    """
    return _builtins(message_of(record, WIRE))


def to_line(record: Record) -> bytes:
    """Return a record as one line of JSON, ASCII, with the line feed. Raises as ``to_dict``."""
    return json.dumps(to_dict(record), allow_nan=False).encode("ascii") + b"\n"


def message_of(record: Record, decimals: Decimals) -> SightingMessage | CorrectionMessage | AlertMessage:
    """Return the message of a record. Raises as ``to_dict``."""
    if isinstance(record, Sighting):
        return _message(
            SightingMessage,
            record,
            decimals,
            event="sighting",
            camera_id=record.track_id.camera_id,
            track=str(record.track_id),
            num_frames=len(record.path),
            evidence={name: _written("evidence", value, decimals) for name, value in record.evidence},
        )
    if isinstance(record, Correction):
        if record.kind is CorrectionKind.ERASED:
            record = replace(record, parts=())
        names = [NameMessage(person_id, name) for person_id, name in record.names]
        listings = [ListingMessage(each, one.severity, one.expires_at) for each, one in record.listings]  # type: ignore[arg-type]
        return _message(CorrectionMessage, record, decimals, event="correction", names=names, listings=listings)
    if isinstance(record, Alert):
        return _message(AlertMessage, record, decimals, event="alert", clip=record.clip or msgspec.UNSET)
    raise WireFormatError(f"record: expected Sighting, Correction or Alert, got {type(record).__name__}")


def tracklet_to_dict(sighting: Sighting) -> Message:
    """Return the boxes of a sighting, without the person, as described by ``tracklet.schema.json``."""
    path = sighting.path
    rows = zip(
        path.indices.tolist(), path.captured_at.tolist(), path.boxes_xyxy.tolist(), path.scores.tolist(), strict=True
    )
    return _builtins(
        TrackletMessage(
            schema=SCHEMA,
            event="tracklet",
            camera_id=sighting.track_id.camera_id,
            track=str(sighting.track_id),
            part=sighting.part,
            frame_hw=list(path.frame_hw),
            path=[
                BoxMessage(
                    index=index,
                    captured_at=_rounded("path.captured_at", at, WIRE.time),
                    box_xyxy=[_rounded("path.box_xyxy", side, WIRE.pixel) for side in box_xyxy],
                    score=_rounded("path.score", score, WIRE.ratio),
                )
                for index, at, box_xyxy, score in rows
            ],
            is_last=sighting.is_last,
        )
    )


def correction_from_dict(message: Mapping[str, object]) -> Correction:
    """Return the correction that a message holds.

    Raises:
        WireFormatError: If it does not follow ``correction.schema.json``; names the key.
    """
    found = _decoded(message, CorrectionMessage)
    return Correction(
        kind=found.kind,
        person_ids=tuple(found.person_ids),
        by=found.by,
        at=_finite("at", found.at),
        parts=tuple(
            TrackPart(_track(f"parts[{i}].track", part.track), part.part) for i, part in enumerate(found.parts)
        ),
        reason=found.reason,
        name=found.name,
        command=found.command,
        undoes=found.undoes,
        names=tuple((each.person_id, each.name) for each in found.names),
        listings=tuple((each.person_id, Listing(each.severity, each.expires_at)) for each in found.listings),
    )


def alert_from_dict(message: Mapping[str, object]) -> Alert:
    """Return the alert that a message holds.

    Raises:
        WireFormatError: If it does not follow ``alert.schema.json``; names the key.
    """
    found = _decoded(message, AlertMessage)
    return Alert(
        key=found.key,
        rule=found.rule,
        severity=found.severity,
        person_id=found.person_id,
        camera_id=found.camera_id,
        started_at=_finite("started_at", found.started_at),
        raised_at=_finite("raised_at", found.raised_at),
        message=found.message,
        evidence=tuple(_track(f"evidence[{i}]", track) for i, track in enumerate(found.evidence)),
        state=found.state,
        place=found.place,
        ended_at=None if found.ended_at is None else _finite("ended_at", found.ended_at),
        count=found.count,
        revision=found.revision,
        clip=found.clip or "",
    )


def _message(kind: type[Filled], record: Record, decimals: Decimals, **other: object) -> Filled:
    """Return a message whose fields are those of a record by the same names, but for ``other``."""
    values: dict[str, Any] = {"schema": SCHEMA, **other}
    for name in kind.__struct_fields__:
        if name not in values:
            values[name] = _written(name, getattr(record, name), decimals)
    return kind(**values)


def _written(name: str, value: object, decimals: Decimals) -> object:
    """Return a value of a record as messages hold it. How a float is rounded follows from its name."""
    match value:
        case float():
            is_time, is_pixel = name.endswith("at"), name.endswith(("_xyxy", "_px"))
            return _rounded(name, value, decimals.time if is_time else decimals.pixel if is_pixel else decimals.ratio)
        case FrameStamp():
            return StampMessage(value.index, _rounded("captured_at", value.captured_at, decimals.time))
        case Match():
            return RunnerUpMessage(value.person_id, _rounded(f"{name}.distance", value.distance, decimals.ratio))
        case TrackPart():
            return PartMessage(str(value.track_id), value.part)
        case TrackId():
            return str(value)
        case np.ndarray():
            return [_written(name, each, decimals) for each in value.tolist()]
        case tuple():
            return [_written(name, each, decimals) for each in value]
    return value


def _rounded(key: str, value: float, decimals: int | None) -> float:
    """Return a finite Python float; minus zero becomes zero. None as ``decimals`` keeps the value exact."""
    value = _finite(key, float(value))
    return (value if decimals is None else round(value, decimals)) + 0.0


def _finite(key: str, value: float) -> float:
    if not math.isfinite(value):
        raise WireFormatError(f"{key}: expected a finite number, got {value}")
    return value


def _builtins(message: msgspec.Struct) -> Message:
    values: Message = msgspec.to_builtins(message)
    return values


def _decoded(message: Mapping[str, object], kind: type[Struct]) -> Struct:
    """Return a message as its struct, or raise an error that names the key."""
    if not isinstance(message, Mapping):
        raise WireFormatError(f"{kind.__name__}: expected a JSON object, got {type(message).__name__}")
    number = message.get("schema", SCHEMA)
    if number is True or number != SCHEMA:
        raise WireFormatError(f"schema: expected {SCHEMA}, got {number!r}; update the older side")
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        raise WireFormatError(f"{path.rstrip('`') or 'message'}: {reason[0].lower()}{reason[1:]}") from error


def _track(key: str, text: str) -> TrackId:
    try:
        return TrackId.parse(text)
    except ValueError as error:
        raise WireFormatError(f"{key}: expected camera/session/number, got {text!r}") from error
