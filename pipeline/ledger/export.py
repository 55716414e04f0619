"""Export: the ledger as a table for other programs. CSV, or Parquet where pyarrow is installed."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError, ConnectorError, MissingDependencyError
from pipeline.ledger.events import Event
from pipeline.ledger.reader import LedgerReader

COLUMNS = ("number", "kind", "at", "person_id", "person_id_now", "camera_id", "track", "part", "body")
FORMATS = ("csv", "parquet")
EXPORTED = "export"
"""Action of an export in the audit; its subject is the path."""


def export(reader: LedgerReader, target: Path) -> int:
    """Write each event as a row, and return how many there are. The suffix of ``target`` gives the format.

    ``person_id_now`` is the person of a sighting after all corrections; ``body`` is JSON.

    Raises:
        ConfigError: If it is neither CSV nor Parquet, or Parquet without pyarrow.
        ConnectorError: If the file cannot be written.
    """
    kind = target.suffix.lstrip(".")
    if kind not in FORMATS:
        raise ConfigError(f"{target}: expected a name that ends in .csv or .parquet, got {target.suffix or 'none'}")
    try:
        return _write_csv(reader, target) if kind == "csv" else _write_parquet(reader, target)
    except OSError as error:
        raise ConnectorError(f"{target}: expected to write it, got {error.strerror or error}; check space") from error


def renew_exports(reader: LedgerReader) -> tuple[int, list[str]]:
    """Write every export again from the present ledger, without the people erased since.

    Returns:
        How many were written, and the paths of those that are no longer where they were written.
    """
    paths = [Path(text) for text in dict.fromkeys(e.subject for e in reader.audit() if e.action == EXPORTED)]
    there = [path for path in paths if _is_export(path)]
    for path in there:
        export(reader, path)
    return len(there), [str(path) for path in paths if path not in there]


def _is_export(path: Path) -> bool:
    """Return whether a file is an export; another file may have its name by now."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1" or (
                file.seek(0) == 0 and file.readline().decode().split(",")[0] == COLUMNS[0]
            )
    except (OSError, UnicodeDecodeError):
        return False


def _write_csv(reader: LedgerReader, target: Path) -> int:
    count = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for rows in _pages(reader):
            writer.writerows(rows)
            count += len(rows)
    return count


def _write_parquet(reader: LedgerReader, target: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingDependencyError("export: Parquet needs pyarrow; pip install 'passerby[parquet]'") from error
    text, number = pa.string(), pa.int64()
    types = (number, text, pa.float64(), number, number, text, text, number, text)
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
    count = 0
    with pq.ParquetWriter(target, schema) as writer:
        for rows in _pages(reader):
            arrays = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))
            count += len(rows)
    return count


def _pages(reader: LedgerReader) -> Iterator[list[tuple[Any, ...]]]:
    last = 0
    while events := reader.events(after=last):
        last = events[-1].number
        yield [_row(reader, event) for event in events if not event.is_erased]


def _row(reader: LedgerReader, event: Event) -> tuple[Any, ...]:
    part = event.part
    now = None if part is None else reader.person_of(part)
    track = None if part is None else str(part.track_id)
    number = None if part is None else part.part
    body = json.dumps(event.body, sort_keys=True)
    return event.number, event.kind, event.at, event.person_id, now, event.camera_id, track, number, body
