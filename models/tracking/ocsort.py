"""OC-SORT (Cao et al., CVPR 2023, arXiv:2203.14360) of the ``trackers`` library, one instance a camera."""

from trackers import OCSORTTracker as LibraryTracker

from models.tracking.linked_boxes import LinkedBoxes
from pipeline.core import Detections, TrackUpdate


class OcSortTracker:
    """Links boxes by overlap and by the direction in which a track was moving when it was last seen.

    Args:
        high_score: Detections below it are not used; in [0, 1].
        min_iou: Least overlap of a box with the predicted one; in [0, 1].
        direction_weight: Of the direction beside the overlap; 0 leaves it out.
        direction_frames: Frames over which a direction is measured.
        min_frames: Consecutive frames before a track is confirmed.
        lost_s: Seconds without a box after which a track ends.
        frame_rate: Frames a second that the motion model is made for.
    """

    def __init__(
        self,
        *,
        high_score: float,
        min_iou: float,
        direction_weight: float,
        direction_frames: int,
        min_frames: int,
        lost_s: float,
        frame_rate: float,
    ) -> None:
        self._boxes = LinkedBoxes(
            LibraryTracker,
            lost_s=lost_s,
            frame_rate=frame_rate,
            min_frames=min_frames,
            minimum_iou_threshold=min_iou,
            high_conf_det_threshold=high_score,
            direction_consistency_weight=direction_weight,
            delta_t=direction_frames,
        )

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, and the tracks that ended with this frame."""
        return self._boxes.update(detections)
