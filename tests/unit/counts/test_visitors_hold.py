"""The interval of unique visitors against the truth of simulated sites."""

import pytest

from pipeline.evaluation.simulation.visitors import run_visitors


@pytest.mark.slow
def test_the_interval_holds_the_true_number_in_95_of_100_sites() -> None:
    runs = [run_visitors(seed, num_tracklets=200, num_cameras=8) for seed in range(100, 120)]
    assert sum(run.holds for run in runs) >= 19
    assert any(run.counted.people != run.true_people for run in runs), "nothing was doubtful"


def test_people_who_are_easy_to_tell_apart_are_counted_exactly() -> None:
    run = run_visitors(3, num_tracklets=100, num_cameras=8, well_separated=True)
    assert (run.counted.low, run.counted.people, run.counted.high) == (run.true_people,) * 3
