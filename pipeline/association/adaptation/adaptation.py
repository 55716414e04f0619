"""Learns from tracks alone how each camera colours embeddings, and how much one person varies: no label, no pixels.

Reference:
    Mean of each camera: Song et al., "Exploring the Camera Bias of Person Re-identification", arXiv:2502.10195.
    Whitening of the scatter within one person: Hatch et al., "Within-class covariance normalization for SVM-based
    speaker recognition", 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.association.adaptation.camera_statistics import MAX_STEPS, PARTS_OF_TRACK, CameraStatistics, Vector
from pipeline.association.adaptation.projection import IDENTITY, Projection
from pipeline.association.adaptation.separation import Separation
from pipeline.association.adaptation.whitening import whitening_of
from pipeline.core import Embedding, TrackId
from pipeline.core.serialisation import deserialise, serialise

MAX_WHITENED = 512
"""Length of the longest vectors that are whitened, because of the time; of longer ones only the mean is subtracted."""
MIN_NEW_PARTS = 16
"""Parts of tracks after which a projection is made again, at the least."""
GROWTH = 0.5
"""Share of what a projection is made of that must come anew before the next one. Larger: fewer versions, later."""
MAX_OPEN = 1000
"""Tracks whose last part is remembered."""


@dataclass(slots=True, eq=False)
class _State:
    """What is learned, as plain values.

    ``trial`` is the newest projection: labels score it before the next one, made alike of more, is taken into use.
    """

    statistics: CameraStatistics = field(default_factory=CameraStatistics)
    separation: Separation = field(default_factory=Separation)
    open: list[tuple[TrackId, int, Vector]] = field(default_factory=list)
    num_old: int = 0
    num_new: int = 0
    trial: Projection = IDENTITY
    used: Projection = IDENTITY


class Adaptation:
    """What one site's cameras taught; a function of its input alone."""

    def __init__(self) -> None:
        self._state = _State()

    @property
    def projection(self) -> Projection:
        """How embeddings are read now."""
        return self._state.used

    @property
    def trial(self) -> Projection:
        """The newest projection, which labels score before its successor is used; version 0 before the first."""
        return self._state.trial

    def learn(self, batch: Sequence[Embedding]) -> None:
        """Take in the embeddings of a window of event time, in order."""
        state = self._state
        opened = {track_id: (part, vector) for track_id, part, vector in state.open}
        for embedding in batch:
            vector = embedding.vector.astype(np.float64)
            before = opened.pop(embedding.track_id, None)
            if before is not None and embedding.is_continuous and before[0] + 1 == embedding.part:
                self._add_step(before[1], vector, embedding.track_id.camera_id)
            if embedding.part < PARTS_OF_TRACK:
                state.statistics.add_to_mean(embedding.track_id.camera_id, vector)
            if not embedding.is_last:
                opened[embedding.track_id] = embedding.part, vector
            state.num_new += 1
        state.open = [(track_id, *rest) for track_id, rest in opened.items()][-MAX_OPEN:]

    def learn_different(self, one: Embedding, two: Embedding) -> None:
        """Take in two embeddings that certainly show two people."""
        self._compare(
            one.vector.astype(np.float64),
            two.vector.astype(np.float64),
            (one.track_id.camera_id, two.track_id.camera_id),
            is_same=False,
        )

    def renew(self) -> bool:
        """Make the projection again if enough is new; return whether embeddings are read otherwise now.

        What is taken into use is the newest projection if the labels since the one before show that it separates
        people clearly better than raw embeddings; else raw embeddings are.
        """
        state = self._state
        if state.num_new < max(MIN_NEW_PARTS, GROWTH * min(state.num_old, MAX_STEPS)):
            return False
        state.num_old, state.num_new = state.num_old + state.num_new, 0
        was_used = state.used.version > 0
        state.trial = self._made(state.trial.version + 1)
        is_better = state.separation.is_better
        state.used = replace(state.trial, scale=state.separation.scale) if is_better else IDENTITY
        return is_better or was_used

    def forget(self, track_ids: set[TrackId]) -> None:
        """Forget the vectors of tracks. Means and scatter, which are of many people, stay."""
        self._state.open = [opened for opened in self._state.open if opened[0] not in track_ids]

    def snapshot(self) -> bytes:
        """Return everything that was learned."""
        return serialise(self._state)

    def restore(self, state: bytes) -> None:
        """Take over what another object learned. Raises ``WireFormatError`` as ``Stateful``."""
        self._state = deserialise(state, _State)

    def _add_step(self, earlier: Vector, later: Vector, camera_id: str) -> None:
        statistics = self._state.statistics
        # Compared first: a projection is scored by what it has not seen.
        self._compare(earlier, later, (camera_id, camera_id), is_same=True)
        if not len(statistics.scatter) and len(later) <= MAX_WHITENED:
            statistics.scatter = np.zeros((len(later), len(later)))
        if len(statistics.scatter):
            statistics.add_step(earlier, later)

    def _compare(self, one: Vector, two: Vector, camera_ids: tuple[str, str], *, is_same: bool) -> None:
        trial = self._state.trial
        if trial.version == 0:
            return
        projected = [trial.project(*each) for each in ((one, 1.0, camera_ids[0]), (two, 1.0, camera_ids[1]))]
        separation = self._state.separation
        two_people = separation.different if camera_ids[0] == camera_ids[1] else separation.across
        of_kind = separation.same if is_same else two_people
        of_kind.add(float(1 - one @ two), float(1 - projected[0] @ projected[1]))

    def _made(self, version: int) -> Projection:
        statistics = self._state.statistics
        whitening = whitening_of(statistics.covariance())
        return Projection(version, statistics.means(), statistics.mean(), whitening.astype(np.float32))
