"""Rows of the ledger: one per sighting, correction and alert. No pixels, no vectors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import signature
from typing import get_type_hints

import msgspec

from pipeline.core import Alert, Correction, Embedding, Match, Record, Sighting, TrackId, TrackPart
from pipeline.ledger.codec import Decimals, alert_from_dict, correction_from_dict, message_of
from pipeline.ledger.messages import SCHEMA

DECIMALS = Decimals(time=9, pixel=3, ratio=9)
"""Of sightings. The times of corrections and alerts are kept exactly."""

OPTIONAL = ("command", "undoes", "names", "listings", "clip")
"""Fields of a correction or an alert that are left out of the row if they are empty."""

EVIDENCE = ("looks", "way", "needed", "quality")
"""Names of the evidence of a sighting, in their order; a row has them sorted."""

OTHERWISE_IN_ROWS = {"runner_up": tuple[int, float] | None, "evidence": dict[str, float]}
"""Types that values of a sighting have in a row, where they differ."""

COLUMNS = "number, kind, at, person_id, camera_id, track, part, body"
"""Columns of a row that ``from_row`` reads."""


class _Began(msgspec.Struct):
    """What is read of a sighting of which only the beginning is asked."""

    first: tuple[int, float]


def _decided() -> type[msgspec.Struct]:
    """Return what is read of a row to decide a sighting again: the arguments of ``Sighting.of`` after the person."""
    types = get_type_hints(Sighting.of) | OTHERWISE_IN_ROWS
    arguments = [*signature(Sighting.of).parameters.values()][2:]
    required = [(each.name, types[each.name]) for each in arguments if each.default is each.empty]
    optional = [(each.name, types[each.name], each.default) for each in arguments if each.default is not each.empty]
    return msgspec.defstruct("Decided", [*required, *optional])


DECIDED = _decided()


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
        text: The record as JSON; empty once it was erased.
    """

    number: int
    kind: str
    at: float
    person_id: int | None
    camera_id: str | None
    part: TrackPart | None
    text: str

    @property
    def is_erased(self) -> bool:
        """Whether only the number and the hash are left."""
        return not self.text

    @property
    def body(self) -> Mapping[str, object]:
        """The record as JSON values, read anew each time; empty once it was erased."""
        found: dict[str, object] = msgspec.json.decode(self.text) if self.text else {}
        return found

    @property
    def first_at(self) -> float:
        """When a sighting began, Unix seconds. Over a long ledger this is much faster than ``body``."""
        return msgspec.json.decode(self.text, type=_Began).first[1]

    def sighting(self, embedding: Embedding) -> Sighting:
        """Return the sighting that this event holds, of the embedding that it was decided from: rows have no path."""
        found = msgspec.structs.asdict(msgspec.json.decode(self.text, type=DECIDED))
        runner_up, evidence = found["runner_up"], dict(found["evidence"])
        found["runner_up"] = None if runner_up is None else Match(*runner_up)
        found["evidence"] = tuple((name, evidence[name]) for name in EVIDENCE if name in evidence)
        assert self.person_id is not None
        return Sighting.of(embedding, self.person_id, **found)

    def correction(self) -> Correction:
        """Return the correction that this event holds."""
        parts = self.body["parts"]
        assert isinstance(parts, list)
        named = [{"track": track, "part": part} for track, part in parts]
        names = self.body.get("names", [])
        assert isinstance(names, list)
        called = [{"person_id": person_id, "name": name} for person_id, name in names]
        listings = self.body.get("listings", [])
        assert isinstance(listings, list)
        listed = [dict(zip(("person_id", "severity", "expires_at"), each, strict=True)) for each in listings]
        return correction_from_dict(
            {"schema": SCHEMA, "event": "correction", **self.body, "parts": named, "names": called, "listings": listed}
        )

    def alert(self) -> Alert:
        """Return the alert that this event holds."""
        return alert_from_dict({"schema": SCHEMA, "event": "alert", **self.body})


Row = tuple[str, float, int | None, str | None, str | None, int | None, str]
"""kind, at, person_id, camera_id, track, part, body."""


def to_row(record: Record) -> Row:
    """Return a record as the ledger writes it. Raises ``WireFormatError`` if a number is not finite."""
    body = body_of(record)
    if isinstance(record, Sighting):
        camera_id, track = record.track_id.camera_id, str(record.track_id)
        return "sighting", record.last.captured_at, record.person_id, camera_id, track, record.part, body
    if isinstance(record, Correction):
        return "correction", record.at, record.person_ids[0], None, None, None, body
    return "alert", record.raised_at, record.person_id, record.camera_id, None, None, body


def from_row(row: tuple[int, str, float, int | None, str | None, str | None, int | None, str | None]) -> Event:
    """Return the event of a row of ``COLUMNS``."""
    number, kind, at, person_id, camera_id, track, part, body = row
    track_part = None if track is None or part is None else TrackPart(_track_id(track), part)
    return Event(number, kind, at, person_id, camera_id, track_part, body or "")


@lru_cache(maxsize=10_000)  # the parts of a track are near each other
def _track_id(text: str) -> TrackId:
    return TrackId.parse(text)


def body_of(record: Record) -> str:
    """Return the message of a record as compact JSON with sorted keys.

    Left out is what every row has or its columns hold: ``schema``, ``event`` and, of a sighting, ``camera_id``. Nested
    objects are lists of their values. Fields that an event of this kind may lack are left out if they are empty.
    """
    is_sighting = isinstance(record, Sighting)
    message = message_of(record, DECIMALS if is_sighting else replace(DECIMALS, time=None))
    left_out = {"schema", "event", "camera_id"} if is_sighting else {"schema", "event"}
    left_out |= {name for name in OPTIONAL if not getattr(message, name, None)}
    values = {name: _compact(value) for name, value in msgspec.structs.asdict(message).items() if name not in left_out}
    return json.dumps(values, sort_keys=True)


def _compact(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.astuple(value)
    return [_compact(each) for each in value] if isinstance(value, list) else value
