"""Clips of alerts, the ring of segments that they are cut from, and which clips are still to be cut."""

import time
from dataclasses import dataclass
from pathlib import Path

from connectors.footage.segments import Segment
from connectors.footage.store import FootageStore

FOLDER = "alert_clips"
"""In the output folder of a run; ``pipeline.core.records.alert.clip_of`` names the files in it."""

TABLES = """
CREATE TABLE IF NOT EXISTS wanted (
    file TEXT PRIMARY KEY, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, asked_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ended (camera TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A clip that is to be cut.

    Attributes:
        file: Its name in the folder.
        camera_id: Of which camera.
        since: Unix seconds, event time: where it begins.
        until: Unix seconds: where it ends.
        asked_at: Unix seconds of the clock.
    """

    file: str
    camera_id: str
    since: float
    until: float
    asked_at: float


class AlertClipStore:
    """The folder of clips of a run; several processes may use it.

    Args:
        output_dir: Output folder of the run.

    Attributes:
        footage: The files.

    Raises:
        ConnectorError: If it cannot be opened; every method raises it if it cannot be used.
    """

    def __init__(self, output_dir: Path) -> None:
        self.footage = FootageStore(output_dir / FOLDER, TABLES)
        self._database = self.footage.database

    # The ring.

    def put_segment(self, camera_id: str, segment: Segment, *, keep_s: float, max_bytes: int) -> None:
        """Add a segment to the ring of a camera, and drop its oldest ones beyond the limits."""
        self.footage.put_segment(camera_id, segment)
        rows = self._database.rows(
            "SELECT file, bytes, made_at FROM footage WHERE camera = ? AND NOT is_clip ORDER BY made_at DESC", camera_id
        )
        total, oldest_at = 0, time.time() - keep_s
        for name, num_bytes, made_at in rows:
            total += num_bytes
            if total > max_bytes or made_at < oldest_at:
                self.footage.drop(name)

    def shown_until(self, camera_id: str) -> float:
        """Return up to when the ring shows a camera, Unix seconds; infinite if nothing more comes."""
        if self._database.rows("SELECT 1 FROM ended WHERE camera = ?", camera_id):
            return float("inf")
        newest = "SELECT max(until) FROM footage WHERE camera = ? AND NOT is_clip"
        (found,) = self._database.rows(newest, camera_id)
        return float("-inf") if found[0] is None else float(found[0])

    def note_end(self, camera_id: str, *, has_ended: bool) -> None:
        """Note that no more segments of a camera come, or that some do again."""
        sql = "INSERT OR IGNORE INTO ended VALUES (?)" if has_ended else "DELETE FROM ended WHERE camera = ?"
        self._database.change(sql, camera_id)

    def empty_ring(self) -> None:
        """Drop all segments."""
        for (file,) in self._database.rows("SELECT file FROM footage WHERE NOT is_clip"):
            self.footage.drop(file)

    # Clips.

    def want(self, wanted: Wanted) -> None:
        """Note that a clip is to be cut, unless it is there."""
        self._database.change(
            "INSERT OR IGNORE INTO wanted SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM footage WHERE file = ?)",
            *(wanted.file, wanted.camera_id, wanted.since, wanted.until, wanted.asked_at, wanted.file),
        )

    def wanted(self) -> list[Wanted]:
        """Return the clips that are to be cut, the oldest first."""
        return [Wanted(*row) for row in self._database.rows("SELECT * FROM wanted ORDER BY asked_at, file")]

    def settle(self, file: str) -> None:
        """Note that a clip is cut, or will never be."""
        self._database.change("DELETE FROM wanted WHERE file = ?", file)

    def put_clip(self, wanted: Wanted, data: bytes) -> bool:
        """Store a clip; return False if somebody in it was erased meanwhile."""
        return self.footage.put(wanted.file, wanted.camera_id, (wanted.since, wanted.until), data, is_clip=True)

    def clip(self, file: str) -> Path | None:
        """Return the file of a clip; None if there is none."""
        found = self._database.rows("SELECT 1 FROM footage WHERE file = ? AND is_clip", file)
        path = self.footage.folder / file
        return path if found and path.is_file() else None

    def close(self) -> None:
        """Close the table; idempotent."""
        self.footage.close()
