"""Facts that can be counted, in one private file beside the ledger; readers take the people from the ledger.

Its rows are named by part of a track, so that an erasure reaches them. Writing a sighting again changes nothing.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from connectors.private_database import Database
from pipeline.alerts.plane_geometry import Points
from pipeline.core import TrackId, TrackPart
from pipeline.counts.facts import Fact, FactKind
from pipeline.counts.heat import Cell

FILE = "counts.sqlite"
"""In the output folder of a run."""

TABLES = """
CREATE TABLE IF NOT EXISTS facts (
    track TEXT NOT NULL, part INTEGER NOT NULL, kind TEXT NOT NULL, place TEXT NOT NULL, since REAL NOT NULL,
    until REAL NOT NULL, direction INTEGER NOT NULL, is_new INTEGER NOT NULL, doubt REAL NOT NULL,
    PRIMARY KEY (track, part, kind, place, since)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS facts_by_time ON facts (until);
CREATE TABLE IF NOT EXISTS last_points (
    track TEXT NOT NULL, part INTEGER NOT NULL, line TEXT NOT NULL, at REAL NOT NULL, x REAL NOT NULL, y REAL NOT NULL,
    PRIMARY KEY (track, line, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cells (
    track TEXT NOT NULL, part INTEGER NOT NULL, plane TEXT NOT NULL, column INTEGER NOT NULL, row INTEGER NOT NULL,
    seconds REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (track, part, plane, column, row)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cells_by_time ON cells (at);
"""


class CountingStore:
    """The file of facts.

    Args:
        path: The file; created if it is missing.
        read_only: Whether it is there and only read.

    Raises:
        ConnectorError: If it cannot be opened; every method raises it if the file cannot be used.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = Database(path, "" if read_only else TABLES, read_only=read_only)

    def put(self, facts: Iterable[Fact]) -> None:
        """Store facts; the same ones again change nothing."""
        self._database.change_many(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(str(fact.part.track_id), fact.part.part, fact.kind.value, fact.place, fact.since, fact.until),
                    *(fact.direction, int(fact.is_new), fact.doubt),
                )
                for fact in facts
            ],
        )

    def put_last_point(self, line: str, part: TrackPart, at: float, point: Points) -> None:
        """Store where a part was clear of a line last, shape ``(1, 2)``."""
        self._database.change(
            "INSERT OR REPLACE INTO last_points VALUES (?, ?, ?, ?, ?, ?)",
            *(str(part.track_id), part.part, line, at, float(point[0, 0]), float(point[0, 1])),
        )

    def last_point(self, line: str, part: TrackPart) -> Points | None:
        """Return where the newest earlier part of a track was clear of a line last."""
        rows = self._database.rows(
            "SELECT x, y FROM last_points WHERE track = ? AND line = ? AND part < ? ORDER BY part DESC LIMIT 1",
            *(str(part.track_id), line, part.part),
        )
        return np.array(rows, np.float64) if rows else None

    def facts(self, *, since: float = float("-inf"), until: float = float("inf")) -> list[Fact]:
        """Return the facts that reach into an interval of time, Unix seconds, in order of time."""
        return self._facts("until >= ? AND since < ?", max(since, -1e300), min(until, 1e300))

    def newcomers(self) -> list[Fact]:
        """Return the facts about cameras in which somebody was taken for new, in order of time."""
        return self._facts("kind = ? AND is_new", FactKind.CAMERA.value)

    def _facts(self, condition: str, *values: object) -> list[Fact]:
        rows = self._database.rows(
            "SELECT track, part, kind, place, since, until, direction, is_new, doubt FROM facts "
            f"WHERE {condition} ORDER BY since, track, part, kind, place",
            *values,
        )
        tracks: dict[str, TrackId] = {}
        return [
            Fact(
                *(FactKind(kind), place, start, end),
                TrackPart(tracks.setdefault(track, TrackId.parse(track)), part),
                direction,
                bool(is_new),
                doubt,
            )
            for track, part, kind, place, start, end, direction, is_new, doubt in rows
        ]

    def put_cells(self, cells: Iterable[Cell]) -> None:
        """Store cells of the heat map; the same ones again change nothing."""
        self._database.change_many(
            "INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (str(cell.part.track_id), cell.part.part, cell.plane, cell.column, cell.row, cell.seconds, cell.at)
                for cell in cells
            ],
        )

    def cells(self, *, since: float = float("-inf"), until: float = float("inf")) -> list[Cell]:
        """Return the cells of parts that ended in an interval of time, Unix seconds."""
        rows = self._database.rows(
            "SELECT track, part, plane, column, row, seconds, at FROM cells WHERE at >= ? AND at < ?",
            *(max(since, -1e300), min(until, 1e300)),
        )
        return [
            Cell(plane, column, row, seconds, at, TrackPart(TrackId.parse(track), part))
            for track, part, plane, column, row, seconds, at in rows
        ]

    def forget(self, before: float) -> None:
        """Delete what ended before a moment, Unix seconds."""
        self._database.change("DELETE FROM facts WHERE until < ?", before)
        self._database.change("DELETE FROM last_points WHERE at < ?", before)
        self._database.change("DELETE FROM cells WHERE at < ?", before)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()
