"""Pictures of sightings: bounded, for a while, and gone with the person. Biometric data."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from connectors.console._database import Database
from pipeline.core import TrackId, TrackPart

TABLES = """
CREATE TABLE IF NOT EXISTS pictures (
    track TEXT NOT NULL, part INTEGER NOT NULL, kept_at REAL NOT NULL, captured_at REAL NOT NULL, quality REAL NOT NULL,
    heads TEXT NOT NULL, jpeg BLOB NOT NULL, PRIMARY KEY (track, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pictures_by_age ON pictures (kept_at);
"""
TIDY_EVERY = 200
"""Pictures kept between two looks at what is too much."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The best picture of one part of a track.

    Attributes:
        part: Which.
        captured_at: Unix seconds, event time.
        quality: Higher is better; comparable within one camera.
        jpeg: The picture.
        heads_xyxy: Where heads of other people are in it, each side in [0, 1] of the picture.
    """

    part: TrackPart
    captured_at: float
    quality: float
    jpeg: bytes
    heads_xyxy: tuple[tuple[float, float, float, float], ...] = ()


class PictureStore:
    """One private file of pictures; the oldest go first.

    Args:
        path: The file.
        keep_s: Seconds by the wall clock that a picture is kept.
        max_bytes: Of all pictures together.
    """

    def __init__(self, path: Path, *, keep_s: float, max_bytes: int) -> None:
        self._database = Database(path, TABLES)
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._num_put = 0
        self.tidy()

    def put(self, picture: Picture) -> None:
        """Keep a picture, in place of an earlier one of the same part."""
        self._database.change(
            "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(str(picture.part.track_id), picture.part.part, time.time(), picture.captured_at, picture.quality),
            *(json.dumps(picture.heads_xyxy), picture.jpeg),
        )
        self._num_put += 1
        if self._num_put % TIDY_EVERY == 0:
            self.tidy()

    def get(self, part: TrackPart) -> Picture | None:
        """Return a picture; None if there is none."""
        rows = self._database.rows(
            "SELECT captured_at, quality, heads, jpeg FROM pictures WHERE track = ? AND part = ?",
            *(str(part.track_id), part.part),
        )
        if not rows:
            return None
        captured_at, quality, heads, jpeg = rows[0]
        return Picture(part, captured_at, quality, bytes(jpeg), tuple(tuple(box) for box in json.loads(heads)))

    def qualities(self, track_id: TrackId) -> dict[int, float]:
        """Return how good the pictures of a track are, by part."""
        return dict(self._database.rows("SELECT part, quality FROM pictures WHERE track = ?", str(track_id)))

    def parts(self, *, older_than_s: float = 0.0) -> list[TrackPart]:
        """Return which parts of tracks have a picture that was kept so long ago, seconds."""
        rows = self._database.rows("SELECT track, part FROM pictures WHERE kept_at <= ?", time.time() - older_than_s)
        return [TrackPart(TrackId.parse(track), part) for track, part in rows]

    def drop(self, parts: Iterable[TrackPart]) -> int:
        """Delete pictures, so that nothing of them stays in the file; return how many there were."""
        num_dropped = self._database.change_many(
            "DELETE FROM pictures WHERE track = ? AND part = ?", [(str(part.track_id), part.part) for part in parts]
        )
        self._database.fold()
        return max(0, num_dropped)

    def tidy(self) -> None:
        """Delete what is too old or too much."""
        self._database.change("DELETE FROM pictures WHERE kept_at < ?", time.time() - self._keep_s)
        while self.num_bytes() > self._max_bytes:
            self._database.change(
                "DELETE FROM pictures WHERE (track, part) IN "
                "(SELECT track, part FROM pictures ORDER BY kept_at LIMIT 100)"
            )

    def num_bytes(self) -> int:
        """Return the size of all pictures."""
        return int(self._database.rows("SELECT coalesce(sum(length(jpeg)), 0) FROM pictures")[0][0])

    def num_pictures(self) -> int:
        """Return how many there are."""
        return int(self._database.rows("SELECT count(*) FROM pictures")[0][0])

    def close(self) -> None:
        """Let the file go."""
        self._database.close()
