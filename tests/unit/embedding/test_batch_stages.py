"""The stages without state behind the cameras: pose and embedding."""

from collections.abc import Sequence

import numpy as np
import pytest
from factories import make_embedding, make_tracklet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import Embedding, PoseNeed, TrackId, Tracklet
from pipeline.core.errors import PluginError
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.pose import PoseStage


class NamingEmbedder:
    """Gives embeddings that name their tracklet."""

    space, clip_len, crop_size_hw, needs = "test@0", 4, (64, 32), PoseNeed.NOTHING

    def __init__(self, num_missing: int = 0) -> None:
        self._num_missing = num_missing

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        return [make_embedding(t.track_id, t.part, t.path) for t in tracklets][self._num_missing :]


class EmptyPose:
    gives = PoseNeed.KEYPOINTS

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        return list(tracklets)


def tracklet_of(number: int, quality: float) -> Tracklet:
    tracklet = make_tracklet(TrackId("east", 0, number))
    values = {name: getattr(tracklet, name) for name in Tracklet.__slots__}
    return Tracklet(**values | {"qualities": np.array([0.0, 0.0, quality, 0.0], np.float32)})


@given(st.lists(st.sampled_from([0.01, 0.02, 0.5]), max_size=8))
def test_tracklets_of_poor_quality_become_none_and_the_others_keep_their_places(best: list[float]) -> None:
    batch = [tracklet_of(number, quality) for number, quality in enumerate(best)]
    found = EmbeddingStage(NamingEmbedder(), min_quality=0.015).process(batch)
    assert [None if e is None else e.track_id.number for e in found] == [
        None if quality < 0.015 else number for number, quality in enumerate(best)
    ]


def test_an_embedder_that_omits_a_tracklet_is_an_error() -> None:
    with pytest.raises(PluginError, match="expected embed to return a list of 2 Embedding, got a list of 1"):
        EmbeddingStage(NamingEmbedder(num_missing=1), min_quality=0.0).process([make_tracklet(), make_tracklet()])


def test_the_pose_stage_gives_back_what_the_estimator_says() -> None:
    tracklets = [make_tracklet(), make_tracklet()]
    assert PoseStage(EmptyPose()).process(tracklets) == tracklets


def test_stages_without_a_memory_have_nothing_to_flush() -> None:
    assert EmbeddingStage(NamingEmbedder(), min_quality=0.0).flush() == []
    assert PoseStage(EmptyPose()).flush() == []
