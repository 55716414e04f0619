"""A person's track through one camera, and the parts of it that are embedded."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.arrays import check_array, freeze
from pipeline.core.records.frame import FrameStamp

UNCONFIRMED = -1
"""Track number of a detection that belongs to no track so far."""
ENROLLED = "enrolled"
"""Camera id of people who are enrolled from pictures and were not seen so far."""


@dataclass(frozen=True, slots=True, order=True)
class TrackId:
    """The name of a track, unique without any global counter.

    Attributes:
        camera_id: The camera.
        session: Unix seconds when this tracker started; a restarted camera counts from 1 again.
        number: 1, 2, 3 … within the session.
    """

    camera_id: str
    session: int
    number: int

    def __str__(self) -> str:
        return f"{self.camera_id}/{self.session}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote.

        Raises:
            ValueError: If it has not the form ``camera/session/number``.

        Example:
            >>> TrackId.parse("east/0/7")
            TrackId(camera_id='east', session=0, number=7)
        """
        parts = text.rsplit("/", 2)
        if len(parts) != 3:
            raise ValueError(f"track: expected camera/session/number, got {text!r}")
        return cls(parts[0], int(parts[1]), int(parts[2]))


@dataclass(frozen=True, slots=True, order=True)
class TrackPart:
    """Names one part of a track, and so its tracklet, its embedding and its sighting."""

    track_id: TrackId
    part: int

    def __str__(self) -> str:
        return f"{self.track_id}:{self.part}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote.

        Raises:
            ValueError: If it has not the form ``camera/session/number:part``.

        Example:
            >>> str(TrackPart.parse("east/0/7:2"))
            'east/0/7:2'
        """
        track, _, part = text.rpartition(":")
        return cls(TrackId.parse(track), int(part))


@dataclass(frozen=True, slots=True, eq=False)
class TrackUpdate:
    """The result of a tracker for one frame.

    Attributes:
        numbers: Shape ``(N,)``, int64, row-aligned with the detections; ``UNCONFIRMED`` without a track.
        ended: Numbers of the tracks that ended.
    """

    numbers: NDArray[np.int64]
    ended: tuple[int, ...]

    def __post_init__(self) -> None:
        check_array("numbers", self.numbers, (None,), np.int64)
        freeze(self.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class TrackPath:
    """The boxes of a track, frame by frame; no pixels.

    Attributes:
        indices: Shape ``(N,)``, int64, frame indices, ascending.
        captured_at: Shape ``(N,)``, float64, Unix seconds, ascending.
        boxes_xyxy: Shape ``(N, 4)``, float32, pixels of the full frame.
        scores: Shape ``(N,)``, float32, detector confidence in [0, 1].
        frame_hw: Height and width of the frames, pixels.
    """

    indices: NDArray[np.int64]
    captured_at: NDArray[np.float64]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    frame_hw: tuple[int, int]

    def __post_init__(self) -> None:
        check_array("indices", self.indices, (None,), np.int64)
        check_array("captured_at", self.captured_at, (len(self),), np.float64)
        check_array("boxes_xyxy", self.boxes_xyxy, (len(self), 4), np.float32)
        check_array("scores", self.scores, (len(self),), np.float32)
        freeze(self.indices, self.captured_at, self.boxes_xyxy, self.scores)

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, slots=True, eq=False)
class Tracklet:
    """One part of a track, with the crops that serve a re-ID network best.

    Attributes:
        track_id: The track.
        part: 0, 1, 2 … within the track.
        stamps: The T frames the crops were cut from, ascending.
        boxes_xyxy: Shape ``(T, 4)``, float32, pixels of the full frame.
        scores: Shape ``(T,)``, float32, detector confidence in [0, 1].
        crops: Shape ``(T, h, w, 3)``, uint8, RGB.
        qualities: Shape ``(T,)``, float32 in (0, 1]: how well each crop shows one whole person.
        path: Every box of the track since the previous part.
        completed_at: Unix seconds, event time: the frame that completed it. Later than its last box if the track was
            lost before it ended.
        is_last: The track has ended.
        is_continuous: No other person was close when this part began, so the tracker cannot have switched there.
        keypoints: Shape ``(T, 17, 3)``, float32, COCO order: x, y in [0, 1] of the crop, score; or None.
        heatmaps: Shape ``(T, 17, h', w')``, float32, or None.
    """

    track_id: TrackId
    part: int
    stamps: tuple[FrameStamp, ...]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    crops: NDArray[np.uint8]
    qualities: NDArray[np.float32]
    path: TrackPath
    completed_at: float
    is_last: bool
    is_continuous: bool = True
    keypoints: NDArray[np.float32] | None = None
    heatmaps: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        check_array("boxes_xyxy", self.boxes_xyxy, (len(self), 4), np.float32)
        check_array("scores", self.scores, (len(self),), np.float32)
        check_array("crops", self.crops, (len(self), None, None, 3), np.uint8)
        check_array("qualities", self.qualities, (len(self),), np.float32)
        freeze(self.boxes_xyxy, self.scores, self.crops, self.qualities)
        if self.keypoints is not None:
            check_array("keypoints", self.keypoints, (len(self), 17, 3), np.float32)
            freeze(self.keypoints)
        if self.heatmaps is not None:
            check_array("heatmaps", self.heatmaps, (len(self), 17, None, None), np.float32)
            freeze(self.heatmaps)

    def __len__(self) -> int:
        return len(self.stamps)
