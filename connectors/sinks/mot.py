"""MOTChallenge text: ``mot/<camera_id>.txt``, with the final person numbers, which are the same in all cameras.

Needs: nothing.
Guarantee: written once, by ``close``. A run that is killed before that leaves no text. The box store ``boxes.sqlite``
beside it keeps the boxes by part of a track, so that ``passerby re-export`` can write the text again.
When slow: ``write`` waits for the disk; a full disk is a ``ConnectorError`` that names the file.
Secrets: none.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.sinks.final_boxes import FinalBoxes
from pipeline.core import TrackPart
from pipeline.core.errors import ConnectorError

LINE = "%d,%d,%.2f,%.2f,%.2f,%.2f,%.4f,-1,-1,-1"
"""Frame from 1, person, left, top, width, height in pixels, score in [0, 1]."""

ROWS_AT_ONCE = 65_536
"""Lines formatted at once. Larger blocks take more memory, 56 bytes a line."""


class MotSink:
    """Writes who was where in every frame, as corrected by the end of the run.

    Boxes are on disk until ``close``, 40 bytes each. For a long live run, choose other sinks.

    Args:
        output_dir: The files are written to its subfolder ``mot``.
        camera_ids: Each has a file, even if it saw no person.
        max_gap_s: Gaps inside a track of up to this many seconds are filled by linear interpolation.

    Raises:
        ConfigError: If a camera's name cannot be the name of a file.
        ConnectorError: If the folder cannot be written.
    """

    def __init__(self, *, output_dir: str, camera_ids: Sequence[str], max_gap_s: float) -> None:
        self._folder = Path(output_dir) / "mot"
        self._boxes = boxes = FinalBoxes(self._folder, camera_ids, self._write_texts)
        self.write, self.flush, self.close = boxes.write, boxes.flush, boxes.close
        self.mark, self.rewind = boxes.mark, boxes.rewind
        self._camera_ids = tuple(camera_ids)
        self._max_gap_s = max_gap_s

    def re_export(self, person_of: Callable[[TrackPart], int]) -> None:
        """Make ``close`` write the files of an earlier run again."""
        self._boxes.re_export(person_of)

    def _write_texts(self) -> None:
        for camera_id in dict.fromkeys((*self._camera_ids, *self._boxes.camera_ids)):
            boxes = self._boxes.boxes(camera_id, max_gap_s=self._max_gap_s)
            write_mot_text(self._folder / f"{camera_id}.txt", boxes)


def write_mot_text(path: Path, boxes: NDArray[np.void]) -> None:
    """Write boxes of one camera as MOTChallenge text; the file appears whole.

    Args:
        path: The file.
        boxes: Shape ``(N,)``, dtype ``FINAL``, in the order of the lines.

    Raises:
        ConnectorError: If the disk is full.
    """
    unfinished = path.with_name(f".{path.name}")
    try:
        with unfinished.open("w", encoding="ascii") as file:
            for start in range(0, len(boxes), ROWS_AT_ONCE):
                np.savetxt(file, _mot_rows(boxes[start : start + ROWS_AT_ONCE]), fmt=LINE)
        os.replace(unfinished, path)
    except OSError as error:
        raise ConnectorError(f"{path}: expected to write it, got {error.strerror}; check space and rights") from error


def _mot_rows(boxes: NDArray[np.void]) -> NDArray[np.float64]:
    """Return the numbers of the lines, shape ``(N, 7)``."""
    box = boxes["box_xyxy"]
    return np.column_stack(
        [boxes["index"] + 1, boxes["person_id"], box[:, :2], box[:, 2:] - box[:, :2], boxes["score"]]
    )
