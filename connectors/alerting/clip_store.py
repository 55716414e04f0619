"""Clips of alerts, and the ring of segments that they are cut from: files, and a table of contents.

They are biometric data: private files, bounded in size and time. A clip shows everybody who was there, so it goes with
each of them: the table knows which part of a track was in which camera from when to when, and an erasure of a part
(``pipeline.ledger.erasure``) deletes every clip and segment of that camera and time, and keeps them from coming back.
"""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from connectors.alerting.clip_segments import Segment
from connectors.private_database import Database
from pipeline.core import TrackPart
from pipeline.core.errors import ConnectorError

FOLDER = "alert_clips"
"""In the output folder of a run; ``pipeline.core.records.alert.clip_of`` names the files in it."""

TABLES = """
CREATE TABLE IF NOT EXISTS seen (
    track TEXT NOT NULL, part INTEGER NOT NULL, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
    is_needless INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (track, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS footage (
    file TEXT PRIMARY KEY, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, bytes INTEGER NOT NULL,
    made_at REAL NOT NULL, is_clip INTEGER NOT NULL,
    is_key INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS footage_by_time ON footage (camera, is_clip, since);
CREATE TABLE IF NOT EXISTS wanted (
    file TEXT PRIMARY KEY, camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL, asked_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (camera TEXT NOT NULL, since REAL NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS ended (camera TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS files_of_parts AS
    SELECT track, part, file FROM seen JOIN footage USING (camera)
    WHERE footage.since <= seen.until AND footage.until >= seen.since;
CREATE TRIGGER IF NOT EXISTS erase_footage AFTER DELETE ON seen WHEN NOT OLD.is_needless BEGIN
    INSERT INTO erased VALUES (OLD.camera, OLD.since, OLD.until);
    DELETE FROM footage WHERE camera = OLD.camera AND since <= OLD.until AND until >= OLD.since;
END;
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A part of a track, and when it was in its camera, Unix seconds."""

    part: TrackPart
    since: float
    until: float


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


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment of the ring; see ``Segment``."""

    since: float
    until: float
    is_key: bool
    path: Path


class AlertClipStore:
    """The folder of clips of a run; several processes may use it.

    Args:
        output_dir: Output folder of the run.

    Raises:
        ConnectorError: If it cannot be opened; every method raises it if it cannot be used.
    """

    def __init__(self, output_dir: Path) -> None:
        self.folder = output_dir / FOLDER
        self._database = Database(self.folder / "contents.sqlite", TABLES)

    # The ring.

    def put_segment(self, camera_id: str, segment: Segment, *, keep_s: float, max_bytes: int) -> None:
        """Add a segment to the ring of a camera, and drop its oldest ones beyond the limits."""
        file = f"{uuid4().hex}.ts"
        self._write(file, segment.data)
        span = segment.since, segment.until
        self._put(file, camera_id, span, len(segment.data), is_clip=False, is_key=segment.is_key)
        rows = self._database.rows(
            "SELECT file, bytes, made_at FROM footage WHERE camera = ? AND NOT is_clip ORDER BY made_at DESC", camera_id
        )
        total, oldest_at = 0, time.time() - keep_s
        for name, num_bytes, made_at in rows:
            total += num_bytes
            if total > max_bytes or made_at < oldest_at:
                self.drop(name)

    def segments(self, camera_id: str, since: float, until: float) -> list[StoredSegment]:
        """Return the segments that show a camera in an interval, from the key frame before it, in order of time."""
        rows = self._database.rows(
            "SELECT since, until, is_key, file FROM footage WHERE camera = ? AND NOT is_clip AND since < ? "
            "AND since >= coalesce((SELECT max(since) FROM footage WHERE camera = ? AND NOT is_clip AND is_key "
            "AND since <= ?), ?) ORDER BY since",
            *(camera_id, until, camera_id, since, since),
        )
        return [StoredSegment(begin, end, bool(is_key), self.folder / file) for begin, end, is_key, file in rows]

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
            self.drop(file)

    # Who was where.

    def see(self, seen: Iterable[Seen]) -> None:
        """Note who was in a camera. Sightings that come again change nothing."""
        self._database.change_many(
            "INSERT OR IGNORE INTO seen (track, part, camera, since, until) VALUES (?, ?, ?, ?, ?)",
            [
                (str(each.part.track_id), each.part.part, each.part.track_id.camera_id, each.since, each.until)
                for each in seen
            ],
        )

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
        self._write(wanted.file, data)
        return self._put(wanted.file, wanted.camera_id, (wanted.since, wanted.until), len(data), is_clip=True)

    def clip(self, file: str) -> Path | None:
        """Return the file of a clip; None if there is none."""
        found = self._database.rows("SELECT 1 FROM footage WHERE file = ? AND is_clip", file)
        path = self.folder / file
        return path if found and path.is_file() else None

    def drop(self, file: str) -> None:
        """Delete a clip or a segment, if it is there."""
        self._database.change("DELETE FROM footage WHERE file = ?", file)
        (self.folder / file).unlink(missing_ok=True)

    def tidy(self, *, keep_s: float, max_bytes: int) -> int:
        """Delete clips older than ``keep_s``, and the oldest above ``max_bytes``; return how many."""
        now, total, num_gone = time.time(), 0, 0
        clips = "SELECT file, bytes, made_at FROM footage WHERE is_clip ORDER BY made_at DESC"
        for file, num_bytes, made_at in self._database.rows(clips):
            total += num_bytes
            if total > max_bytes or made_at < now - keep_s:
                self.drop(file)
                num_gone += 1
        return num_gone

    def forget_seen(self, before: float) -> None:
        """Forget who was seen before a time, Unix seconds, and is in no clip."""
        needless = (
            "until < ? AND NOT EXISTS (SELECT 1 FROM footage WHERE footage.camera = seen.camera "
            "AND footage.since <= seen.until AND footage.until >= seen.since)"
        )
        self._database.change(f"UPDATE seen SET is_needless = 1 WHERE {needless}", before)
        self._database.change("DELETE FROM seen WHERE is_needless")

    def num_bytes(self) -> int:
        """Return the size of all clips, bytes."""
        return int(self._database.rows("SELECT coalesce(sum(bytes), 0) FROM footage WHERE is_clip")[0][0])

    def close(self) -> None:
        """Close the table; idempotent."""
        self._database.close()

    def _put(
        self,
        file: str,
        camera_id: str,
        span: tuple[float, float],
        num_bytes: int,
        *,
        is_clip: bool,
        is_key: bool = True,
    ) -> bool:
        """Enter a file; return False, and delete it, if it shows a time in which somebody was erased."""
        since, until = span
        values: Sequence[object] = (file, camera_id, since, until, num_bytes, time.time(), is_clip, is_key)
        self._database.change("INSERT OR REPLACE INTO footage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)
        erased = "SELECT 1 FROM erased WHERE camera = ? AND since <= ? AND until >= ?"
        if self._database.rows(erased, camera_id, until, since):
            self.drop(file)
            return False
        return True

    def _write(self, file: str, data: bytes) -> None:
        unfinished = self.folder / f".{file}"
        try:
            with open(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as stream:
                stream.write(data)
            unfinished.replace(self.folder / file)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ConnectorError(f"{self.folder / file}: cannot be written: {error}; free disk space") from error
