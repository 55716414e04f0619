"""Trackers of the ``trackers`` library behind the pipeline's port: what all of them share."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import supervision as sv

from pipeline.core import UNCONFIRMED, Detections, TrackUpdate

BUFFER_FRAME_RATE = 30
"""Frames a second that the library counts the lifetime of lost tracks in, whatever the camera's rate is."""


class BoxLinker(Protocol):
    """What is used of a tracker of the library."""

    def update(self, detections: sv.Detections, *, timestamp: float) -> sv.Detections:
        """Return rows with numbers, from 0; -1 for none."""
        ...


class LinkedBoxes:
    """One tracker of the library, for one camera.

    The library re-orders rows, may drop some and counts from 0; here rows stay aligned and numbers start at 1. Its
    clock is the stamps', so that lifetimes hold whatever frames are dropped.

    Args:
        make: The tracker's class.
        lost_s: Seconds without a box after which a track ends.
        frame_rate: Frames a second that the motion model is made for.
        min_frames: Consecutive frames before a track is confirmed.
        options: What else the class takes.
    """

    def __init__(
        self, make: Callable[..., BoxLinker], *, lost_s: float, frame_rate: float, min_frames: int, **options: float
    ) -> None:
        self._library = make(
            lost_track_buffer=round(lost_s * BUFFER_FRAME_RATE),
            frame_rate=frame_rate,
            minimum_consecutive_frames=min_frames,
            **options,
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
