"""What is counted of the embeddings of each camera: their mean, and how one person varies within a few seconds."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

PARTS_OF_TRACK = 4
"""Parts of a track that count for the mean of its camera: a person who stays for long is no more than one person."""
PRIOR_TRACKS = 8.0
"""Tracks that the mean over all cameras counts for in the mean of one. Larger: a mean follows its camera later.

With few tracks a mean is that of few people, and subtracting it would take away what tells them apart.
"""
MAX_TRACKS = 1000.0
"""Tracks of a camera that count; beyond it older ones fade. Larger: light and season are followed later."""
PRIOR_STEPS = 300.0
"""Pairs of parts that an even scatter counts for. Larger: directions are weighed by the site later."""
MAX_STEPS = 20_000.0
"""Pairs of parts that count; beyond it older ones fade. Larger: light and season are followed later."""
EVENNESS = 0.5
"""Part of an even scatter in the one that is whitened. Larger: directions are weighed more alike."""


@dataclass(slots=True, eq=False)
class CameraMean:
    """Sum of the embeddings of a camera, shape ``(D,)``, each track counted as one at most."""

    vector_sum: Vector
    num_tracks: float = 0.0

    def add(self, vector: Vector) -> None:
        """Take in a part of a track."""
        if self.num_tracks >= MAX_TRACKS:
            self.vector_sum, self.num_tracks = self.vector_sum / 2, self.num_tracks / 2
        self.vector_sum = self.vector_sum + vector / PARTS_OF_TRACK
        self.num_tracks += 1 / PARTS_OF_TRACK


@dataclass(slots=True, eq=False)
class CameraStatistics:
    """All that is counted.

    Attributes:
        cameras: By name.
        scatter: Shape ``(D, D)``: sum of the outer products of steps; empty for vectors too long to be whitened.
        num_steps: Steps in it, faded.
    """

    cameras: dict[str, CameraMean] = field(default_factory=dict)
    scatter: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    num_steps: float = 0.0

    def add_to_mean(self, camera_id: str, vector: Vector) -> None:
        """Take in a part of a track for the mean of its camera."""
        if camera_id not in self.cameras:
            self.cameras[camera_id] = CameraMean(np.zeros_like(vector))
        self.cameras[camera_id].add(vector)

    def add_step(self, earlier: Vector, later: Vector) -> None:
        """Take in two consecutive parts of one track, which show one person."""
        if self.num_steps >= MAX_STEPS:
            self.scatter, self.num_steps = self.scatter / 2, self.num_steps / 2
        step = later - earlier
        # Each of the two is off their mean by half the step.
        self.scatter += step[:, None] * step / 2
        self.num_steps += 1

    def mean(self) -> Vector:
        """Return the mean over all cameras, shape ``(D,)``: nearer to 0 the less was seen."""
        num_tracks = sum(camera.num_tracks for camera in self.cameras.values())
        total: Vector = np.sum([camera.vector_sum for camera in self.cameras.values()], axis=0)
        return total / (num_tracks + PRIOR_TRACKS)

    def means(self) -> dict[str, Vector]:
        """Return the mean of each camera, shape ``(D,)``: nearer to that of all the less was seen."""
        mean = self.mean()
        return {
            name: (camera.vector_sum + PRIOR_TRACKS * mean) / (camera.num_tracks + PRIOR_TRACKS)
            for name, camera in self.cameras.items()
        }

    def covariance(self) -> NDArray[np.float64]:
        """Return the scatter of one person within seconds, evened by how little was seen, mean variance 1."""
        even = np.eye(len(self.scatter))
        total = float(np.sum(np.diagonal(self.scatter)))
        if not self.num_steps or not total:  # nothing was seen, or nothing that varies
            return even
        variance = total / len(self.scatter)
        seen = self.num_steps / (self.num_steps + PRIOR_STEPS)
        share = (1 - EVENNESS) * seen
        covariance: NDArray[np.float64] = share * self.scatter / variance + (1 - share) * even
        return covariance
