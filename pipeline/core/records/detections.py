"""People found in one frame."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.records.frame import FrameStamp


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """All people found in one frame; row ``i`` of every array is the same person.

    Attributes:
        stamp: The frame they were found in.
        boxes_xyxy: Shape ``(N, 4)``, float32, pixels of the full frame: left, top, right, bottom.
        scores: Shape ``(N,)``, float32, detector confidence in [0, 1].
    """

    stamp: FrameStamp
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        check_array("boxes_xyxy", self.boxes_xyxy, (None, 4), np.float32)
        check_array("scores", self.scores, (len(self),), np.float32)
        freeze(self.boxes_xyxy, self.scores)

    @classmethod
    def none(cls, stamp: FrameStamp) -> Self:
        """Return the detections of a frame without people."""
        return cls(stamp, np.empty((0, 4), np.float32), np.empty(0, np.float32))

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return the rows that ``keep`` marks or lists, in that order."""
        return replace(self, boxes_xyxy=self.boxes_xyxy[keep], scores=self.scores[keep])
