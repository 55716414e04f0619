"""Frames and detections of one camera to tracklets: the tracklet buffer.

A track is cut into parts. The first part is emitted as soon as there is enough to recognise a person by, further parts
while the track lasts, the last when it ends. A part is also cut where the tracker may have changed persons: after
another person came very near, after the detector lost the track, and where a second person comes out of its box. The
part after such a cut is not continuous: it is matched by appearance, not by its track number.

Two kinds of part are dropped. A *static false positive* does not move and has a low mean score, such as a sign. A part
without a single high score is dropped too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from pipeline.camera.crops import (
    Crop,
    CropBuffer,
    covered_fractions,
    cut,
    is_static_pair,
    qualities,
    resize,
    static_patch,
)
from pipeline.core import UNCONFIRMED, Detections, Frame, FrameStamp, Tracker, TrackId, Tracklet, TrackPath, TrackUpdate
from pipeline.core.boxes import area, intersection_matrix
from pipeline.core.errors import PluginError
from pipeline.core.plugin_contract import blaming, plugin_name

MAX_CONTACT_PARTS = 5
"""How many times ``part_s`` a part may last while the track is in contact. Larger: more memory; better crops follow."""
FRAME_GAP_S = 1.0
"""Seconds between two frames at most, for ``settle_s``. Larger: what rules conclude from absence is told later."""
HIDDEN_S = 1.0
"""Seconds that are searched for a box of another track from which a new person came. Larger: more tracks are cut."""
HIDDEN_FRACTION = 0.6
"""Fraction of a new box inside such a box from which on that one held two people. Larger: fewer tracks are cut."""
HIGH_SCORE = 0.5
"""Detector score from which on a box counts as seen, not as lost. Larger: more tracks are cut as lost."""
MAX_LOW_SCORE_S = 0.5
"""Seconds without a high score after which a track counts as lost. Larger: fewer tracks are cut."""


def longest_part_s(*, first_after_s: float, part_s: float) -> float:
    """Return the seconds that a part may last; see ``TrackingStage``."""
    return max(first_after_s, MAX_CONTACT_PARTS * part_s)


def settle_s(*, first_after_s: float, part_s: float, lost_s: float) -> float:
    """Return the seconds after a moment until every part that shows it is emitted.

    Args:
        first_after_s: As in ``TrackingStage``.
        part_s: As in ``TrackingStage``.
        lost_s: Seconds without a box after which the tracker ends a track, and with it its last part.
    """
    return longest_part_s(first_after_s=first_after_s, part_s=part_s) + lost_s + FRAME_GAP_S


NUMBERS_PER_RETURN = 10**9
"""What is added to the number of a track each time that it comes back after it was ended for want of room.

More than any tracker counts to within a session; a smaller one could meet another track's number.
"""


@dataclass(slots=True)
class _OpenPart:
    """The boxes and crops of a track since its last part."""

    crops: CropBuffer
    is_continuous: bool = True
    indices: list[int] = field(default_factory=list)
    captured_at: list[float] = field(default_factory=list)
    boxes_xyxy: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _StaticReference:
    """An earlier picture of a place: tells whether anything moved there.

    Attributes:
        at: Unix seconds.
        box_xyxy: Shape ``(4,)``, pixels of the frame: the place.
        picture: As of ``static_patch``.
    """

    at: float
    box_xyxy: NDArray[np.float32]
    picture: NDArray[np.uint8]


@dataclass(slots=True)
class _OpenTrack:
    """A track that goes on.

    Attributes:
        track_id: Its name.
        part: The part that is being collected.
        reference: The picture that movement is measured against.
        num_parts: Number of parts emitted.
        in_contact: In the newest frame another person covered too much of it.
        may_have_swapped: A second person came out of its box, so it may now follow the wrong one.
        high_score_at: Unix seconds of its newest high score.
        is_static: Nothing moved when that was last checked.
    """

    track_id: TrackId
    part: _OpenPart
    reference: _StaticReference
    num_parts: int = 0
    in_contact: bool = False
    may_have_swapped: bool = False
    high_score_at: float = inf
    is_static: bool = False


class TrackingStage:
    """Tracks people through one camera and cuts their tracks into tracklets. One camera per instance.

    Args:
        tracker: Links boxes of consecutive frames.
        crop_size_hw: Height and width that the embedder needs, pixels.
        clip_len: Maximum number of crops in a tracklet, T.
        first_after_s: Seconds of a track after which its first part is emitted.
        part_s: Seconds after which each further part is emitted.
        contact_coverage: Fraction of a box that another covers from which on the tracker may confuse two people, in
            (0, 1).
        min_peak_score: In [0, 1]. A part is dropped if none of its boxes reaches this score: ByteTrack follows
            low-scoring boxes through occlusions, and keeps following them on objects.
        static_min_score: In [0, 1]. A part with a lower mean score is dropped if nothing moved in its place for
            ``part_s``: a sign or a bin taken for a person. From the second such part on the limit is halfway to 1.
        max_open_tracks: Above this number of open tracks the oldest are ended; bounds memory. One that the tracker
            finds again is another track, with a number of its own.

    Attributes:
        num_static: Number of parts dropped as static false positives.
        num_low_score: Number of parts dropped for want of a high score.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        crop_size_hw: tuple[int, int],
        clip_len: int,
        first_after_s: float,
        part_s: float,
        contact_coverage: float,
        min_peak_score: float,
        static_min_score: float,
        max_open_tracks: int,
    ) -> None:
        self._tracker = tracker
        self._crop_size_hw = crop_size_hw
        self._clip_len = clip_len
        self._first_after_s = first_after_s
        self._part_s = part_s
        self._contact_coverage = contact_coverage
        self._min_peak_score = min_peak_score
        self._static_min_score = static_min_score
        self._max_open_tracks = max_open_tracks
        self._session: int | None = None
        self._open: dict[int, _OpenTrack] = {}
        self._newest_boxes: dict[int, NDArray[np.float32]] = {}
        self._num_returns: dict[int, int] = {}
        self._frame_hw = (0, 0)
        self._now = 0.0
        self.num_static = 0
        self.num_low_score = 0

    @property
    def num_open(self) -> int:
        """Number of open tracks."""
        return len(self._open)

    @property
    def frame_hw(self) -> tuple[int, int] | None:
        """Height and width of the newest frame, pixels; None before the first."""
        return self._frame_hw if self._session is not None else None

    def people_now(self) -> dict[TrackId, NDArray[np.float32]]:
        """Return the boxes in the newest frame, by track: shape ``(4,)``, pixels."""
        return {self._open[n].track_id: box for n, box in self._newest_boxes.items() if n in self._open}

    def oldest_needed(self) -> FrameStamp | None:
        """Return the first frame that a future tracklet may show; None if no part is open."""
        starts = [
            FrameStamp(track.track_id.camera_id, track.part.indices[0], track.part.captured_at[0])
            for track in self._open.values()
            if track.part.indices
        ]
        return min(starts, key=lambda stamp: stamp.index, default=None)

    def process(self, batch: Sequence[tuple[Frame, Detections]]) -> list[Tracklet]:
        """Return the tracklets that these frames complete."""
        return [tracklet for frame, detections in batch for tracklet in self._one_frame(frame, detections)]

    def flush(self) -> list[Tracklet]:
        """Return the last part of every open track; the stream has ended."""
        return [tracklet for number in list(self._open) for tracklet in self._end(number)]

    def _one_frame(self, frame: Frame, detections: Detections) -> list[Tracklet]:
        stamp = frame.stamp
        if self._session is None:
            self._session = int(stamp.captured_at)
        self._frame_hw = frame.size_hw
        self._now = stamp.captured_at
        with blaming("tracker", self._tracker):
            update = self._tracker.update(detections)
        if not isinstance(update, TrackUpdate) or len(update.numbers) != len(detections):
            got = f"{len(update.numbers)} numbers" if isinstance(update, TrackUpdate) else type(update).__name__
            raise PluginError(
                f"tracker ({plugin_name(self._tracker)}): expected update to return a TrackUpdate of {len(detections)} "
                f"numbers, got {got}; correct it"
            )
        done: list[Tracklet] = []
        for number in update.ended:
            done += self._end(number)
            self._num_returns.pop(number, None)

        rows = np.flatnonzero(update.numbers != UNCONFIRMED)
        boxes_xyxy, scores = detections.boxes_xyxy[rows], detections.scores[rows]
        covered = covered_fractions(boxes_xyxy)
        quality = qualities(boxes_xyxy, scores, covered, frame.size_hw)
        self._newest_boxes = dict(zip(update.numbers[rows].tolist(), boxes_xyxy, strict=True))
        in_contact = covered > self._contact_coverage
        for row, number in enumerate(update.numbers[rows].tolist()):
            track = self._open.get(number)
            if track is None:
                self._mark_possible_swaps(boxes_xyxy[row], stamp.captured_at)
                track = self._begin(number, frame, boxes_xyxy[row])
            has_high_score = scores[row] >= HIGH_SCORE
            was_lost = has_high_score and stamp.captured_at - track.high_score_at > MAX_LOW_SCORE_S
            if (track.in_contact and not in_contact[row]) or was_lost or track.may_have_swapped:
                done += self._emit_unless_static(track, frame)
                track.part.is_continuous = track.may_have_swapped = False
            if has_high_score:
                track.high_score_at = stamp.captured_at
            track.in_contact = bool(in_contact[row])
            self._extend(track.part, frame, boxes_xyxy[row], float(scores[row]), float(quality[row]))
            if self._is_due(track):
                was_continuous = track.part.is_continuous
                emitted = self._emit_unless_static(track, frame)
                track.part.is_continuous = not track.in_contact if emitted else was_continuous
                done += emitted
        while len(self._open) > self._max_open_tracks:
            done += self._set_aside(min(self._open))
        return done

    def _begin(self, number: int, frame: Frame, box_xyxy: NDArray[np.float32]) -> _OpenTrack:
        assert self._session is not None
        returned = NUMBERS_PER_RETURN * self._num_returns.get(number, 0)
        track_id = TrackId(frame.stamp.camera_id, self._session, number + returned)
        reference = _static_reference(frame, box_xyxy)
        self._open[number] = _OpenTrack(track_id, self._new_part(), reference, high_score_at=reference.at)
        return self._open[number]

    def _mark_possible_swaps(self, box_xyxy: NDArray[np.float32], now: float) -> None:
        """Mark the tracks out of whose recent boxes a new person came: they may follow either of the two now."""
        for track in self._open.values():
            times = zip(track.part.boxes_xyxy, track.part.captured_at, strict=True)
            recent = [box for box, at in times if now - HIDDEN_S <= at < now]
            inside = intersection_matrix(box_xyxy[None], np.array(recent).reshape(-1, 4)).max(initial=0.0)
            track.may_have_swapped |= bool(inside > HIDDEN_FRACTION * area(box_xyxy[None])[0])

    def _new_part(self) -> _OpenPart:
        return _OpenPart(CropBuffer(self._clip_len, span_s=self._first_after_s / self._clip_len))

    def _extend(
        self, part: _OpenPart, frame: Frame, box_xyxy: NDArray[np.float32], score: float, quality: float
    ) -> None:
        part.indices.append(frame.stamp.index)
        part.captured_at.append(frame.stamp.captured_at)
        part.boxes_xyxy.append(box_xyxy)
        part.scores.append(score)
        if part.crops.wants(frame.stamp.captured_at, quality):
            image = cut(frame.image, box_xyxy, self._crop_size_hw)
            part.crops.add(Crop(frame.stamp, box_xyxy, score, image, quality))

    def _is_due(self, track: _OpenTrack) -> bool:
        wait_s = self._first_after_s if track.num_parts == 0 else self._part_s
        if track.in_contact:  # better crops follow once the two people separate; memory is bounded
            wait_s = longest_part_s(first_after_s=self._first_after_s, part_s=self._part_s)
        return track.part.captured_at[-1] - track.part.captured_at[0] >= wait_s

    def _emit_unless_static(self, track: _OpenTrack, frame: Frame) -> list[Tracklet]:
        if not track.part.indices or not self._is_static(track, frame):
            return self._emit(track, is_last=False)
        self.num_static += 1
        track.part = self._new_part()
        return []

    def _is_static(self, track: _OpenTrack, frame: Frame) -> bool:
        """Tell whether nothing has moved in the place of the track, and its mean score is too low."""
        reference, part = track.reference, track.part
        if frame.stamp.captured_at - reference.at < self._part_s:
            return False
        was_static = track.is_static
        track.is_static = is_static_pair(reference.picture, static_patch(frame.image, reference.box_xyxy))
        if not track.is_static:
            track.reference = _static_reference(frame, part.boxes_xyxy[-1])
        static_min_score = (1 + self._static_min_score) / 2 if was_static else self._static_min_score
        return track.is_static and bool(np.mean(part.scores) < static_min_score)

    def _set_aside(self, number: int) -> list[Tracklet]:
        """End a track that the tracker goes on with: if it comes back, it is another one."""
        self._num_returns[number] = self._num_returns.get(number, 0) + 1
        return self._end(number)

    def _end(self, number: int) -> list[Tracklet]:
        track = self._open.pop(number, None)
        return [] if track is None else self._emit(track, is_last=True)

    def _emit(self, track: _OpenTrack, *, is_last: bool) -> list[Tracklet]:
        part = track.part
        if not part.indices:
            return []
        if max(part.scores) < self._min_peak_score:
            self.num_low_score += 1
            track.part = self._new_part()
            return []
        crops = part.crops.crops()
        tracklet = Tracklet(
            track_id=track.track_id,
            part=track.num_parts,
            stamps=tuple(crop.stamp for crop in crops),
            boxes_xyxy=np.stack([crop.box_xyxy for crop in crops]),
            scores=np.array([crop.score for crop in crops], np.float32),
            crops=np.stack([resize(crop.image, self._crop_size_hw) for crop in crops]),
            qualities=np.array([crop.quality for crop in crops], np.float32),
            path=TrackPath(
                np.array(part.indices, np.int64),
                np.array(part.captured_at, np.float64),
                np.stack(part.boxes_xyxy),
                np.array(part.scores, np.float32),
                self._frame_hw,
            ),
            completed_at=self._now,
            is_last=is_last,
            is_continuous=part.is_continuous,
        )
        track.num_parts += 1
        track.part = self._new_part()
        return [tracklet]


def _static_reference(frame: Frame, box_xyxy: NDArray[np.float32]) -> _StaticReference:
    return _StaticReference(frame.stamp.captured_at, box_xyxy, static_patch(frame.image, box_xyxy))
