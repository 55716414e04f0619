"""One known person, as the matcher holds them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from pipeline.association.adaptation.projection import IDENTITY, Projection, Vector
from pipeline.association.track_segment import TrackSegment
from pipeline.core import Identity


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """The sums over all track segments of a person.

    Attributes:
        weight: Sum of their weights.
        reliability: Mean reliability weight of their pictures, in (0, 1].
        vector_sum: Sum of their vectors as they are read, shape ``(D,)``.
        latest: The segment that ended last.
    """

    weight: float
    reliability: float
    vector_sum: Vector
    latest: TrackSegment


@dataclass(slots=True, eq=False)
class Person:
    """One known person: the track segments that show them.

    Attributes:
        person_id: The number.
        segments: In any order; none only between creation and the first segment.
        projection: How embeddings are read.
        cache: Their sums; None after a change.
        readings: By ``id`` of a segment: the sum of its vectors, the projection, and what it is read as by that.
    """

    person_id: int
    segments: list[TrackSegment] = field(default_factory=list)
    projection: Projection = IDENTITY
    cache: Appearance | None = None
    readings: dict[int, tuple[Vector, Projection, Vector]] = field(default_factory=dict)

    @property
    def appearance(self) -> Appearance:
        """The sums over the segments, cached until ``changed``."""
        if self.cache is None:
            self.cache = self._appearance()
            self.readings = {id(segment): self.readings[id(segment)] for segment in self.segments}
        return self.cache

    def read(self, segment: TrackSegment) -> Vector:
        """Return the sum of the vectors of one of the segments as it is read, shape ``(D,)``; it is projected once."""
        known = self.readings.get(id(segment))
        if known is None or known[0] is not segment.vector_sum or known[1] is not self.projection:
            projected = self.projection.project(segment.vector_sum, segment.weight, segment.camera_id)
            known = self.readings[id(segment)] = segment.vector_sum, self.projection, projected
        return known[2]

    def changed(self) -> None:
        """Drop the cache, after segments were added, removed or extended."""
        self.cache = None

    def distance_to(self, other: Self) -> float:
        """Return the cosine distance between the mean appearance of two people."""
        one, two = self._appearance(), other._appearance()
        return float(self.projection.distances(1 - one.vector_sum @ two.vector_sum / (one.weight * two.weight)))

    def settle(self, before: float, going_on: Sequence[TrackSegment]) -> bool:
        """Join the segments of each camera that ended before a time; return whether any were joined.

        This keeps memory, and the number of segments in re-clustering, small.

        Args:
            before: Unix seconds.
            going_on: Segments whose track may go on; they stay as they are.
        """
        settled: dict[str, TrackSegment] = {}
        kept = []
        for segment in sorted(self.segments, key=lambda segment: segment.first.at):
            if segment.last.at >= before or any(segment is other for other in going_on):
                kept.append(segment)
            elif segment.camera_id in settled:
                settled[segment.camera_id].absorb(segment)
            else:
                settled[segment.camera_id] = segment
        num_before = len(self.segments)
        self.segments = [*settled.values(), *kept]
        return len(self.segments) < num_before

    def identity(self, space: str, max_prototypes: int) -> Identity:
        """Return what the gallery keeps of the person: the mean vectors of the segments with the most weight."""
        views = sorted(self.segments, key=lambda segment: (-segment.weight, segment.parts[0]))
        prototypes = np.stack([self.read(segment) for segment in views[:max_prototypes]])
        prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
        return Identity(
            self.person_id,
            space,
            prototypes.astype(np.float32),
            first_seen_at=min(segment.first.at for segment in self.segments),
            last_seen_at=max(segment.last.at for segment in self.segments),
            camera_ids=tuple(sorted({segment.camera_id for segment in self.segments})),
        )

    def _appearance(self) -> Appearance:
        weight = sum(segment.weight for segment in self.segments)
        read = [self.read(segment) for segment in self.segments]
        return Appearance(
            weight,
            reliability=sum(segment.reliability_sum for segment in self.segments) / weight,
            vector_sum=np.sum(read, axis=0) if self.segments[1:] else read[0],
            latest=max(self.segments, key=lambda segment: segment.last.at),
        )
