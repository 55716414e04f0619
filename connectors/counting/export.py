"""Counts as a table for other programs: CSV, JSON lines, or Parquet where pyarrow is installed."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import ConfigError, MissingDependencyError
from pipeline.counts.rows import Row

COLUMNS = (
    *("schema", "event", "kind", "since", "until", "place", "to", "left_to_right", "right_to_left", "entered", "left"),
    *("people", "most", "mean", "dwell_p50_s", "dwell_p95_s", "num", "p50_s", "low", "high"),
)
"""Of the table; a cell that a row does not have is empty."""


def write_table(rows: Sequence[Row], target: Path) -> None:
    """Write rows to a file; its name says how.

    Raises:
        ConfigError: If the name ends neither with .csv, .jsonl nor .parquet.
        MissingDependencyError: For Parquet, without pyarrow.
    """
    if target.suffix == ".csv":
        with target.open("w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            table.writerows(rows)
    elif target.suffix == ".jsonl":
        target.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif target.suffix == ".parquet":
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError as error:
            raise MissingDependencyError("counts: Parquet needs pyarrow; pip install 'passerby[parquet]'") from error
        types = {"schema": pa.int64(), "event": pa.string(), "kind": pa.string(), "place": pa.string()}
        types |= {"to": pa.string(), "since": pa.float64(), "until": pa.float64(), "mean": pa.float64()}
        types |= dict.fromkeys(("dwell_p50_s", "dwell_p95_s", "p50_s"), pa.float64())
        schema = pa.schema([(name, types.get(name, pa.int64())) for name in COLUMNS])
        pq.write_table(
            pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in rows], schema), target
        )
    else:
        raise ConfigError(f"{target}: expected a name that ends with .csv, .jsonl or .parquet; correct it")
