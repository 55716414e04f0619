"""SORT (Bewley et al., ICIP 2016, arXiv:1602.00763) of the ``trackers`` library, one instance a camera."""

from trackers import SORTTracker as LibraryTracker

from models.tracking.linked_boxes import LinkedBoxes
from pipeline.core import Detections, TrackUpdate


class SortTracker:
    """Links boxes of consecutive frames by overlap with where a Kalman filter expects them, all boxes at once.

    Args:
        new_track_score: A detection at least this sure may begin a track; in [0, 1].
        min_iou: Least overlap of a box with the predicted one; in [0, 1].
        min_frames: Consecutive frames before a track is confirmed.
        lost_s: Seconds without a box after which a track ends.
        frame_rate: Frames a second that the motion model is made for.
    """

    def __init__(
        self,
        *,
        new_track_score: float,
        min_iou: float,
        min_frames: int,
        lost_s: float,
        frame_rate: float,
    ) -> None:
        self._boxes = LinkedBoxes(
            LibraryTracker,
            lost_s=lost_s,
            frame_rate=frame_rate,
            track_activation_threshold=new_track_score,
            min_frames=min_frames,
            minimum_iou_threshold=min_iou,
        )

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, and the tracks that ended with this frame."""
        return self._boxes.update(detections)
