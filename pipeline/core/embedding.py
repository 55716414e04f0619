"""What a tracklet looks like, as one vector."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.frame import FrameStamp
from pipeline.core.track import TrackId, TrackPath


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The appearance of one tracklet; from here on nothing has pixels.

    Attributes:
        track_id: The track.
        part: Which piece of it.
        first: First frame of the path.
        last: Last frame of the path.
        box_xyxy: Shape ``(4,)``, float32, pixels; the box in ``last``.
        space: Model and weights, for instance ``lstrl@3f2a91``. Two spaces are never compared.
        vector: Shape ``(D,)``, float32, L2 norm 1.
        quality: In (0, 1]: the mean quality of the crops it was made from.
        path: Every box of the track since the part before.
        completed_at: Unix seconds, event time: what the order of judgement goes by.
        is_last: The track has ended.
        is_continuous: Nobody was so near when this part began that the tracker may have changed persons.
    """

    track_id: TrackId
    part: int
    first: FrameStamp
    last: FrameStamp
    box_xyxy: NDArray[np.float32]
    space: str
    vector: NDArray[np.float32]
    quality: float
    path: TrackPath
    completed_at: float
    is_last: bool
    is_continuous: bool = True

    def __post_init__(self) -> None:
        check_array("box_xyxy", self.box_xyxy, (4,), np.float32)
        check_array("vector", self.vector, (None,), np.float32)
        freeze(self.box_xyxy, self.vector)
