import itertools

import pytest

from connectors.synthetic.camera_calibration import CameraCalibration, survey
from connectors.synthetic.places import build_place


@pytest.fixture(scope="module")
def found() -> CameraCalibration:
    return survey(build_place("plaza"))


@pytest.mark.slow
def test_every_pair_of_cameras_shares_ground_or_is_some_way_apart(found: CameraCalibration) -> None:
    pairs = {frozenset((pair.first, pair.second)) for pair in (*found.overlaps, *found.walks)}
    assert pairs == {frozenset(pair) for pair in itertools.combinations(("west", "east", "north", "gate"), 2)}
    assert len(found.overlaps) + len(found.walks) == 6


def test_the_plaza_has_cameras_that_overlap_and_cameras_that_do_not(found: CameraCalibration) -> None:
    assert ("west", "east") in {(o.first, o.second) for o in found.overlaps}
    apart = {(w.first, w.second): w for w in found.walks}
    assert ("north", "gate") in apart
    walk = apart["north", "gate"]
    assert 0 < walk.min_s < walk.median_s < walk.max_s < 120
    assert all(0 < overlap.share <= 1 for overlap in found.overlaps)
