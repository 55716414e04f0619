"""MOTChallenge text: ``mot/<camera_id>.txt``, with final person numbers that hold in every camera.

Needs: nothing.
Guarantee: written once, by ``close``; a run that is killed before that leaves no text. ``boxes.sqlite`` beside it keeps
the boxes by part of a track, so that ``passerby re-export`` can write the text anew.
When slow: ``write`` waits for the disk; a full disk is a ``ConnectorError`` that names the file.
Secrets: none.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.sinks.end_of_run import EndOfRunSink
from pipeline.core.errors import ConnectorError

LINE = "%d,%d,%.2f,%.2f,%.2f,%.2f,%.4f,-1,-1,-1"
"""Frame from 1, person, left, top, width, height in pixels, score in [0, 1]."""

ROWS_AT_ONCE = 65_536


class MotSink(EndOfRunSink):
    """Writes who was where in every frame, as corrected by the end of the run.

    Boxes wait on disk until ``close`` (40 bytes each); a long live run should choose other sinks.

    Args:
        output_dir: The files are written to its subfolder ``mot``.
        camera_ids: Each has a file, even if it saw nobody.
        max_gap_s: Holes inside one track of up to this many seconds are filled by linear interpolation.

    Raises:
        ConfigError: If a camera's name cannot be a file's name.
        ConnectorError: If the folder cannot be written.
    """

    def __init__(self, *, output_dir: str, camera_ids: Sequence[str], max_gap_s: float) -> None:
        super().__init__(Path(output_dir) / "mot", camera_ids)
        self._camera_ids = tuple(camera_ids)
        self._max_gap_s = max_gap_s

    def _make(self) -> None:
        for camera_id in dict.fromkeys((*self._camera_ids, *self._boxes.camera_ids)):
            boxes = self._boxes.boxes(camera_id, max_gap_s=self._max_gap_s)
            write_mot_text(self._folder / f"{camera_id}.txt", boxes)


def write_mot_text(path: Path, boxes: NDArray[np.void]) -> None:
    """Write boxes of one camera as MOTChallenge text; the file appears whole.

    Args:
        path: Where to.
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
