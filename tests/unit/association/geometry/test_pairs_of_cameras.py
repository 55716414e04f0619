"""What pairs of cameras have seen: people at once, and how long transits take."""

import pytest

from pipeline.association.geometry.pairs_of_cameras import MAX_GAP_S, Seen, pair_evidence


def test_a_person_counts_once_for_a_pair_however_often_they_come() -> None:
    seen = [Seen(1, camera, at, at + 5.0) for at in (0.0, 50.0, 100.0) for camera in ("west", "east")]
    (pair,) = pair_evidence([*seen, Seen(2, "east", 0.0, 5.0), Seen(2, "west", 30.0, 35.0)], {})
    assert (pair.camera_ids, pair.num_people, pair.num_at_once) == (("east", "west"), 2, 1)


def test_a_long_visit_is_compared_with_each_that_is_within_it() -> None:
    seen = [Seen(1, "east", 0.0, 100.0), Seen(1, "west", 10.0, 20.0), Seen(1, "north", 40.0, 50.0)]
    found = {pair.camera_ids: pair.num_at_once for pair in pair_evidence(seen, {})}
    assert found == {("east", "west"): 1, ("east", "north"): 1, ("north", "west"): 0}


@pytest.mark.parametrize(("gap_s", "num"), [(MAX_GAP_S, 1), (MAX_GAP_S + 1, 0)])
def test_who_comes_much_later_went_somewhere_else(gap_s: float, num: int) -> None:
    assert len(pair_evidence([Seen(1, "east", 0.0, 5.0), Seen(1, "west", 5.0 + gap_s, 200.0)], {})) == num


def test_a_tracker_that_notices_late_does_not_make_cameras_overlap() -> None:
    (pair,) = pair_evidence([Seen(1, "east", 0.0, 5.1), Seen(1, "west", 5.0, 9.0)], {})
    assert (pair.num_people, pair.num_at_once) == (1, 0)


def test_transits_of_both_directions_are_one_sample() -> None:
    times = {("east", "west"): [8.0, 10.0], ("west", "east"): [12.0]}
    (pair,) = pair_evidence([], times)
    assert (pair.num_transits, pair.shortest_s, pair.quantiles_s[1]) == (3, 8.0, 10.0)
    assert pair.spread > 0
