"""ByteTrack (Zhang et al., "ByteTrack", ECCV 2022) of the ``trackers`` library, one instance a camera."""

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker as LibraryTracker

from pipeline.core import UNCONFIRMED, Detections, TrackUpdate


class ByteTrackTracker:
    """Links boxes of consecutive frames by overlap with where a Kalman filter expects them.

    The library re-orders rows and counts from 0; here rows stay aligned and numbers start at 1. Its clock is the
    stamps', so that lifetimes hold whatever frames are dropped.

    Args:
        new_track_score: A detection at least this sure may begin a track; in [0, 1].
        high_score: Detections at least this sure are matched first; in [0, 1].
        min_iou: Least overlap of a box with the predicted one; in [0, 1].
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
        min_frames: int,
        lost_s: float,
        frame_rate: float,
    ) -> None:
        self._library = LibraryTracker(
            lost_track_buffer=round(lost_s * 30),  # the library counts in frames of 1/30 s
            frame_rate=frame_rate,
            track_activation_threshold=new_track_score,
            minimum_consecutive_frames=min_frames,
            minimum_iou_threshold=min_iou,
            high_conf_det_threshold=high_score,
        )
        self._lost_s = lost_s
        self._last_seen_at: dict[int, float] = {}

    def update(self, detections: Detections) -> TrackUpdate:
        """Return a track number for every row, and the tracks that ended with this frame."""
        now = detections.stamp.captured_at
        rows = np.arange(len(detections))
        found = self._library.update(
            sv.Detections(
                xyxy=detections.boxes_xyxy.copy(),
                confidence=detections.scores.copy(),
                class_id=np.zeros(len(rows), int),
                data={"row": rows},
            ),
            timestamp=now,
        )
        numbers = np.full(len(rows), UNCONFIRMED, np.int64)
        if len(found):
            is_track = found.tracker_id >= 0
            numbers[found.data["row"][is_track]] = found.tracker_id[is_track] + 1
        for number in numbers[numbers != UNCONFIRMED].tolist():
            self._last_seen_at[number] = now
        ended = tuple(n for n, seen_at in self._last_seen_at.items() if now - seen_at > self._lost_s)
        for number in ended:
            del self._last_seen_at[number]
        return TrackUpdate(numbers, ended)
