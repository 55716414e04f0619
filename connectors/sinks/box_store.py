"""The box store: the file with the boxes of a run, so that its texts and videos can be exported again later."""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import TrackId, TrackPart
from pipeline.core.errors import ConnectorError
from pipeline.core.sqlite_files import reading_uri, why_failed

# The erasure of a person deletes rows by the columns track and part.
TABLES = (
    "CREATE TABLE boxes "
    "(camera TEXT, track TEXT, part INTEGER, height INTEGER, width INTEGER, boxes BLOB, person INTEGER)",
    "CREATE TABLE fates (number INTEGER, kept INTEGER)",
    "CREATE TABLE masks (camera TEXT, boxes BLOB)",
)
KEEP_MASKS = (
    "CREATE TRIGGER keep_masks AFTER DELETE ON boxes BEGIN INSERT INTO masks VALUES (OLD.camera, OLD.boxes); END"
)
"""Whoever deletes boxes leaves where something is to be covered, and no longer whom."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """The boxes of one part of a track.

    Attributes:
        part: The part.
        frame_hw: Height and width of the frames, pixels.
        boxes: Its boxes, the bytes of an array of dtype ``SPOOLED``.
        person_id: Whom it showed when the run ended.
    """

    part: TrackPart
    frame_hw: tuple[int, int]
    boxes: bytes
    person_id: int


def write_boxes(
    path: Path,
    parts: Iterable[StoredPart],
    fates: Iterable[tuple[int, int]],
    masks: Iterable[tuple[str, bytes]] | None = None,
) -> None:
    """Write parts in order. The file appears when complete.

    Args:
        path: The file.
        parts: The parts.
        fates: What became of numbers; see ``FinalTracks.fates``.
        masks: Cameras, and the boxes of people who were erased. None: those of people who are erased later go, too.

    Raises:
        ConnectorError: If the disk is full.
    """
    unfinished = path.with_name(f".{path.name}")
    rows = (
        (
            each.part.track_id.camera_id,
            str(each.part.track_id),
            each.part.part,
            *each.frame_hw,
            each.boxes,
            each.person_id,
        )
        for each in parts
    )
    try:
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as database:
            for table in TABLES:
                database.execute(table)
            database.executemany("INSERT INTO boxes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            database.executemany("INSERT INTO fates VALUES (?, ?)", fates)
            if masks is not None:
                database.executemany("INSERT INTO masks VALUES (?, ?)", masks)
                database.execute(KEEP_MASKS)
            database.commit()
        os.replace(unfinished, path)
    except (sqlite3.Error, OSError) as error:
        raise ConnectorError(f"{path}: expected to write it, got {error}; check space and rights") from error


def read_boxes(path: Path) -> list[StoredPart]:
    """Return the stored parts, in order, without the people who were erased since.

    Raises:
        ConnectorError: If there is no such file, or it is damaged.
    """
    rows = _rows(path, "SELECT track, part, height, width, boxes, person FROM boxes ORDER BY rowid")
    return [
        StoredPart(TrackPart(TrackId.parse(track), part), (height, width), boxes, person_id)
        for track, part, height, width, boxes, person_id in rows
    ]


def read_fates(path: Path) -> list[tuple[int, int]]:
    """Return what had become of numbers when the run ended; see ``FinalTracks.fates``.

    Raises:
        ConnectorError: If there is no such file, or it is damaged.
    """
    return _rows(path, "SELECT number, kept FROM fates")


def read_masks(path: Path) -> list[tuple[str, bytes]]:
    """Return cameras, and the boxes of a person who was erased; the boxes of one entry belong together.

    Raises:
        ConnectorError: If there is no such file, or it is damaged.
    """
    if not _rows(path, "SELECT name FROM sqlite_master WHERE name = 'masks'"):
        return []  # written before masks were
    return _rows(path, "SELECT camera, boxes FROM masks ORDER BY rowid")


def _rows(path: Path, query: str) -> list[Any]:
    try:
        with closing(sqlite3.connect(reading_uri(path), uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise ConnectorError(
            why_failed(path, error, f"expected the boxes of a run that has ended, got {error}")
        ) from error
