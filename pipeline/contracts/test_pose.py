"""What every pose estimator must do."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.contracts.records import make_tracklet
from pipeline.core import PoseEstimator, PoseNeed, TrackId, Tracklet

Factory = Callable[[], PoseEstimator]
CROP_HW = (256, 128)


@pytest.fixture(scope="module")
def estimator(factory: Factory) -> PoseEstimator:
    return factory()


def _tracklets(*lengths: int) -> list[Tracklet]:
    return [
        make_tracklet(TrackId("east", 0, number), num_crops=length, crop_hw=CROP_HW, seed=number)
        for number, length in enumerate(lengths, start=1)
    ]


def test_the_same_tracklets_come_back_in_order(estimator: PoseEstimator) -> None:
    tracklets = _tracklets(3, 1, 2)
    posed = estimator.estimate(tracklets)
    assert [tracklet.track_id for tracklet in posed] == [tracklet.track_id for tracklet in tracklets]
    for before, after in zip(tracklets, posed, strict=True):
        assert after.path is before.path
        np.testing.assert_array_equal(after.crops, before.crops)


def test_keypoints_lie_in_the_crop(estimator: PoseEstimator) -> None:
    for tracklet in estimator.estimate(_tracklets(4, 1)):
        assert tracklet.keypoints is not None
        assert tracklet.keypoints.shape == (len(tracklet), 17, 3)
        assert tracklet.keypoints.dtype == np.float32
        assert ((tracklet.keypoints >= 0) & (tracklet.keypoints <= 1)).all()


def test_heatmaps_come_if_they_are_promised(estimator: PoseEstimator) -> None:
    (tracklet,) = estimator.estimate(_tracklets(2))
    if estimator.gives is PoseNeed.HEATMAPS:
        assert tracklet.heatmaps is not None
        assert tracklet.heatmaps.shape[:2] == (2, 17)
        assert (tracklet.heatmaps >= 0).all()
    else:
        assert estimator.gives is PoseNeed.KEYPOINTS
        assert tracklet.heatmaps is None


def test_one_by_one_equals_batched_bit_for_bit(estimator: PoseEstimator) -> None:
    tracklets = _tracklets(4, 1, 3)
    together = estimator.estimate(tracklets)
    alone = [estimator.estimate([tracklet])[0] for tracklet in reversed(tracklets)][::-1]
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        if a.heatmaps is not None:
            np.testing.assert_array_equal(a.heatmaps, b.heatmaps)


def test_inputs_stay_as_they_are(estimator: PoseEstimator) -> None:
    (tracklet,) = _tracklets(2)
    crops = tracklet.crops.copy()
    estimator.estimate([tracklet])
    assert tracklet.keypoints is None
    np.testing.assert_array_equal(tracklet.crops, crops)


def test_nothing_gives_nothing(estimator: PoseEstimator) -> None:
    assert estimator.estimate([]) == []


def test_its_factory_survives_pickling(factory: Factory) -> None:
    copy = pickle.loads(pickle.dumps(factory))
    assert copy().gives is factory().gives
