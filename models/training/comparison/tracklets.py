"""Tracklets of known people, as the pipeline would hand them to an embedder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.training.pictures import Image
from models.training.scoring.pets import HalfCrops
from models.training.video.posed import make_tracklet
from models.training.video.sources import ClipSource, Keypoints, resize
from pipeline.core import Embedder, PoseEstimator, PoseNeed, Tracklet

_AT_ONCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class KnownTracklets:
    """Tracklets and whose they are.

    Attributes:
        tracklets: N of them.
        people: Shape ``(N,)``, int64.
        cameras: Shape ``(N,)``, int64.
    """

    tracklets: Sequence[Tracklet]
    people: NDArray[np.int64]
    cameras: NDArray[np.int64]

    def posed(self, estimator: PoseEstimator) -> "KnownTracklets":
        """Return the same with the pose that an estimator finds."""
        starts = range(0, len(self.tracklets), _AT_ONCE)
        found = [one for start in starts for one in estimator.estimate(self.tracklets[start : start + _AT_ONCE])]
        return replace(self, tracklets=found)

    def embed(self, embedder: Embedder) -> NDArray[np.float32]:
        """Return one vector a tracklet, ``(N, D)``, L2 norm 1."""
        starts = range(0, len(self.tracklets), _AT_ONCE)
        found = [one for start in starts for one in embedder.embed(self.tracklets[start : start + _AT_ONCE])]
        return np.stack([embedding.vector for embedding in found])

    def lacks(self, need: PoseNeed) -> bool:
        """Return whether a pose is needed and not known."""
        return need is not PoseNeed.NOTHING and any(tracklet.keypoints is None for tracklet in self.tracklets)


class HalfTracklets:
    """People of the real footage in either half of it, a few crops at a time.

    Args:
        people: Their crops.
        crop_hw: Height and width that crops are brought to, pixels.
        num_crops: Of a tracklet.
    """

    def __init__(self, people: HalfCrops, *, crop_hw: tuple[int, int], num_crops: int) -> None:
        self._crops, self._crop_hw = people.crops, crop_hw
        borders = np.flatnonzero(np.diff(people.person_ids) | np.diff(people.halves)) + 1
        together = np.split(np.arange(len(people.crops)), borders)
        self._rows = [rows[start : start + num_crops] for rows in together for start in range(0, len(rows), num_crops)]
        self.people = np.array([people.person_ids[rows[0]] for rows in self._rows], np.int64)
        self.cameras = np.array([people.halves[rows[0]] for rows in self._rows], np.int64)
        self.lengths = np.array([len(rows) for rows in self._rows], np.int64)

    def clip(self, row: int, indices: NDArray[np.int64]) -> tuple[Image, Keypoints]:
        """Return crops of a tracklet; keypoints have scores of 0."""
        images = [resize(self._crops[one], self._crop_hw) for one in self._rows[row][indices]]
        return np.stack(images), np.zeros((len(images), 17, 3), np.float32)


def cut_tracklets(source: ClipSource, *, num_crops: int) -> KnownTracklets:
    """Return every tracklet of a source with up to ``num_crops`` crops, spread over all of it.

    Keypoints that the source knows go with them, and heat-maps drawn of these.
    """
    tracklets = []
    for row, length in enumerate(source.lengths.tolist()):
        indices = np.linspace(0, length - 1, min(num_crops, length)).round().astype(np.int64)
        images, keypoints = source.clip(row, indices)
        tracklets.append(make_tracklet(row, images, keypoints))
    return KnownTracklets(tracklets, source.people, source.cameras)
