"""BoT-SORT (Aharon et al., arXiv:2206.14651) of the ``trackers`` library, one instance a camera."""

from trackers import BoTSORTTracker as LibraryTracker

from models.tracking.linked_boxes import LinkedBoxes
from pipeline.core import Detections, TrackUpdate


class BotSortTracker:
    """Links boxes as ByteTrack does, by overlap times score and a filter of centre, width and height.

    Its compensation of camera motion is off: trackers here see boxes alone, of cameras that stand still. So is its
    re-identification, which the matcher of the pipeline does across all cameras.

    Args:
        new_track_score: A detection at least this sure may begin a track; in [0, 1].
        high_score: Detections at least this sure are matched first; in [0, 1].
        min_iou: Least similarity (overlap times score) of a sure box with the predicted one; in [0, 1].
        min_iou_unsure: Of an unsure box, likewise.
        min_iou_new: Of a box with a track that is not confirmed, likewise.
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
            enable_cmc=False,
        )

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, and the tracks that ended with this frame."""
        return self._boxes.update(detections)
