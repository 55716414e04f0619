"""Pictures by which people were enrolled: those that are kept, and uploads that are judged and wait."""

import secrets
import threading
import time
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.private_database import Database
from pipeline.core import TrackPart

TABLES = """
CREATE TABLE IF NOT EXISTS enrolled (
    track TEXT NOT NULL, part INTEGER NOT NULL, number INTEGER NOT NULL, jpeg BLOB NOT NULL,
    PRIMARY KEY (track, part, number)
) WITHOUT ROWID;
"""
"""Rows are named by track and part, so an erasure finds them as it finds all that is about a part of a track."""

MAX_HELD = 64
"""Uploads that wait at once, of all users; the oldest go first. A larger number needs more memory, 1 MB each."""

HOLD_S = 900.0
"""Seconds that an upload waits to be used. A larger value lets pictures of people stay in memory for longer."""

Image = NDArray[np.uint8]


class EnrolledPictures:
    """One private file of the pictures by which people were enrolled.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, TABLES)

    def put(self, part: TrackPart, jpegs: list[bytes]) -> None:
        """Keep the pictures that a part of a track stands for."""
        rows = [(str(part.track_id), part.part, number, jpeg) for number, jpeg in enumerate(jpegs)]
        self._database.change_many("INSERT OR REPLACE INTO enrolled VALUES (?, ?, ?, ?)", rows)

    def get(self, part: TrackPart, number: int) -> bytes | None:
        """Return a picture by its number, from 0; None if there is none."""
        query = "SELECT jpeg FROM enrolled WHERE track = ? AND part = ? AND number = ?"
        rows = self._database.rows(query, str(part.track_id), part.part, number)
        return bytes(rows[0][0]) if rows else None

    def count(self, part: TrackPart) -> int:
        """Return how many pictures a part of a track stands for."""
        query = "SELECT count(*) FROM enrolled WHERE track = ? AND part = ?"
        return int(self._database.rows(query, str(part.track_id), part.part)[0][0])

    def keep_only(self, kept: Callable[[], Set[TrackPart]]) -> None:
        """Delete the pictures of other parts of tracks: an enrolment that was refused leaves them."""
        stored = self._database.rows("SELECT DISTINCT track, part FROM enrolled")
        wanted = {(str(part.track_id), part.part) for part in kept()} if stored else set()
        gone = [row for row in stored if row not in wanted]
        if gone:
            self._database.change_many("DELETE FROM enrolled WHERE track = ? AND part = ?", gone)
            self._database.checkpoint()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A picture that was judged, cut to the person.

    Attributes:
        by: Who uploaded it.
        at: Seconds of the monotonic clock.
        image: Shape ``(h, w, 3)``, uint8, RGB.
    """

    by: str
    at: float
    image: Image


class Uploads:
    """Pictures that were judged and wait to be used; in memory, for a while."""

    def __init__(self) -> None:
        self._held: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def hold(self, image: Image, by: str) -> str:
        """Hold a picture, and return the name by which ``take`` finds it."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            now = time.monotonic()
            self._held = {key: each for key, each in self._held.items() if now - each.at < HOLD_S}
            while len(self._held) >= MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[name] = Upload(by, now, image)
        return name

    def find(self, names: tuple[str, ...], by: str) -> list[Image] | None:
        """Return pictures that a user uploaded; None if one is not there any more."""
        with self._lock:
            found = [self._held.get(name) for name in names]
        images = [each.image for each in found if each is not None and each.by == by]
        return images if len(images) == len(names) else None

    def drop(self, names: tuple[str, ...]) -> None:
        """Let go of pictures."""
        with self._lock:
            for name in names:
                self._held.pop(name, None)
