"""Segments: the stretches of a track that certainly show one person."""

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
from pipeline.association.geometry.sampled_boxes import SampledBoxes, sample_boxes
from pipeline.core import Embedding, TrackId, TrackPart, TrackPath

VELOCITY_POINTS = 10
"""Boxes over which a velocity is measured."""
ENROLLED_WEIGHT = 10**9
"""Boxes that an enrolled segment counts for when groups are numbered: the number that was given stays."""
MAX_TRAJECTORY = 1200
"""Points of a trail that are kept, the latest: ten minutes."""
NO_GROUND = Ground()
BORDER_FRACTION = 0.03
"""A box this near to the picture's left, right or lower border, as a fraction of its size, is at the border."""


@dataclass(frozen=True, slots=True)
class End:
    """Where and how somebody stood when a segment began or ended.

    Attributes:
        at: Unix seconds.
        foot: x and y of the bottom centre of the box, pixels.
        velocity: x and y, pixels a second.
        height: Of the box, pixels.
        is_leaving: At the border of the picture, or beyond it a second later at this velocity.
    """

    at: float
    foot: tuple[float, float]
    velocity: tuple[float, float]
    height: float
    is_leaving: bool


@dataclass(slots=True, eq=False)
class TrackSegment:
    """Consecutive parts of one track between which nobody came near enough to be confused.

    Attributes:
        camera_id: Where.
        parts: In order.
        first: How it began.
        last: How it ends so far.
        frame_hw: Size of the frames, pixels.
        weight: Sum of the qualities of its embeddings.
        vector_sum: Shape ``(D,)``: sum of the embeddings, each times its quality.
        reliability_sum: Sum of how clear the embeddings are, each times its quality.
        num_frames: Boxes in it.
        spans: When it was seen, first and last moment, Unix seconds, ascending; several if others were absorbed.
        trajectory: Where it went on the ground; empty where nothing is known of it.
        sampled_boxes: Its box from time to time.
        times: When each part was seen, first and last moment, Unix seconds.
        must_links: What an operator put together: segments with one in common are one person.
        cannot_links: What an operator put apart: a segment with k and one with -k are two people.
        is_learned: The way to it was taken note of, for the walking times.
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
        """Return the segment that this embedding alone makes."""
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
        self.trajectory = _joined(self.trajectory, ground.trajectory(self.camera_id, embedding.path))
        self.sampled_boxes = _joined(self.sampled_boxes, sample_boxes(embedding.path))
        self.times.append((float(embedding.path.captured_at[0]), self.last.at))

    def absorb(self, later: Self) -> None:
        """Add a later segment of the same person in the same camera, of whatever track."""
        self.parts += later.parts
        self.last = later.last
        self.weight += later.weight
        self.vector_sum = self.vector_sum + later.vector_sum
        self.reliability_sum += later.reliability_sum
        self.num_frames += later.num_frames
        self.spans += later.spans
        self.trajectory = _joined(self.trajectory, later.trajectory)
        self.sampled_boxes = _joined(self.sampled_boxes, later.sampled_boxes)
        self.times += later.times
        self.must_links |= later.must_links
        self.cannot_links |= later.cannot_links

    def of_parts(self, parts: Set[TrackPart]) -> Self:
        """Return what these of its parts are as a segment of their own; it looks as the whole does."""
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

    def is_forbidden(self, other: Self) -> bool:
        """Return whether an operator put these two apart."""
        return any(-side in other.cannot_links for side in self.cannot_links)

    def shared_s(self, other: Self) -> float:
        """Return the longest time for which both were seen at once, seconds; negative if they never were."""
        longest, mine, theirs = -inf, 0, 0
        while mine < len(self.spans) and theirs < len(other.spans):
            first, second = self.spans[mine], other.spans[theirs]
            longest = max(longest, min(first[1], second[1]) - max(first[0], second[0]))
            if first[1] < second[1]:
                mine += 1
            else:
                theirs += 1
        return longest


def _joined(rows: NDArray[np.float64], later: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([rows, later])[-MAX_TRAJECTORY:]


def _within(rows: NDArray[np.float64], times: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the rows of these times; all where there is none, for something was there."""
    kept = [any(began <= at <= ended for began, ended in times) for at in rows[:, 0].tolist()]
    return rows[kept] if any(kept) else rows


def _spans(parts: Sequence[TrackPart], times: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return when parts were seen, those that follow each other on one track as one."""
    spans = [times[0]]
    for before, part, (first_at, last_at) in zip(parts, parts[1:], times[1:], strict=False):
        if part == TrackPart(before.track_id, before.part + 1):
            spans[-1] = (spans[-1][0], last_at)
        else:
            spans.append((first_at, last_at))
    return spans


def turns(batch: Sequence[Embedding]) -> list[list[Embedding]]:
    """Return the embeddings in turns, no track twice in one: what a part means depends on the part before."""
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
