"""Track segments: runs of consecutive parts of one track that show one person, as far as the tracker can tell."""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from math import inf
from statistics import median
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.association.calibration.likelihood_ratio import reliability_of
from pipeline.association.geometry.ground_plane import Ground, GroundTrajectory
from pipeline.association.geometry.moments import Span
from pipeline.association.geometry.sampled_boxes import MAX_SAMPLED, SampledBoxes, sample_boxes
from pipeline.core import Embedding, TrackId, TrackPart, TrackPath

VELOCITY_POINTS = 10
"""Boxes over which a velocity is measured. Larger: less noise, and turns are noticed later."""
ENROLLED_WEIGHT = 10**9
"""Boxes that an enrolled segment counts for when groups are numbered, so that its number stays.

More than any camera delivers.
"""
MAX_TRAJECTORY = 1200
"""Newest points of a trajectory that are kept: ten minutes; bounds memory."""
NO_GROUND = Ground()
BORDER_FRACTION = 0.03
"""Fraction of the picture's size within which a box is at its left, right or lower border.

Larger: more people count as leaving, and begin a new visit when they return.
"""


@dataclass(frozen=True, slots=True)
class End:
    """Where a person was when a track segment began or ended.

    Attributes:
        at: Unix seconds.
        foot: x and y of the bottom centre of the box, pixels.
        velocity: x and y of the foot, pixels a second.
        height: Median height of the box, pixels.
        is_leaving: The box is at the border of the picture, or is beyond it a second later at this velocity.
    """

    at: float
    foot: tuple[float, float]
    velocity: tuple[float, float]
    height: float
    is_leaving: bool


@dataclass(slots=True, eq=False)
class TrackSegment:
    """Consecutive parts of one track during which no other person came near enough to be confused.

    Attributes:
        camera_id: The camera.
        parts: In order of time.
        first: Its beginning.
        last: Its end so far.
        frame_hw: Height and width of the frames, pixels.
        weight: Sum of the qualities of its embeddings.
        vector_sum: Shape ``(D,)``: sum of the embeddings, each times its quality.
        reliability_sum: Sum of the reliability weights of its embeddings, each times its quality.
        num_frames: Number of boxes.
        spans: First and last moment, Unix seconds, of each time it was seen; several after ``absorb``. Ascending.
        trajectory: Where it went on the ground; empty without a ground plane.
        sampled_boxes: Its boxes at regular moments.
        times: First and last moment of each part, Unix seconds.
        must_links: Links from corrections: two segments with one in common are one person.
        cannot_links: Links from corrections: a segment with k and one with -k are two people.
        is_learned: The transit to it was learned.
    """

    camera_id: str
    parts: list[TrackPart]
    first: End
    last: End
    frame_hw: tuple[int, int]
    weight: float
    vector_sum: NDArray[np.float64]
    reliability_sum: float
    num_frames: int
    spans: list[tuple[float, float]]
    trajectory: GroundTrajectory
    sampled_boxes: SampledBoxes
    times: list[tuple[float, float]]
    must_links: frozenset[int] = frozenset()
    cannot_links: frozenset[int] = frozenset()
    is_learned: bool = False

    @classmethod
    def begin(cls, embedding: Embedding, ground: Ground = NO_GROUND) -> Self:
        """Return a new segment with this embedding as its only part."""
        path = embedding.path
        return cls(
            camera_id=embedding.track_id.camera_id,
            parts=[TrackPart(embedding.track_id, embedding.part)],
            first=_end(path, slice(0, VELOCITY_POINTS), 0),
            last=_end(path, slice(-VELOCITY_POINTS, None), -1),
            frame_hw=path.frame_hw,
            weight=embedding.quality,
            vector_sum=embedding.quality * embedding.vector.astype(np.float64),
            reliability_sum=embedding.quality * reliability_of(embedding.quality),
            num_frames=len(path),
            spans=[(float(path.captured_at[0]), float(path.captured_at[-1]))],
            trajectory=ground.trajectory(embedding.track_id.camera_id, path),
            sampled_boxes=sample_boxes(path),
            times=[(float(path.captured_at[0]), float(path.captured_at[-1]))],
        )

    def extend(self, embedding: Embedding, ground: Ground = NO_GROUND) -> None:
        """Add the next part of the same track."""
        self.parts.append(TrackPart(embedding.track_id, embedding.part))
        self.last = _end(embedding.path, slice(-VELOCITY_POINTS, None), -1)
        self.weight += embedding.quality
        self.vector_sum = self.vector_sum + embedding.quality * embedding.vector
        self.reliability_sum += embedding.quality * reliability_of(embedding.quality)
        self.num_frames += len(embedding.path)
        self.spans[-1] = (self.spans[-1][0], self.last.at)
        self.trajectory = _joined(self.trajectory, ground.trajectory(self.camera_id, embedding.path), MAX_TRAJECTORY)
        self.sampled_boxes = _joined(self.sampled_boxes, sample_boxes(embedding.path), MAX_SAMPLED)
        self.times.append((float(embedding.path.captured_at[0]), self.last.at))

    def absorb(self, later: Self) -> None:
        """Add a later segment of the same person in the same camera; of any track."""
        self.parts += later.parts
        self.last = later.last
        self.weight += later.weight
        self.vector_sum = self.vector_sum + later.vector_sum
        self.reliability_sum += later.reliability_sum
        self.num_frames += later.num_frames
        self.spans += later.spans
        self.trajectory = _joined(self.trajectory, later.trajectory, MAX_TRAJECTORY)
        self.sampled_boxes = _joined(self.sampled_boxes, later.sampled_boxes, MAX_SAMPLED)
        self.times += later.times
        self.must_links |= later.must_links
        self.cannot_links |= later.cannot_links

    def of_parts(self, parts: Set[TrackPart]) -> Self:
        """Return some of its parts as a segment of their own, with the mean appearance of the whole."""
        rows = [row for row, part in enumerate(self.parts) if part in parts]
        share = len(rows) / len(self.parts)
        kept, times = [self.parts[row] for row in rows], [self.times[row] for row in rows]
        return replace(
            self,
            parts=kept,
            times=times,
            first=replace(self.first, at=times[0][0]),
            last=replace(self.last, at=times[-1][1]),
            weight=share * self.weight,
            reliability_sum=share * self.reliability_sum,
            vector_sum=share * self.vector_sum,
            num_frames=max(1, round(share * self.num_frames)),
            spans=_spans(kept, times),
            trajectory=_within(self.trajectory, times),
            sampled_boxes=_within(self.sampled_boxes, times),
        )

    def has_cannot_link_to(self, other: Self) -> bool:
        """Return whether a correction says that these two are two people."""
        return any(-side in other.cannot_links for side in self.cannot_links)

    def shared_s(self, other: Self) -> float:
        """Return the longest time for which both were seen at the same time, seconds; negative if there is none."""
        longest, index, other_index = -inf, 0, 0
        while index < len(self.spans) and other_index < len(other.spans):
            span, other_span = self.spans[index], other.spans[other_index]
            longest = max(longest, min(span[1], other_span[1]) - max(span[0], other_span[0]))
            if span[1] < other_span[1]:
                index += 1
            else:
                other_index += 1
        return longest

    def shared_spans(self, other: Self) -> list[Span] | None:
        """Return the times at which both were seen, ascending; None if both were seen all the time since they began.

        What lies between two spans of an absorbed segment is no place where the person was.
        """
        if len(self.spans) == len(other.spans) == 1:
            return None
        found, index, other_index = [], 0, 0
        while index < len(self.spans) and other_index < len(other.spans):
            span, other_span = self.spans[index], other.spans[other_index]
            first, last = max(span[0], other_span[0]), min(span[1], other_span[1])
            if first < last:
                found.append((first, last))
            if span[1] < other_span[1]:
                index += 1
            else:
                other_index += 1
        return found


def _joined(rows: NDArray[np.float64], later: NDArray[np.float64], max_rows: int) -> NDArray[np.float64]:
    return np.concatenate([rows, later])[-max_rows:]


def _within(rows: NDArray[np.float64], times: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the rows within these times; all rows if none is, because the segment was somewhere."""
    kept = [any(began <= at <= ended for began, ended in times) for at in rows[:, 0].tolist()]
    return rows[kept] if any(kept) else rows


def _spans(parts: Sequence[TrackPart], times: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the spans of parts; parts that follow each other on one track make one span."""
    spans = [times[0]]
    for before, part, (first_at, last_at) in zip(parts, parts[1:], times[1:], strict=False):
        if part == TrackPart(before.track_id, before.part + 1):
            spans[-1] = (spans[-1][0], last_at)
        else:
            spans.append((first_at, last_at))
    return spans


def turns(batch: Sequence[Embedding]) -> list[list[Embedding]]:
    """Return the embeddings in turns, each track once in a turn: a part is judged after the part before it."""
    found: list[list[Embedding]] = []
    num_before: Counter[TrackId] = Counter()
    for embedding in batch:
        turn = num_before[embedding.track_id]
        if turn == len(found):
            found.append([])
        found[turn].append(embedding)
        num_before[embedding.track_id] += 1
    return found


def _end(path: TrackPath, rows: slice, row: int) -> End:
    boxes_xyxy = path.boxes_xyxy[rows].astype(np.float64)
    times = path.captured_at[rows]
    feet = np.stack([(boxes_xyxy[:, 0] + boxes_xyxy[:, 2]) / 2, boxes_xyxy[:, 3]], axis=1)
    span_s = times[-1] - times[0]
    velocity = (feet[-1] - feet[0]) / span_s if span_s > 0 else np.zeros(2)
    next_foot = feet[row] + velocity
    height, width = path.frame_hw
    left, _, right, bottom = boxes_xyxy[row]
    return End(
        at=float(path.captured_at[row]),
        foot=(float(feet[row, 0]), float(feet[row, 1])),
        velocity=(float(velocity[0]), float(velocity[1])),
        height=median((boxes_xyxy[:, 3] - boxes_xyxy[:, 1]).tolist()),
        is_leaving=bool(
            left <= BORDER_FRACTION * width
            or right >= (1 - BORDER_FRACTION) * width
            or bottom >= (1 - BORDER_FRACTION) * height
            or not 0 <= next_foot[0] <= width
            or next_foot[1] > height
        ),
    )
