"""C-BIoU (Yang et al., WACV 2023) of the ``trackers`` library, one instance a camera."""

from trackers import CBIoUTracker as LibraryTracker

from models.tracking.linked_boxes import LinkedBoxes
from pipeline.core import Detections, TrackUpdate


class CBiouTracker:
    """Links boxes by the overlap of boxes that are made larger first: for few frames a second and quick turns.

    Args:
        new_track_score: A detection at least this sure may begin a track; in [0, 1].
        high_score: Detections at least this sure are matched first; in [0, 1].
        min_iou: Least similarity (overlap times score) of a sure box with the predicted one; in [0, 1].
        min_iou_unsure: Of an unsure box, likewise.
        min_iou_new: Of a box with a track that is not confirmed, likewise.
        buffer: By which part of their sides boxes are made larger each way, for sure boxes; at least 0.
        buffer_unsure: For unsure boxes; larger.
        min_frames: Consecutive frames before a track is confirmed.
        lost_s: Seconds without a box after which a track ends.
        frame_rate: Frames a second that the motion model is made for.
    """

    def __init__(
        self,
        *,
        new_track_score: float,
        high_score: float,
        min_iou: float,
        min_iou_unsure: float,
        min_iou_new: float,
        buffer: float,
        buffer_unsure: float,
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
            minimum_iou_threshold_first_assoc=min_iou,
            minimum_iou_threshold_second_assoc=min_iou_unsure,
            minimum_iou_threshold_unconfirmed_assoc=min_iou_new,
            high_conf_det_threshold=high_score,
            instant_first_frame_activation=False,
            buffer_ratio_first=buffer,
            buffer_ratio_second=buffer_unsure,
        )

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, and the tracks that ended with this frame."""
        return self._boxes.update(detections)
