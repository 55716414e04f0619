"""Tracklets of known people, as the pipeline would hand them to an embedder."""

import numpy as np
from numpy.typing import NDArray

from models.training.pictures import Image
from models.training.scoring.pets import HalfCrops
from models.training.video.posed import make_tracklet
from models.training.video.sources import ClipSource, Keypoints, resize
from pipeline.core import Embedder, PoseEstimator, PoseNeed, Tracklet
from pipeline.core.errors import ConfigError

_AT_ONCE = 32
"""Tracklets in memory at a time; 32 of eight crops of 256x128 have 25 MB."""


class KnownTracklets:
    """Tracklets and whose they are. Their crops are read anew whenever they are asked for: a data set is no memory.

    Args:
        source: Of the crops. Keypoints that it knows go with them, and heat-maps drawn of these.
        num_crops: Of a tracklet at most, spread over all of it.
    """

    def __init__(self, source: ClipSource, *, num_crops: int) -> None:
        self._source, self._num_crops = source, num_crops
        self.people, self.cameras = source.people, source.cameras
        self.lengths = np.minimum(source.lengths, num_crops)
        """Shape ``(N,)``, int64: crops of each."""

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, row: int) -> Tracklet:
        length = int(self._source.lengths[row])
        indices = np.linspace(0, length - 1, min(self._num_crops, length)).round().astype(np.int64)
        return make_tracklet(row, *self._source.clip(row, indices))

    def embed(self, embedder: Embedder, estimator: PoseEstimator | None = None) -> NDArray[np.float32]:
        """Return one vector a tracklet, ``(N, D)``, L2 norm 1.

        Args:
            embedder: Of the vectors.
            estimator: Finds the pose of tracklets without one, where the embedder needs it.

        Raises:
            ConfigError: If a pose is needed that is not known, and there is no estimator.
        """
        everybody = range(len(self))
        starts = everybody[::_AT_ONCE]
        return np.concatenate(
            [self._embed_some(everybody[start : start + _AT_ONCE], embedder, estimator) for start in starts]
        )

    def _embed_some(self, rows: range, embedder: Embedder, estimator: PoseEstimator | None) -> NDArray[np.float32]:
        found = embedder.embed([with_pose(self[row], embedder, estimator) for row in rows])
        return np.stack([embedding.vector for embedding in found])


def with_pose(tracklet: Tracklet, embedder: Embedder, estimator: PoseEstimator | None) -> Tracklet:
    """Return a tracklet with the pose that an embedder needs, found where it is not known.

    Raises:
        ConfigError: If it must be found, and there is no estimator.
    """
    if embedder.needs is PoseNeed.NOTHING or tracklet.keypoints is not None:
        return tracklet
    if estimator is None:
        raise ConfigError(f"pose: expected one, as {embedder.space} needs {embedder.needs}, got none; set pose=")
    (found,) = estimator.estimate([tracklet])
    return found


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
