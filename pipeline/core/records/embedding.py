"""The appearance of a tracklet, as one vector."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.records.frame import FrameStamp
from pipeline.core.records.track import TrackId, TrackPath


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The appearance of one tracklet. No later record holds pixels.

    Attributes:
        track_id: The track.
        part: Number of the tracklet within the track: 0, 1, 2 …
        first: First frame of the path.
        last: Last frame of the path.
        box_xyxy: Shape ``(4,)``, float32, pixels; the box in ``last``.
        space: Model and weights, for instance ``lstrl@3f2a91``. Two spaces are never compared.
        vector: Shape ``(D,)``, float32, L2 norm 1.
        quality: In (0, 1]: mean quality of the crops behind it.
        path: Every box of the track since the previous part.
        completed_at: Unix seconds, event time: embeddings are matched in this order.
        is_last: The track has ended.
        is_continuous: No other person was close when this part began, so the tracker cannot have switched there.
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
