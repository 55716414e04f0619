"""What sinks share that make something of everybody's boxes when the run has ended and it is known who is who."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from connectors.sinks.final_boxes import FinalBoxes, check_file_name
from pipeline.core import Record, TrackPart


class EndOfRunSink(ABC):
    """Keeps boxes on disk until ``close``, and goes on with those of another sink that died.

    Args:
        folder: What is made, and the boxes beside it.
        camera_ids: Each has a file.

    Raises:
        ConfigError: If a camera's name cannot be a file's name.
        ConnectorError: If the folder cannot be written.
    """

    def __init__(self, folder: Path, camera_ids: Iterable[str]) -> None:
        for camera_id in camera_ids:
            check_file_name(camera_id)
        self._folder = folder
        self._boxes = FinalBoxes(folder)
        self._is_done = False

    @abstractmethod
    def _make(self) -> None:
        """Make it of the boxes.

        Raises:
            ConnectorError: If the disk is full.
        """

    def write(self, records: Sequence[Record]) -> None:
        """Take sightings and corrections; the rest is ignored.

        Raises:
            ConnectorError: If the disk is full.
        """
        self._boxes.write(records)

    def flush(self) -> None:  # noqa: B027 - nothing is held
        """Do nothing: there is nothing before the end of the run."""

    def mark(self) -> str:
        """Return where the boxes stand."""
        return self._boxes.mark()

    def rewind(self, mark: str) -> None:
        """Go back to where another sink stood; one that was closed has made everything, and this one leaves it."""
        self._is_done = not self._boxes.rewind(mark)

    def re_export(self, person_of: Callable[[TrackPart], int]) -> None:
        """Let ``close`` make anew what another sink made, with who is who now. Raises as ``close``."""
        self._boxes.bring_back(person_of)

    def close(self) -> None:
        """Make it, however long that takes; idempotent.

        Raises:
            ConnectorError: If the disk is full.
        """
        is_done, self._is_done = self._is_done, True
        try:
            if not is_done:
                self._make()
                self._boxes.keep()
        finally:
            self._boxes.close()
