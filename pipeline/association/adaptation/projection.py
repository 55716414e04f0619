"""How embeddings are read: less the mean of their camera, and along directions in which one person varies little."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.association.adaptation.separation import Scale

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """What a site taught about its cameras, as of one moment. Vectors are kept raw, and projected when they are read.

    Attributes:
        version: Grows when what was learned is taken over. 0: embeddings are read as they are.
        means: By camera, the mean embedding, shape ``(D,)``.
        mean: Of a camera that has none, such as that of enrolled pictures, shape ``(D,)``.
        whitening: Shape ``(D, D)``, float32: makes one person vary alike in all directions; empty for nothing.
        scale: Distances between projected vectors to those of raw ones, which the calibration knows.
    """

    version: int = 0
    means: dict[str, Vector] = field(default_factory=dict)
    mean: Vector = field(default_factory=lambda: np.zeros(0))
    whitening: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    scale: Scale = field(default_factory=Scale)

    def project(self, vector_sum: NDArray[Any], weight: float, camera_id: str) -> NDArray[Any]:
        """Return a weighted sum of embeddings of one camera as it is compared; its length stays.

        Args:
            vector_sum: Shape ``(D,)``.
            weight: The sum of the weights.
            camera_id: The camera.
        """
        if self.version == 0:
            return vector_sum
        out: Vector = vector_sum - weight * self.means.get(camera_id, self.mean)
        if len(self.whitening):
            # Row by row, so that the last bits do not depend on how a library splits a product.
            out = np.sum(self.whitening * out, axis=1)
        length = float(np.sqrt(np.sum(out * out)))
        if length == 0:
            return out
        return out * (float(np.sqrt(np.sum(vector_sum * vector_sum))) / length)

    def distances(self, projected: Vector) -> Vector:
        """Return distances on the scale of raw embeddings, of any shape.

        Args:
            projected: 1 less the cosine of projected vectors.
        """
        if self.version == 0:
            return projected
        return np.clip(self.scale(projected), 0, 2)

    def distance(self, one: NDArray[Any], two: NDArray[Any]) -> float:
        """Return the distance of two projected mean vectors, each of length 1 or less."""
        return float(self.distances(np.array(1 - one @ two)))


IDENTITY = Projection()
