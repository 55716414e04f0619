import itertools

import pytest

from connectors.synthetic.camera_calibration import CameraCalibration, calibrate_cameras
from connectors.synthetic.places.catalogue import build_place


@pytest.fixture(scope="module")
def calibration() -> CameraCalibration:
    return calibrate_cameras(build_place("plaza"))


@pytest.mark.slow
def test_every_pair_of_cameras_overlaps_or_has_transit_times(calibration: CameraCalibration) -> None:
    pairs = {frozenset((pair.first, pair.second)) for pair in (*calibration.overlaps, *calibration.transits)}
    assert pairs == {frozenset(pair) for pair in itertools.combinations(("west", "east", "north", "gate"), 2)}
    assert len(calibration.overlaps) + len(calibration.transits) == 6


def test_the_plaza_has_cameras_that_overlap_and_cameras_that_do_not(calibration: CameraCalibration) -> None:
    assert ("west", "east") in {(o.first, o.second) for o in calibration.overlaps}
    apart = {(w.first, w.second): w for w in calibration.transits}
    assert ("north", "gate") in apart
    transit = apart["north", "gate"]
    assert 0 < transit.min_s < transit.median_s < transit.max_s < 120
    assert all(0 < overlap.share <= 1 for overlap in calibration.overlaps)
