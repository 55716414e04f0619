"""The recorded video of a run: segments of each camera, who was there, and what of it is kept."""

from collections.abc import Sequence
from pathlib import Path

from connectors.footage.store import CONTENTS, FootageStore, StoredSegment
from pipeline.core import TrackPart

FOLDER = "video"
"""In the output folder of a run."""

MAX_HOLE_S = 1.0
"""Seconds between two segments up to which they are one span; in a longer hole there is no video."""

Span = tuple[float, float]


class RecordingStore:
    """The folder of recorded video of a run; several processes may use it.

    Args:
        output_dir: Output folder of the run.

    Attributes:
        footage: The segments.

    Raises:
        ConnectorError: If it cannot be opened; every method raises it if it cannot be used.
    """

    def __init__(self, output_dir: Path) -> None:
        self.footage = FootageStore(output_dir / FOLDER)
        self._judged_up_to = 0.0

    @staticmethod
    def is_in(output_dir: Path) -> bool:
        """Return whether a run has recorded video."""
        return (output_dir / FOLDER / CONTENTS).is_file()

    def extent(self, camera_id: str) -> Span | None:
        """Return from when to when there is video of a camera, Unix seconds; None if there is none."""
        ((since, until),) = self.footage.database.rows(
            "SELECT min(since), max(until) FROM footage WHERE camera = ? AND NOT is_clip", camera_id
        )
        return None if since is None else (since, until)

    def segments(self, camera_id: str, since: float, until: float) -> list[StoredSegment]:
        """Return the segments of a span, in order, from the key frame that its first picture needs."""
        found = self.footage.segments(camera_id, since, until)
        for index, segment in reversed([*enumerate(found)]):
            following_at = found[index + 1].since if index + 1 < len(found) else until
            if segment.until < since and following_at > segment.until + MAX_HOLE_S:
                return found[index + 1 :]  # there is nothing between it and the span
        return found

    def spans(self, camera_id: str, since: float, until: float) -> list[Span]:
        """Return the spans of an interval of which there is video of a camera, in order; each may reach beyond it."""
        found: list[Span] = []
        for segment in self.footage.segments(camera_id, since, until):
            if segment.until < since:
                continue
            if found and segment.since <= found[-1][1] + MAX_HOLE_S:
                found[-1] = found[-1][0], max(found[-1][1], segment.until)
            elif segment.is_key:
                found.append((segment.since, segment.until))
        return found

    def seconds_with(self, parts: Sequence[TrackPart]) -> float:
        """Return the length of all segments that show some parts of tracks, which an erasure of them deletes."""
        lengths: dict[str, float] = {}
        for part in parts:
            lengths |= self.footage.database.rows(
                "SELECT file, until - since FROM files_of_parts JOIN footage USING (file) WHERE track = ? AND part = ?",
                *(str(part.track_id), part.part),
            )
        return round(sum(lengths.values()), 1)

    def drop_empty(self, *, before: float, around_s: float) -> int:
        """Delete the segments in which nobody was seen.

        Args:
            before: Unix seconds of the clock: segments that were stored later are left, because sightings follow.
            around_s: Seconds before and after a sighting that stay, too.

        Returns:
            How many were deleted.
        """
        empty = self.footage.database.rows(
            "SELECT file FROM footage WHERE NOT is_clip AND made_at >= ? AND made_at < ? AND NOT EXISTS (SELECT 1 FROM "
            "seen WHERE seen.camera = footage.camera AND seen.until >= footage.since - ? AND seen.since <= "
            "footage.until + ?)",
            *(self._judged_up_to, before, around_s, around_s),
        )
        for (file,) in empty:
            self.footage.drop(file)
        self._judged_up_to = before
        return len(empty)

    def close(self) -> None:
        """Close the table; idempotent."""
        self.footage.close()
