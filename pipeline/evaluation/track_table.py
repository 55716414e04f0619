"""Boxes with identities, the input of scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze


@dataclass(frozen=True, slots=True, eq=False)
class TrackTable:
    """Boxes with identities in one camera, one row per box, in any order.

    Attributes:
        frames: Shape ``(N,)``, int64, frame indices from 0.
        ids: Shape ``(N,)``, int64: true identities or those of a run; shared by all cameras.
        boxes_xyxy: Shape ``(N, 4)``, float32, pixels of the full frame.
        counts: Shape ``(N,)``, bool: in a ground truth, whether the box counts. A box that is too small or too hidden
            does not: missing it is no error, and neither is a found box on it. Absent: all count.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]
    counts: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))

    def __post_init__(self) -> None:
        if not len(self.counts):
            object.__setattr__(self, "counts", np.ones(len(self), np.bool_))
        check_array("counts", self.counts, (len(self),), np.bool_)
        check_array("frames", self.frames, (None,), np.int64)
        check_array("ids", self.ids, (len(self),), np.int64)
        check_array("boxes_xyxy", self.boxes_xyxy, (len(self), 4), np.float32)
        freeze(self.frames, self.ids, self.boxes_xyxy, self.counts)

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def empty(cls) -> Self:
        """Return a table without rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4), np.float32))

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the rows that ``keep`` marks or lists, in that order."""
        return replace(
            self,
            frames=self.frames[keep],
            ids=self.ids[keep],
            boxes_xyxy=self.boxes_xyxy[keep],
            counts=self.counts[keep],
        )

    def rows_by_frame(self) -> dict[int, NDArray[np.intp]]:
        """Return the rows of each frame with boxes, frames ascending, rows in the order of the table."""
        order = np.argsort(self.frames, kind="stable")
        frames, starts = np.unique(self.frames[order], return_index=True)
        parts = np.split(order, starts[1:])
        return dict(zip(frames.tolist(), parts, strict=True)) if len(frames) else {}


CameraTables = Mapping[str, TrackTable]
"""One table per camera, by ``camera_id``; identities are shared by all cameras."""
