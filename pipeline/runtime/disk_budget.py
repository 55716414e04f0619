"""Keeps the output folder of a run within its budget: the oldest recordings go first, then clips, then pictures.

The ledger is never touched: ``ledger.retention_s`` and ``ledger.max_events`` bound it.
"""

import asyncio
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from pipeline.telemetry.disk_status import DiskStatus

LOOK_EVERY_S = 10.0
"""Seconds between two looks. A longer time lets the folder exceed its budget by more."""
AT_ONCE = 200
"""Pictures deleted at once. More leave the folder further below its budget."""
SAY_EVERY_S = 600.0
"""Seconds between two lines about what was deleted. Fewer fill the log of a site that is always at its limit."""
BUSY_S = 5.0
"""Seconds to wait for a file that another process writes; then it is left for the next look."""

logger = logging.getLogger(__name__)


class DiskBudget:
    """The budget of one run.

    Args:
        folder: Output folder of the run.
        max_bytes: Size of the folder, bytes; None: no limit.
        min_free_bytes: What is to stay free on its disk, bytes.

    Attributes:
        status: As of the last look.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None, min_free_bytes: int) -> None:
        self._folder, self._max_bytes, self._min_free_bytes = folder, max_bytes, min_free_bytes
        self._num_recordings = self._num_pictures = 0
        self._said = 0, 0
        self._said_at = -SAY_EVERY_S
        self.status = DiskStatus()

    async def watch(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> DiskStatus:
        """Delete what is beyond the budget, and return how much is used now."""
        used, free = self._measured()
        while (excess := self._excess(used, free)) > 0 and self._delete_oldest(excess):
            used, free = self._measured()
        trouble = None
        if excess > 0:
            limit = "disk.max_gb" if self._max_bytes is not None and used > self._max_bytes else "disk.min_free_gb"
            trouble = (
                f"{limit}: exceeded by {excess / 1e9:.2f} GB, and no recording, clip or picture is left to delete; "
                "make room, or lower ledger.retention_s"
            )
        self._say(trouble)
        self.status = DiskStatus(used, free, self._num_recordings, self._num_pictures, trouble)
        return self.status

    def _measured(self) -> tuple[int, int]:
        """Return how much the folder uses and how much is free on its disk, bytes."""
        used = 0
        for path in self._folder.rglob("*"):
            try:
                used += path.stat().st_size if path.is_file() else 0
            except OSError:  # deleted meanwhile
                continue
        free_pages = sum(_free_bytes(path) for path in self._picture_files())
        return used - free_pages, shutil.disk_usage(self._folder).free

    def _excess(self, used: int, free: int) -> int:
        above = 0 if self._max_bytes is None else used - self._max_bytes
        return max(0, above, self._min_free_bytes - free)

    def _delete_oldest(self, excess: int) -> bool:
        """Delete recordings of so many bytes; where there are none, clips, then some pictures; False: nothing left."""
        return (
            self._delete_recordings(excess)
            or self._delete_footage(self._folder.glob("video/contents.sqlite"), excess, are_clips=False)
            or self._delete_footage(self._folder.glob("*/contents.sqlite"), excess, are_clips=True)
            or self._delete_pictures()
        )

    def _delete_recordings(self, excess: int) -> bool:
        deleted = 0
        for path in self._recordings():
            try:
                size = path.stat().st_size
                path.unlink()
            except OSError:  # its camera has deleted it
                continue
            self._num_recordings += 1
            deleted += size
            if deleted >= excess:
                break
        return deleted > 0

    def _recordings(self) -> list[Path]:
        """Return the recorded files, oldest first, without the newest of each camera, which is being written."""
        found: list[tuple[float, Path]] = []
        for folder in self._folder.glob("recordings/*"):
            try:
                files = sorted((path.stat().st_mtime, path) for path in folder.glob("*.mkv"))
            except OSError:
                continue
            found += files[:-1]
        return [path for _, path in sorted(found)]

    def _delete_footage(self, tables: Iterable[Path], excess: int, *, are_clips: bool) -> bool:
        """Delete the oldest clips, or segments, of at least so many bytes, and their rows in the tables beside them."""
        deleted = 0
        for contents in sorted(tables):
            try:
                with closing(sqlite3.connect(contents, timeout=BUSY_S, isolation_level=None)) as database:
                    for (name,) in database.execute(
                        "SELECT file FROM footage WHERE is_clip = ? ORDER BY made_at", [are_clips]
                    ).fetchall():
                        if deleted >= excess:
                            break
                        file = contents.parent / name
                        deleted += file.stat().st_size if file.is_file() else 0
                        database.execute("DELETE FROM footage WHERE file = ?", (name,))
                        file.unlink(missing_ok=True)
                        self._num_pictures += are_clips
                        self._num_recordings += not are_clips
            except (sqlite3.Error, OSError) as error:
                logger.warning("disk: %s: nothing can be deleted now: %s", contents.parent.name, error)
        return deleted > 0

    def _picture_files(self) -> Iterator[Path]:
        return (path for path in sorted(self._folder.rglob("*.sqlite")) if not path.name.startswith("ledger"))

    def _delete_pictures(self) -> bool:
        """Delete the oldest rows of the table that has the oldest; pictures are in tables with a column ``kept_at``."""
        oldest: tuple[float, Path, str] | None = None
        for path in self._picture_files():
            for at, table in _oldest_rows(path):
                if oldest is None or at < oldest[0]:
                    oldest = at, path, table
        if oldest is None:
            return False
        _, path, table = oldest
        chosen = f'SELECT track, part FROM "{table}" ORDER BY kept_at LIMIT {AT_ONCE}'
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as database:
                database.execute("PRAGMA secure_delete = ON")
                gone = database.execute(f'DELETE FROM "{table}" WHERE (track, part) IN ({chosen})').rowcount
                database.executescript("PRAGMA incremental_vacuum")  # execute() gives back one page
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            logger.warning("disk: %s: nothing can be deleted now: %s", path.name, error)
            return False
        self._num_pictures += gone
        return gone > 0

    def _say(self, trouble: str | None) -> None:
        """Say now and then what was deleted, and at once what is wrong."""
        if trouble != self.status.trouble and trouble is not None:
            logger.error("%s", trouble)
        deleted = self._num_recordings, self._num_pictures
        if deleted != self._said and time.monotonic() - self._said_at >= SAY_EVERY_S:
            recordings, pictures = (now - then for now, then in zip(deleted, self._said, strict=True))
            logger.warning(
                "disk: deleted the oldest %d recordings, %d pictures and clips, for disk.max_gb and disk.min_free_gb",
                *(recordings, pictures),
            )
            self._said, self._said_at = deleted, time.monotonic()


def _oldest_rows(path: Path) -> list[tuple[float, str]]:
    """Return each table of pictures that is not empty, and when its oldest was kept, Unix seconds."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as database:
            tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = []
            for table in tables:
                columns = {row[1] for row in database.execute(f'PRAGMA table_info("{table}")')}
                if {"track", "part", "kept_at"} <= columns:
                    (at,) = database.execute(f'SELECT min(kept_at) FROM "{table}"').fetchone()
                    found += [] if at is None else [(float(at), table)]
            return found
    except sqlite3.Error:
        return []


def _free_bytes(path: Path) -> int:
    """Return the size of the pages that a SQLite file will use again, bytes."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as database:
            return int(database.execute("PRAGMA freelist_count").fetchone()[0]) * int(
                database.execute("PRAGMA page_size").fetchone()[0]
            )
    except sqlite3.Error:
        return 0
