"""What a run takes of its disk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """What a run takes of its disk, and what was deleted to stay within its budget.

    Attributes:
        used_bytes: Of its output folder, without pages of SQLite files that are free again.
        free_bytes: Of the disk.
        recordings_deleted: Files of recorded streams.
        pictures_deleted: Pictures and clips of people.
        trouble: What is wrong; None while the run is within its budget.
    """

    used_bytes: int = 0
    free_bytes: int = 0
    recordings_deleted: int = 0
    pictures_deleted: int = 0
    trouble: str | None = None
