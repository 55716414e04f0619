"""Files of video in a folder, and a table of contents: what they show, and who was there.

They are biometric data: private files. A file shows everybody who was there, so it goes with each of them: the table
knows which part of a track was in which camera from when to when, and an erasure of a part
(``pipeline.ledger.erasure``) deletes every file of that camera and time, and keeps them from coming back.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from connectors.footage.segments import Segment
from connectors.private_database import Database
from pipeline.core import Record, Sighting
from pipeline.core.errors import ConnectorError

CONTENTS = "contents.sqlite"
"""The table of contents in the folder."""

COVERED_S = 0.5
"""Seconds of a segment that may be new before it counts as stored already. More lose more of a run that goes on; fewer
store more of it twice."""

TABLES = """
CREATE TABLE IF NOT EXISTS seen (
    track TEXT NOT NULL, part INTEGER NOT NULL, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
    is_needless INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (track, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_time ON seen (camera, until, since);
CREATE TABLE IF NOT EXISTS footage (
    file TEXT PRIMARY KEY, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, bytes INTEGER NOT NULL,
    made_at REAL NOT NULL, is_clip INTEGER NOT NULL,
    is_key INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS footage_by_time ON footage (camera, is_clip, since);
CREATE INDEX IF NOT EXISTS footage_by_age ON footage (is_clip, made_at, bytes);
CREATE TABLE IF NOT EXISTS erased (camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL);
CREATE VIEW IF NOT EXISTS files_of_parts AS
    SELECT track, part, file FROM seen JOIN footage USING (camera)
    WHERE footage.since <= seen.until AND footage.until >= seen.since;
CREATE TRIGGER IF NOT EXISTS erase_footage AFTER DELETE ON seen WHEN NOT OLD.is_needless BEGIN
    INSERT INTO erased VALUES (OLD.camera, OLD.since, OLD.until);
    DELETE FROM footage WHERE camera = OLD.camera AND since <= OLD.until AND until >= OLD.since;
END;
"""


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment on the disk; see ``Segment``."""

    since: float
    until: float
    is_key: bool
    path: Path


class FootageStore:
    """A folder of segments and clips; several processes may use it.

    Args:
        folder: The folder.
        more_tables: SQL that creates further tables.

    Attributes:
        database: The table of contents.

    Raises:
        ConnectorError: If it cannot be opened; every method raises it if it cannot be used.
    """

    def __init__(self, folder: Path, more_tables: str = "") -> None:
        self.folder = folder
        self._opened_at = time.time()
        self.database = Database(folder / CONTENTS, TABLES + more_tables)

    def put_segment(self, camera_id: str, segment: Segment) -> bool:
        """Add a segment; return False if somebody in it was erased, or if an earlier run has stored the same."""
        if self._is_stored(camera_id, segment):
            return False
        span = segment.since, segment.until
        return self.put(f"{uuid4().hex}.ts", camera_id, span, segment.data, is_clip=False, is_key=segment.is_key)

    def put(
        self, file: str, camera_id: str, span: tuple[float, float], data: bytes, *, is_clip: bool, is_key: bool = True
    ) -> bool:
        """Write a file and enter it; return False, and delete it, if somebody was erased who was seen then.

        Args:
            file: Its name in the folder.
            camera_id: What it shows.
            span: From when to when, Unix seconds.
            data: Its content.
            is_clip: Whether it is a clip; otherwise a segment.
            is_key: Whether it begins with a key frame.
        """
        self._write(file, data)
        since, until = span
        values = file, camera_id, since, until, len(data), time.time(), is_clip, is_key
        self.database.change("INSERT OR REPLACE INTO footage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)
        erased = "SELECT 1 FROM erased WHERE camera = ? AND since <= ? AND until >= ?"
        if self.database.rows(erased, camera_id, until, since):
            self.drop(file)
            return False
        return True

    def segments(self, camera_id: str, since: float, until: float) -> list[StoredSegment]:
        """Return the segments that show a camera in an interval, from the key frame before it, in order of time."""
        rows = self.database.rows(
            "SELECT since, until, is_key, file FROM footage WHERE camera = ? AND NOT is_clip AND since < ? "
            "AND since >= coalesce((SELECT max(since) FROM footage WHERE camera = ? AND NOT is_clip AND is_key "
            "AND since <= ?), ?) ORDER BY since",
            *(camera_id, until, camera_id, since, since),
        )
        return [StoredSegment(begin, end, bool(is_key), self.folder / file) for begin, end, is_key, file in rows]

    def see(self, records: Iterable[Record]) -> None:
        """Note who was in a camera, of all sightings among some records. Those that come again change nothing."""
        self.database.change_many(
            "INSERT OR IGNORE INTO seen (track, part, camera, since, until) VALUES (?, ?, ?, ?, ?)",
            [
                (str(one.track_id), one.part, one.track_id.camera_id, one.first.captured_at, one.last.captured_at)
                for one in records
                if isinstance(one, Sighting)
            ],
        )

    def drop(self, file: str) -> None:
        """Delete a clip or a segment, if it is there."""
        self.database.change("DELETE FROM footage WHERE file = ?", file)
        (self.folder / file).unlink(missing_ok=True)

    def trim(self, *, are_clips: bool, keep_s: float, max_bytes: int) -> int:
        """Delete clips, or segments, that are older than ``keep_s``, and the oldest above ``max_bytes``.

        Returns:
            How many.
        """
        num_gone, excess, oldest_at = 0, self.num_bytes(are_clips=are_clips) - max_bytes, time.time() - keep_s
        oldest = "SELECT file, bytes, made_at FROM footage WHERE is_clip = ? ORDER BY made_at"
        for file, num_bytes, made_at in self.database.rows(oldest, are_clips):
            if excess <= 0 and made_at >= oldest_at:
                break
            self.drop(file)
            excess -= num_bytes
            num_gone += 1
        return num_gone

    def num_bytes(self, *, are_clips: bool) -> int:
        """Return the size of all clips, or of all segments, bytes."""
        return int(self.database.rows("SELECT coalesce(sum(bytes), 0) FROM footage WHERE is_clip = ?", are_clips)[0][0])

    def forget_seen(self, keep_s: float) -> None:
        """Forget who was seen before anything that is kept of a camera, but not the last ``keep_s`` of sightings."""
        for camera_id, newest_at, oldest_at in self.database.rows(
            "SELECT camera, max(until), (SELECT min(since) FROM footage WHERE footage.camera = seen.camera) FROM seen "
            "GROUP BY camera"
        ):
            before = newest_at - keep_s if oldest_at is None else min(newest_at - keep_s, oldest_at)
            self.database.change("UPDATE seen SET is_needless = 1 WHERE camera = ? AND until < ?", camera_id, before)
        self.database.change("DELETE FROM seen WHERE is_needless")

    def close(self) -> None:
        """Close the table; idempotent."""
        self.database.close()

    def _is_stored(self, camera_id: str, segment: Segment) -> bool:
        """Return whether segments of before this store was opened cover a segment: a recording is read again."""
        covered_until = segment.since
        for since, until in self.database.rows(
            "SELECT since, until FROM footage WHERE camera = ? AND NOT is_clip AND since < ? AND until > ? "
            "AND made_at < ? ORDER BY since",
            *(camera_id, segment.until, segment.since, self._opened_at),
        ):
            if since > covered_until + COVERED_S:
                return False
            covered_until = max(covered_until, until)
        return covered_until > segment.since and covered_until >= segment.until - COVERED_S

    def _write(self, file: str, data: bytes) -> None:
        unfinished = self.folder / f".{file}"
        try:
            with open(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as stream:
                stream.write(data)
            unfinished.replace(self.folder / file)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ConnectorError(f"{self.folder / file}: cannot be written: {error}; free disk space") from error
