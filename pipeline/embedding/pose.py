"""Tracklet to tracklet with keypoints, for embedders that need them."""

from collections.abc import Sequence

from pipeline.core import PoseEstimator, Tracklet, calls_of
from pipeline.core.plugin_contract import answers, blaming


class PoseStage:
    """Finds the keypoints of every crop. Left out of the flow when the embedder needs none.

    Args:
        estimator: The network.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self._estimator = estimator
        self.calls = calls_of(estimator)

    def process(self, batch: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in the same order, with keypoints; of many cameras mixed."""
        with blaming("pose", self._estimator, owns_data=True):
            found = self._estimator.estimate(batch)
        return [*answers("pose", self._estimator, "estimate", found, Tracklet, len(batch))]

    def flush(self) -> list[Tracklet]:
        """Return nothing: no tracklet is held."""
        return []
