"""What the four cameras show: the beginning of the demo's rendered world, there and back, again and again.

People walk to where they are after half a turn and back to where they were, so that a turn begins as the one before it
ended. Nobody leaps: who is followed without a fault keeps the number for the whole run.
"""

from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.truth import read_mot_truth

DEMO = Path(__file__).resolve().parents[3] / "connectors/synthetic/demo"
BY_RTSP, BY_KAFKA = ("west", "east"), ("north", "gate")
CAMERAS = (*BY_RTSP, *BY_KAFKA)
FPS = 5
"""Every second frame of the demo. More cost more of two cores that do all of this at once."""

Image = NDArray[np.uint8]
Truth = dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]]


class Scene:
    """A turn of the world.

    Args:
        turn_s: Seconds of a turn: an even number, up to 120.

    Attributes:
        period_s: The same.
        num_frames: Frames of a turn.
    """

    def __init__(self, turn_s: int) -> None:
        self.period_s = turn_s
        self.num_frames = turn_s * FPS

    def images(self, camera_id: str) -> list[Image]:
        """Return the pictures of a turn, RGB."""
        with av.open(str(DEMO / f"{camera_id}.mp4")) as clip:
            every = [frame.to_ndarray(format="rgb24") for frame in islice(clip.decode(video=0), self.num_frames)]
        return [every[2 * self._shown(frame)] for frame in range(self.num_frames)]

    def truth(self, camera_id: str) -> Truth:
        """Return people and boxes, ``(n,)`` and ``(n, 4)`` pixels, by the frame of a turn."""
        table: TrackTable = read_mot_truth(DEMO / f"mot/{camera_id}.txt")
        rows_by_frame = table.rows_by_frame()
        rows = {frame: rows_by_frame.get(2 * self._shown(frame)) for frame in range(self.num_frames)}
        return {frame: (table.ids[each], table.boxes_xyxy[each]) for frame, each in rows.items() if each is not None}

    def _shown(self, frame: int) -> int:
        return min(frame, self.num_frames - 1 - frame)
