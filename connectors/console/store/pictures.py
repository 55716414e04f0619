"""Pictures of sightings: biometric data, bounded in size and time, deleted with the person."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from connectors.private_database import Database
from pipeline.core import TrackId, TrackPart

TABLES = """
CREATE TABLE IF NOT EXISTS pictures (
    track TEXT NOT NULL, part INTEGER NOT NULL, kept_at REAL NOT NULL, captured_at REAL NOT NULL, quality REAL NOT NULL,
    heads TEXT NOT NULL, jpeg BLOB NOT NULL, PRIMARY KEY (track, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pictures_by_age ON pictures (kept_at);
CREATE TABLE IF NOT EXISTS clips (
    track TEXT NOT NULL, part INTEGER NOT NULL, kept_at REAL NOT NULL, captured_at TEXT NOT NULL, heads TEXT NOT NULL,
    jpeg BLOB NOT NULL, PRIMARY KEY (track, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS clips_by_age ON clips (kept_at);
"""
TIDY_EVERY = 200
"""Pictures stored between two checks of the limits; a larger number lets the file exceed them by more."""

Rectangle = tuple[float, float, float, float]
KINDS = ("pictures", "clips")


@dataclass(frozen=True, slots=True)
class Picture:
    """The best picture of one part of a track.

    Attributes:
        part: The part of a track.
        captured_at: Unix seconds, event time.
        quality: Higher is better; comparable within one camera.
        jpeg: The picture.
        heads_xyxy: Heads of other people in the picture, each side in [0, 1] of its size.
    """

    part: TrackPart
    captured_at: float
    quality: float
    jpeg: bytes
    heads_xyxy: tuple[Rectangle, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """A few frames of one part of a track.

    Attributes:
        part: The part of a track.
        captured_at: Unix seconds, event time, of each frame.
        jpeg: The frames side by side, all of one width.
        heads_xyxy: Heads of other people in each frame, each side in [0, 1] of the frame's size.
    """

    part: TrackPart
    captured_at: tuple[float, ...]
    jpeg: bytes
    heads_xyxy: tuple[tuple[Rectangle, ...], ...]


class PictureStore:
    """One private file of pictures and clips; the oldest are deleted first.

    Args:
        path: The file.
        keep_s: Seconds by the wall clock that a picture or clip is kept.
        max_bytes: Size of all pictures and clips together, bytes.
    """

    def __init__(self, path: Path, *, keep_s: float, max_bytes: int) -> None:
        self._database = Database(path, TABLES)
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._num_put = 0
        self.tidy()

    def put(self, picture: Picture) -> None:
        """Store a picture; it replaces an earlier one of the same part."""
        self._database.change(
            "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(str(picture.part.track_id), picture.part.part, time.time(), picture.captured_at, picture.quality),
            *(json.dumps(picture.heads_xyxy), picture.jpeg),
        )
        self._tidy_now_and_then()

    def put_clip(self, clip: Clip) -> None:
        """Store a clip; it replaces an earlier one of the same part."""
        self._database.change(
            "INSERT OR REPLACE INTO clips VALUES (?, ?, ?, ?, ?, ?)",
            *(str(clip.part.track_id), clip.part.part, time.time()),
            *(json.dumps(clip.captured_at), json.dumps(clip.heads_xyxy), clip.jpeg),
        )
        self._tidy_now_and_then()

    def clip(self, part: TrackPart) -> Clip | None:
        """Return the clip of a part of a track; None if there is none."""
        rows = self._database.rows(
            "SELECT captured_at, heads, jpeg FROM clips WHERE track = ? AND part = ?", str(part.track_id), part.part
        )
        if not rows:
            return None
        times, heads, jpeg = rows[0]
        of_frames = tuple(tuple(tuple(box) for box in of_frame) for of_frame in json.loads(heads))
        return Clip(part, tuple(json.loads(times)), bytes(jpeg), of_frames)

    def parts_with_clip(self, track_id: TrackId) -> list[int]:
        """Return the numbers of the parts of a track that have a clip, in order."""
        rows = self._database.rows("SELECT part FROM clips WHERE track = ? ORDER BY part", str(track_id))
        return [part for (part,) in rows]

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
        """Return the quality of the pictures of a track, by part."""
        return dict(self._database.rows("SELECT part, quality FROM pictures WHERE track = ?", str(track_id)))

    def parts(self, *, older_than_s: float = 0.0) -> list[TrackPart]:
        """Return the parts of tracks with a picture or a clip that was stored at least so many seconds ago."""
        before = time.time() - older_than_s
        rows = self._database.rows(
            "SELECT track, part FROM pictures WHERE kept_at <= ? UNION "
            "SELECT track, part FROM clips WHERE kept_at <= ?",
            *(before, before),
        )
        return [TrackPart(TrackId.parse(track), part) for track, part in rows]

    def drop(self, parts: Iterable[TrackPart]) -> int:
        """Delete pictures and clips, leaving no trace in the file; return the number of pictures deleted."""
        rows = [(str(part.track_id), part.part) for part in parts]
        num_dropped = self._database.change_many("DELETE FROM pictures WHERE track = ? AND part = ?", rows)
        self._database.change_many("DELETE FROM clips WHERE track = ? AND part = ?", rows)
        self._database.checkpoint()
        return max(0, num_dropped)

    def tidy(self) -> None:
        """Delete what is too old, and the oldest of what is too much."""
        for kind in KINDS:
            self._database.change(f"DELETE FROM {kind} WHERE kept_at < ?", time.time() - self._keep_s)
        while self.num_bytes() > self._max_bytes:
            for kind in KINDS:
                self._database.change(
                    f"DELETE FROM {kind} WHERE (track, part) IN "
                    f"(SELECT track, part FROM {kind} ORDER BY kept_at LIMIT 100)"
                )

    def num_bytes(self) -> int:
        """Return the size of all pictures and clips, bytes."""
        return sum(
            int(self._database.rows(f"SELECT coalesce(sum(length(jpeg)), 0) FROM {kind}")[0][0]) for kind in KINDS
        )

    def held(self, sees: Callable[[str], bool]) -> tuple[int, int, int]:
        """Return how many pictures and clips there are of some cameras, and their bytes.

        Args:
            sees: Whether a camera is one of these.
        """
        nums, num_bytes = dict.fromkeys(KINDS, 0), 0
        for kind in KINDS:
            query = f"SELECT track, count(*), sum(length(jpeg)) FROM {kind} GROUP BY track"
            for track, num, size in self._database.rows(query):
                if sees(TrackId.parse(track).camera_id):
                    nums[kind] += num
                    num_bytes += size
        return nums["pictures"], nums["clips"], num_bytes

    def _tidy_now_and_then(self) -> None:
        self._num_put += 1
        if self._num_put % TIDY_EVERY == 0:
            self.tidy()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
