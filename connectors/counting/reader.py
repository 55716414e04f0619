"""Counts of a run, live or ended, with the people as they are after all corrections."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from connectors.counting.store import FILE, CountingStore
from pipeline.camera.tracking import longest_part_s
from pipeline.core import TrackPart
from pipeline.core.errors import ConfigError
from pipeline.counts.exposition import exposition
from pipeline.counts.heat import heat_of
from pipeline.counts.rows import Row, rows_of
from pipeline.counts.visitors import newness_of
from pipeline.ledger import LedgerReader

Heat = dict[str, list[tuple[int, int, float]]]
"""By camera, or empty for the ground: column, row, person-seconds."""

LOOK_BACK_S = 900.0
"""Seconds before an interval whose facts are read as well: stays that began there, and where people came from. A larger
value costs time, and finds slower transitions."""

HOUR_S = 3600.0


class CountReader:
    """Reads the counts of an output folder.

    Args:
        folder: Output folder of a run with the sink ``counts``.

    Raises:
        ConfigError: If the folder holds no counts.
        ConnectorError: If a file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / FILE).is_file():
            raise ConfigError(f"{folder}: expected a run with sink=[…,counts], got no {FILE}; run it with that sink")
        self._store = CountingStore(folder / FILE, read_only=True)
        self._ledger = LedgerReader(folder / "ledger.sqlite")
        config = _config(folder / "config.yaml")
        # People who are known from the start are numbered from 1 on.
        self._num_enrolled = len(config.get("enrol") or {})
        buffer = {"first_after_s": 1.0, "part_s": 3.0} | (config.get("buffer") or {})
        self._part_s = longest_part_s(first_after_s=buffer["first_after_s"], part_s=buffer["part_s"])

    def rows(self, *, every_s: float, since: float = float("-inf"), until: float = float("inf")) -> list[Row]:
        """Return the counts of the intervals that begin in an interval of time, Unix seconds, in order of time."""
        facts = self._store.facts(since=since - LOOK_BACK_S, until=until + every_s)
        person_of = self._ledger.people().person_of
        found = rows_of(facts, person_of, self._newness(person_of), every_s=every_s)
        return [row for row in found if since <= float(str(row["since"])) < until]

    def heat(self, *, since: float = float("-inf"), until: float = float("inf")) -> Heat:
        """Return the heat map: column, row and person-seconds of each cell, by plane."""
        return heat_of(self._store.cells(since=since, until=until), self._ledger.people().person_of)

    def exposition(self) -> str:
        """Return the metrics in Prometheus' text format: totals, the newest moment, visitors of the last hour."""
        person_of = self._ledger.people().person_of
        return exposition(self._store.facts(), person_of, self._newness(person_of), self._part_s)

    def _newness(self, person_of: Callable[[TrackPart], int]) -> dict[int, float]:
        """Return how doubtful it is that each person is one more; people who are enrolled certainly are."""
        return newness_of(self._store.newcomers(), person_of) | dict.fromkeys(range(1, 1 + self._num_enrolled), 0.0)

    def close(self) -> None:
        """Close the files; idempotent."""
        self._store.close()
        self._ledger.close()


def _config(path: Path) -> dict[str, Any]:
    """Return what a run wrote of its configuration; nothing if it wrote none."""
    found = yaml.safe_load(path.read_text()) if path.is_file() else None
    return found if isinstance(found, dict) else {}
