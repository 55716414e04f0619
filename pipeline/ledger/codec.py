"""The codec of events: records to and from messages, as ``messages`` describes them.

Files, topics and webhooks hold messages as JSON (``WIRE``); the ledger holds them in a compact form (``events``).
Floats are rounded, so files are readable and equal runs give equal bytes. The boxes of a sighting's path do not travel
with it, only their number; they are a tracklet, a message of its own.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from pipeline.core import Alert, Correction, CorrectionKind, FrameStamp, Record, Sighting, TrackId, TrackPart
from pipeline.core.errors import WireFormatError
from pipeline.ledger.messages import (
    SCHEMA,
    AlertMessage,
    BoxMessage,
    CorrectionMessage,
    NameMessage,
    PartMessage,
    RunnerUpMessage,
    SightingMessage,
    StampMessage,
    TrackletMessage,
)

Message = dict[str, object]
Struct = TypeVar("Struct", CorrectionMessage, AlertMessage)


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
        return _sighting_message(record, decimals)
    if isinstance(record, Correction):
        return _correction_message(record, decimals)
    if isinstance(record, Alert):
        return _alert_message(record, decimals)
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
    )


def _sighting_message(sighting: Sighting, decimals: Decimals) -> SightingMessage:
    runner_up, distance = sighting.runner_up, sighting.distance
    return SightingMessage(
        schema=SCHEMA,
        event="sighting",
        person_id=sighting.person_id,
        camera_id=sighting.track_id.camera_id,
        track=str(sighting.track_id),
        part=sighting.part,
        first=_stamp(sighting.first, decimals),
        last=_stamp(sighting.last, decimals),
        box_xyxy=[_rounded("box_xyxy", side, decimals.pixel) for side in sighting.box_xyxy.tolist()],
        outcome=sighting.outcome,
        distance=None if distance is None else _rounded("distance", distance, decimals.ratio),
        probability=_rounded("probability", sighting.probability, decimals.ratio),
        runner_up=None
        if runner_up is None
        else RunnerUpMessage(runner_up.person_id, _rounded("runner_up.distance", runner_up.distance, decimals.ratio)),
        gates=list(sighting.gates),
        num_frames=len(sighting.path),
        is_last=sighting.is_last,
        evidence={name: _rounded("evidence", value, decimals.ratio) for name, value in sighting.evidence},
    )


def _correction_message(correction: Correction, decimals: Decimals) -> CorrectionMessage:
    """Return the message of a correction; the parts of an erasure are left out."""
    parts = () if correction.kind is CorrectionKind.ERASED else correction.parts
    return CorrectionMessage(
        schema=SCHEMA,
        event="correction",
        kind=correction.kind,
        person_ids=list(correction.person_ids),
        by=correction.by,
        at=_rounded("at", correction.at, decimals.time),
        parts=[PartMessage(str(part.track_id), part.part) for part in parts],
        reason=correction.reason,
        name=correction.name,
        command=correction.command,
        undoes=correction.undoes,
        names=[NameMessage(person_id, name) for person_id, name in correction.names],
    )


def _alert_message(alert: Alert, decimals: Decimals) -> AlertMessage:
    return AlertMessage(
        schema=SCHEMA,
        event="alert",
        key=alert.key,
        state=alert.state,
        rule=alert.rule,
        severity=alert.severity,
        person_id=alert.person_id,
        camera_id=alert.camera_id,
        started_at=_rounded("started_at", alert.started_at, decimals.time),
        raised_at=_rounded("raised_at", alert.raised_at, decimals.time),
        message=alert.message,
        evidence=[str(track_id) for track_id in alert.evidence],
    )


def _stamp(stamp: FrameStamp, decimals: Decimals) -> StampMessage:
    return StampMessage(stamp.index, _rounded("captured_at", stamp.captured_at, decimals.time))


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
