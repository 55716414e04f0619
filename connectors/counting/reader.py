"""Counts of a run, live or ended, with the people as they are after all corrections."""

from pathlib import Path

from connectors.counting.store import FILE, CountingStore
from pipeline.core.errors import ConfigError
from pipeline.counts.exposition import exposition
from pipeline.counts.heat import heat_of
from pipeline.counts.rows import Row, rows_of
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

    def rows(self, *, every_s: float, since: float = float("-inf"), until: float = float("inf")) -> list[Row]:
        """Return the counts of the intervals that begin in an interval of time, Unix seconds, in order of time."""
        facts = self._store.facts(since=since - LOOK_BACK_S, until=until + every_s)
        person_of = self._ledger.people().person_of
        found = rows_of(facts, person_of, every_s=every_s)
        return [row for row in found if since <= float(str(row["since"])) < until]

    def heat(self, *, since: float = float("-inf"), until: float = float("inf")) -> Heat:
        """Return the heat map: column, row and person-seconds of each cell, by plane."""
        return heat_of(self._store.cells(since=since, until=until), self._ledger.people().person_of)

    def exposition(self) -> str:
        """Return the metrics in Prometheus' text format: totals, the newest moment, visitors of the last hour."""
        return exposition(self._store.facts(), self._ledger.people().person_of)

    def close(self) -> None:
        """Close the files; idempotent."""
        self._store.close()
        self._ledger.close()
