"""The records that sinks may lack, where the inputs that led to them are about to be removed."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core import Alert, Correction, Embedding, Record, Sighting, TrackPart
from pipeline.core.errors import WireFormatError
from pipeline.core.serialisation import deserialise, serialise
from pipeline.ledger.codec import to_line
from pipeline.ledger.erasure import about, without
from pipeline.ledger.reader import LedgerReader
from pipeline.ledger.snapshot import OWED, Saved

logger = logging.getLogger(__name__)

RECORDS: dict[str, type[Any]] = {"sighting": Sighting, "correction": Correction, "alert": Alert}
"""Records by the kind under which a ledger stores them."""
StoredRecord = tuple[str, bytes]
"""The kind of a record, and the record serialised."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is read of an entry of the journal: the inputs of a window of event time, or records that are owed."""

    embeddings: Sequence[Embedding] = ()
    records: Sequence[StoredRecord] = ()


def unpublished_records(saved: Saved, reader: LedgerReader, erased: Correction | None = None) -> list[StoredRecord]:
    """Return the records that a sink may lack, in order.

    Args:
        saved: What the ledger saved; its inputs have the boxes of sightings, which rows do not have.
        reader: Of the same ledger, in which rows about erased people are empty by now.
        erased: People who were erased since ``saved``.
    """
    embeddings: dict[TrackPart, Embedding] = {}
    found: list[StoredRecord] = []
    chain = saved.chain
    for entry in saved.entries:
        if entry.number <= saved.published:
            chain = entry.chain
            continue
        try:
            stored = deserialise(entry.body, _Entry)
        except WireFormatError:  # of another version
            continue
        embeddings |= {TrackPart(each.track_id, each.part): each for each in stored.embeddings}
        if entry.kind == OWED:
            found += stored.records if erased is None else _kept(stored.records, erased)
            chain = entry.chain
    for row in reader.events(after=reader.number_of(chain), limit=-1):
        record: Record | None = None
        if row.kind == "correction" and not row.is_erased:
            record = row.correction()
        elif row.kind == "alert" and not row.is_erased:
            record = row.alert()
        elif row.part in embeddings and not row.is_erased:
            record = row.sighting(embeddings[row.part])
        if record is not None:
            found.append((row.kind, serialise(record)))
        elif not row.is_erased:
            logger.warning("event %d of the ledger may be missing at sinks: its input cannot be read", row.number)
    return found


def _kept(records: Sequence[StoredRecord], erased: Correction) -> list[StoredRecord]:
    """Return what stays of records after an erasure."""
    is_about = about(erased)
    kept: list[StoredRecord] = []
    for kind, body in records:
        record = deserialise(body, RECORDS[kind])
        if isinstance(record, Correction):
            rest = without(record, erased)
            kept += [] if rest is None else [(kind, serialise(rest))]
        elif not is_about(json.loads(to_line(record))):
            kept.append((kind, body))
    return kept
