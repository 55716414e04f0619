"""One known person, as the match stage holds her."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.association.track_segment import TrackSegment
from pipeline.core import Identity


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """What all segments of a person come to.

    Attributes:
        weight: Sum of their weights.
        reliability: How clear the looks are, in (0, 1].
        vector_sum: Sum of their vectors, shape ``(D,)``.
        latest: The one that ended last.
    """

    weight: float
    reliability: float
    vector_sum: NDArray[np.float64]
    latest: TrackSegment


@dataclass(slots=True, eq=False)
class Person:
    """One known person: the segments that show her.

    Attributes:
        person_id: The number.
        segments: In any order; at least one, but for a moment.
        known: What they come to, if it was asked for since they changed.
    """

    person_id: int
    segments: list[TrackSegment] = field(default_factory=list)
    known: Appearance | None = None

    @property
    def appearance(self) -> Appearance:
        """What the segments come to; see ``changed``."""
        if self.known is None:
            self.known = _appearance(self.segments)
        return self.known

    def changed(self) -> None:
        """Learn that the segments are others, or longer, than they were."""
        self.known = None

    def distance_to(self, other: Self) -> float:
        """Return how far apart two people look on average, cosine distance."""
        one, two = _appearance(self.segments), _appearance(other.segments)
        return float(1 - one.vector_sum @ two.vector_sum / (one.weight * two.weight))

    def settle(self, before: float) -> bool:
        """Join the segments of each camera that ended before that time; return whether there were any to join.

        Memory and reviews stay small.
        """
        settled: dict[str, TrackSegment] = {}
        kept = []
        for segment in sorted(self.segments, key=lambda segment: segment.first.at):
            if segment.last.at >= before:
                kept.append(segment)
            elif segment.camera_id in settled:
                settled[segment.camera_id].absorb(segment)
            else:
                settled[segment.camera_id] = segment
        num_before = len(self.segments)
        self.segments = [*settled.values(), *kept]
        return len(self.segments) < num_before

    def identity(self, space: str, max_prototypes: int) -> Identity:
        """Return what the gallery keeps of the person: the views of the heaviest segments."""
        views = sorted(self.segments, key=lambda segment: (-segment.weight, segment.parts[0]))
        prototypes = np.stack([segment.vector_sum for segment in views[:max_prototypes]])
        prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
        return Identity(
            self.person_id,
            space,
            prototypes.astype(np.float32),
            first_seen_at=min(segment.first.at for segment in self.segments),
            last_seen_at=max(segment.last.at for segment in self.segments),
            camera_ids=tuple(sorted({segment.camera_id for segment in self.segments})),
        )


def _appearance(segments: Sequence[TrackSegment]) -> Appearance:
    weight, one = sum(segment.weight for segment in segments), segments[0]
    return Appearance(
        weight,
        reliability=sum(segment.reliability_sum for segment in segments) / weight,
        vector_sum=np.sum([segment.vector_sum for segment in segments], axis=0) if segments[1:] else one.vector_sum,
        latest=max(segments, key=lambda segment: segment.last.at),
    )
