"""Boxes that outlive their run, so that texts and films can be made anew when somebody was corrected afterwards."""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import TrackId, TrackPart
from pipeline.core.errors import ConnectorError

# Whoever erases a person finds them by these two columns.
TABLE = "CREATE TABLE boxes (track TEXT, part INTEGER, height INTEGER, width INTEGER, boxes BLOB)"


@dataclass(frozen=True, slots=True)
class StoredPart:
    """Where a part of a track was.

    Attributes:
        part: Which.
        frame_hw: Height and width of the frames, pixels.
        boxes: Its boxes, as bytes.
    """

    part: TrackPart
    frame_hw: tuple[int, int]
    boxes: bytes


def write_boxes(path: Path, parts: Iterable[StoredPart]) -> None:
    """Write parts in order; the file appears whole.

    Raises:
        ConnectorError: If the disk does not take it.
    """
    unfinished = path.with_name(f".{path.name}")
    rows = ((str(kept.part.track_id), kept.part.part, *kept.frame_hw, kept.boxes) for kept in parts)
    try:
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as database:
            database.execute(TABLE)
            database.executemany("INSERT INTO boxes VALUES (?, ?, ?, ?, ?)", rows)
            database.commit()
        os.replace(unfinished, path)
    except (sqlite3.Error, OSError) as error:
        raise ConnectorError(f"{path}: expected to write it, got {error}; check space and rights") from error


def read_boxes(path: Path) -> list[StoredPart]:
    """Return what was written, in order, without those who were erased since.

    Raises:
        ConnectorError: If there is no such file, or it is damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT track, part, height, width, boxes FROM boxes ORDER BY rowid").fetchall()
    except sqlite3.Error as error:
        raise ConnectorError(f"{path}: expected the boxes of a run that has ended, got {error}") from error
    return [
        StoredPart(TrackPart(TrackId.parse(track), part), (height, width), boxes)
        for track, part, height, width, boxes in rows
    ]
