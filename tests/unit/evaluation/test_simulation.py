"""The real match stage on synthetic appearance vectors."""

import itertools

import numpy as np
import pytest

from pipeline.evaluation.simulation.busy import run_busy
from pipeline.evaluation.simulation.chart import to_svg
from pipeline.evaluation.simulation.cost import compare_searches, measure
from pipeline.evaluation.simulation.crowd import Crowd, Site
from pipeline.evaluation.simulation.rates import run, summary
from pipeline.evaluation.simulation.soak import soak
from pipeline.evaluation.simulation.stage import MAX_FALSE_MATCH_RATE


def test_the_same_seed_makes_the_same_tracklets() -> None:
    def first() -> list[tuple[int, str, bytes]]:
        windows = Site(Crowd(3, well_separated=False), num_cameras=9).windows()
        seen = [pair for window in itertools.islice(windows, 30) for pair in window]
        return [(person, f"{one.track_id} {one.part} {one.completed_at}", one.vector.tobytes()) for person, one in seen]

    assert first() == first()
    assert len(first()) > 100


def test_windows_are_in_order_of_time_and_the_parts_of_a_track_in_sequence() -> None:
    windows = Site(Crowd(0, well_separated=True), num_cameras=5, returning=0.5, memory=20).windows()
    seen = [pair for window in itertools.islice(windows, 80) for pair in window]
    times = [embedding.completed_at for _, embedding in seen]
    assert times == sorted(times)
    parts: dict[str, list[tuple[int, int]]] = {}
    for person, embedding in seen:
        parts.setdefault(str(embedding.track_id), []).append((embedding.part, person))
    assert all(found in ([(0, who)], [(0, who), (1, who)]) for found in parts.values() for _, who in found[:1])


@pytest.mark.parametrize("well_separated", [True, False], ids=["well separated", "as shipped"])
def test_vectors_have_the_documented_distances(well_separated: bool) -> None:
    crowd = Crowd(0, well_separated=well_separated)
    people = crowd.sample(300)
    one, two = crowd.observe(people), crowd.observe(people)
    same, different = (1 - one @ two.T)[np.eye(300, dtype=bool)], (1 - one @ two.T)[~np.eye(300, dtype=bool)]
    assert same.mean() == pytest.approx(0.35 if well_separated else 0.45, abs=0.05)
    assert different.mean() == pytest.approx(1.0 if well_separated else 0.87, abs=0.05)
    assert different.std() == pytest.approx(0.06 if well_separated else 0.15, abs=0.02)


def test_well_separated_people_are_matched_without_errors() -> None:
    cost = measure(300, 100, seed=0, num_cameras=500, approximate_above=float("inf"))
    assert (cost.false_match_rate, cost.false_new_rate) == (0, 0)
    assert cost.tracklet_ms > 0
    assert cost.ratio > 0


def test_the_approximate_search_finds_at_least_nine_in_ten() -> None:
    assert compare_searches(2000, 60, seed=0).recall >= 0.9


def test_a_soak_keeps_to_the_limit_of_identities() -> None:
    laps = list(soak(900, max_identities=40, num_cameras=10, seed=0, num_laps=3))
    assert [lap.num_tracklets // 300 for lap in laps] == [1, 2, 3]
    assert max(lap.num_identities for lap in laps) == 40


def test_a_busy_site_is_measured_to_its_end() -> None:
    found = run_busy(0, num_cameras=8, per_window=2, seconds=6)
    assert found.tracklets_hz > 1
    assert 0 < found.window_p50_ms <= found.window_p99_ms <= found.window_max_ms
    assert 0.8 <= found.idf1 <= 1
    assert 0.8 <= found.hota <= 1


def test_a_chart_has_its_title_and_range() -> None:
    chart = to_svg([(1000, 0.5), (1_000_000, 2.0)], title="ms & people", x="people", y="ms")
    assert "ms &amp; people" in chart
    assert "1,000,000" in chart or "1e+06" in chart


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_over_ten_seeds_the_specified_rate_holds_and_the_stage_beats_the_naive_pipeline() -> None:
    runs = [run(seed, num_tracklets=600, num_cameras=8) for seed in range(10)]
    # Each holds with 95 % confidence: on average one of twenty does not.
    assert sum((one.comparisons.rate or 0.0) > MAX_FALSE_MATCH_RATE for one in runs) <= 1
    methods = {method.name: method for method in summary(runs)}
    ours, naive = methods["Passerby, final"], methods["naive online, threshold halfway"]
    assert ours.idf1 > naive.idf1
    assert ours.false_matches.interval[1] < naive.false_matches.interval[0]


def test_every_method_has_scores() -> None:
    methods = summary([run(0, num_tracklets=60, num_cameras=4)])
    assert len({method.name for method in methods}) == 5
    assert all(0 < method.idf1 <= 1 and 0 < method.hota <= 1 for method in methods)
