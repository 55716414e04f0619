"""Rows of the ledger: one per sighting, correction and alert. No pixels, no vectors."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pipeline.core import (
    Alert,
    AlertState,
    Correction,
    CorrectionKind,
    Record,
    Severity,
    Sighting,
    TrackId,
    TrackPart,
)

DECIMALS = 9
"""Floats in the ledger; more is noise, and would differ between machines."""

COLUMNS = "number, kind, at, person_id, camera_id, track, part, body"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the ledger.

    Attributes:
        number: 1, 2, 3 … in the order of decisions.
        kind: ``sighting``, ``correction`` or ``alert``.
        at: Unix seconds of event time.
        person_id: The person it is about, as decided then; for a correction, the first one.
        camera_id: The camera; None for a correction.
        part: The part of a track; sightings only.
        body: The record as JSON values; empty once it was erased.
    """

    number: int
    kind: str
    at: float
    person_id: int | None
    camera_id: str | None
    part: TrackPart | None
    body: Mapping[str, object]

    @property
    def is_erased(self) -> bool:
        """Whether only the number and the hash are left."""
        return not self.body

    def correction(self) -> Correction:
        """Return the correction that this event holds."""
        return _correction(self.body)

    def alert(self) -> Alert:
        """Return the alert that this event holds."""
        return _alert(self.body)


Row = tuple[str, float, int | None, str | None, str | None, int | None, str]
"""kind, at, person_id, camera_id, track, part, body."""


def to_row(record: Record) -> Row:
    """Return a record as the ledger writes it."""
    if isinstance(record, Sighting):
        return (
            "sighting",
            record.last.captured_at,
            record.person_id,
            record.track_id.camera_id,
            str(record.track_id),
            record.part,
            _json(_sighting_body(record)),
        )
    if isinstance(record, Correction):
        return "correction", record.at, record.person_ids[0], None, None, None, correction_body(record)
    assert isinstance(record, Alert)
    body = {**asdict(record), "evidence": [str(track_id) for track_id in record.evidence]}
    return "alert", record.raised_at, record.person_id, record.camera_id, None, None, _json(body)


def from_row(row: tuple[int, str, float, int | None, str | None, str | None, int | None, str | None]) -> Event:
    """Return the event of a row of ``COLUMNS``."""
    number, kind, at, person_id, camera_id, track, part, body = row
    track_part = None if track is None or part is None else TrackPart(TrackId.parse(track), part)
    return Event(number, kind, at, person_id, camera_id, track_part, json.loads(body) if body else {})


def correction_body(correction: Correction) -> str:
    """Return a correction as JSON; the parts of an erasure are left out."""
    parts = () if correction.kind is CorrectionKind.ERASED else correction.parts
    return _json({**asdict(correction), "parts": [[str(part.track_id), part.part] for part in parts]})


def _sighting_body(sighting: Sighting) -> dict[str, object]:
    runner_up = sighting.runner_up
    return {
        "person_id": sighting.person_id,
        "track": str(sighting.track_id),
        "part": sighting.part,
        "first": [sighting.first.index, _rounded(sighting.first.captured_at)],
        "last": [sighting.last.index, _rounded(sighting.last.captured_at)],
        "box_xyxy": [round(float(side), 3) for side in sighting.box_xyxy],
        "outcome": sighting.outcome,
        "distance": _rounded(sighting.distance),
        "probability": _rounded(sighting.probability),
        "runner_up": None if runner_up is None else [runner_up.person_id, _rounded(runner_up.distance)],
        "gates": sighting.gates,
        "num_frames": len(sighting.path),
        "is_last": sighting.is_last,
        "evidence": {name: _rounded(value) for name, value in sighting.evidence},
    }


def _json(body: dict[str, object]) -> str:
    return json.dumps(body, sort_keys=True)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DECIMALS)


def _correction(body: Mapping[str, object]) -> Correction:
    values = dict(body)
    person_ids, parts = values.pop("person_ids"), values.pop("parts")
    assert isinstance(person_ids, list)
    assert isinstance(parts, list)
    return Correction(
        kind=CorrectionKind(str(values.pop("kind"))),
        person_ids=tuple(person_ids),
        parts=tuple(TrackPart(TrackId.parse(track), part) for track, part in parts),
        **values,  # type: ignore[arg-type]
    )


def _alert(body: Mapping[str, object]) -> Alert:
    values = dict(body)
    evidence = values.pop("evidence")
    assert isinstance(evidence, list)
    return Alert(
        severity=Severity(str(values.pop("severity"))),
        state=AlertState(str(values.pop("state"))),
        evidence=tuple(TrackId.parse(track) for track in evidence),
        **values,  # type: ignore[arg-type]
    )
