"""Pictures for alerts: of each part of a track the person, and the scene with box, zones and lines.

They are biometric data: one private file, bounded in size and time. Its rows are named by part of a track, so that an
erasure reaches them (``pipeline.ledger.erasure``).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.private_database import Database
from pipeline.core import TrackId, TrackPart

FILE = "alert_pictures.sqlite"
"""In the output folder of a run."""

TABLES = """
CREATE TABLE IF NOT EXISTS alert_pictures (
    track TEXT NOT NULL, part INTEGER NOT NULL, kept_at REAL NOT NULL, captured_at REAL NOT NULL, crop BLOB NOT NULL,
    scene BLOB NOT NULL, PRIMARY KEY (track, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_pictures_by_age ON alert_pictures (kept_at);
"""

AT_ONCE = 100
"""Pictures deleted at once when there are too many; more leave the file further below its limit."""


@dataclass(frozen=True, slots=True)
class AlertPicture:
    """Two pictures of one part of a track.

    Attributes:
        part: The part of a track.
        captured_at: Unix seconds, event time, of the scene.
        crop: JPEG of the person.
        scene: JPEG of the whole picture, with the person's box and the zones and lines of the camera.
    """

    part: TrackPart
    captured_at: float
    crop: bytes
    scene: bytes


class AlertPictureStore:
    """The file of pictures; several processes may use it.

    Args:
        path: The file; created if it is missing.

    Raises:
        ConnectorError: If it cannot be opened; every method raises it if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, TABLES)

    def put(self, picture: AlertPicture) -> None:
        """Store pictures; they replace earlier ones of the same part."""
        self._database.change(
            "INSERT OR REPLACE INTO alert_pictures VALUES (?, ?, ?, ?, ?, ?)",
            *(str(picture.part.track_id), picture.part.part, time.time()),
            *(picture.captured_at, picture.crop, picture.scene),
        )

    def nearest(self, track_ids: Sequence[TrackId], at: float) -> AlertPicture | None:
        """Return the pictures of these tracks that were taken nearest to a moment, Unix seconds; None if none were."""
        found = [
            row
            for track_id in track_ids
            for row in self._database.rows(
                "SELECT abs(captured_at - ?), track, part, captured_at, crop, scene FROM alert_pictures "
                "WHERE track = ? ORDER BY 1, part LIMIT 1",
                *(at, str(track_id)),
            )
        ]
        if not found:
            return None
        _, track, part, captured_at, crop, scene = min(found, key=lambda row: row[:3])
        return AlertPicture(TrackPart(TrackId.parse(track), part), captured_at, bytes(crop), bytes(scene))

    def tidy(self, *, keep_s: float, max_bytes: int) -> int:
        """Delete pictures older than ``keep_s``, and the oldest above ``max_bytes``; return how many."""
        gone = self._database.change("DELETE FROM alert_pictures WHERE kept_at < ?", time.time() - keep_s)
        while self.num_bytes() > max_bytes:
            gone += self._database.change(
                "DELETE FROM alert_pictures WHERE (track, part) IN "
                "(SELECT track, part FROM alert_pictures ORDER BY kept_at LIMIT ?)",
                AT_ONCE,
            )
        return gone

    def num_bytes(self) -> int:
        """Return the size of all pictures, bytes."""
        total = "SELECT coalesce(sum(length(crop) + length(scene)), 0) FROM alert_pictures"
        return int(self._database.rows(total)[0][0])

    def __len__(self) -> int:
        """Return for how many parts of tracks there are pictures."""
        return int(self._database.rows("SELECT count(*) FROM alert_pictures")[0][0])

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()
