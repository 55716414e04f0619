"""One known person, as the match stage holds her."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core import Identity
from pipeline.stages._segment import Segment


@dataclass(slots=True, eq=False)
class Person:
    """One known person: the segments that show her.

    Attributes:
        person_id: The number.
        segments: In any order; at least one, but for a moment.
    """

    person_id: int
    segments: list[Segment] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """Sum of the weights of the segments."""
        return sum(segment.weight for segment in self.segments)

    @property
    def clarity(self) -> float:
        """How clear the looks at her are, in (0, 1]."""
        return sum(segment.clarity_sum for segment in self.segments) / self.weight

    @property
    def vector_sum(self) -> NDArray[np.float64]:
        """Sum of the vectors of the segments, shape ``(D,)``."""
        return np.sum([segment.vector_sum for segment in self.segments], axis=0)  # type: ignore[no-any-return]

    def distance_to(self, other: Self) -> float:
        """Return how far apart two people look on average, cosine distance."""
        return float(1 - self.vector_sum @ other.vector_sum / (self.weight * other.weight))

    def latest(self) -> Segment:
        """Return the segment that ended last."""
        return max(self.segments, key=lambda segment: segment.last.at)

    def settle(self, before: float) -> bool:
        """Join the segments of each camera that ended before that time; return whether there were any to join.

        Memory and reviews stay small.
        """
        settled: dict[str, Segment] = {}
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
