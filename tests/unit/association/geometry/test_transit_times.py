"""Transit times that are learned on site."""

import json
from math import exp, inf
from xml.etree import ElementTree

import numpy as np
import pytest
from people import make_match, see

from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.geometry.transit_times import MAX_TRANSITS, MIN_TRANSITS, TransitTimes
from pipeline.evaluation.transit_times import learn, to_json, to_svg


def learned(count: int = 100, median_s: float = 12.0, seed: int = 0) -> TransitTimes:
    transits, rng = TransitTimes(), np.random.default_rng(seed)
    for gap_s in (median_s * np.exp(0.3 * rng.standard_normal(count))).tolist():
        transits.learn("east", "west", gap_s)
    return transits


def test_the_median_and_the_spread_of_transit_times_are_learned() -> None:
    transit = learned().fitted("east", "west")
    assert transit is not None
    assert transit.median_s == pytest.approx(12.0, rel=0.15)
    assert transit.spread == pytest.approx(0.3, rel=0.4)


def test_a_wrong_link_among_ten_changes_the_median_little() -> None:
    transits = learned(90)
    for _ in range(10):
        transits.learn("east", "west", 600.0)
    transit = transits.fitted("east", "west")
    assert transit is not None
    assert transit.median_s == pytest.approx(13.0, rel=0.25)


def test_too_few_transits_are_not_fitted_and_the_way_back_is_another_pair() -> None:
    assert learned(MIN_TRANSITS - 1).fitted("east", "west") is None
    assert learned(MIN_TRANSITS).fitted("east", "west") is not None
    assert learned().fitted("west", "east") is None


def test_old_times_fade_and_memory_is_bounded() -> None:
    transits = learned(MAX_TRANSITS, 12.0)
    for _ in range(MAX_TRANSITS):
        transits.learn("east", "west", 30.0)
    transit = transits.fitted("east", "west")
    assert transit is not None
    assert transit.median_s == pytest.approx(30.0)
    assert len(transits.times["east", "west"]) == MAX_TRANSITS


def test_a_usual_time_speaks_for_one_person_and_stated_bounds_still_rule_out() -> None:
    topology = Topology({("east", "west"): TransitBounds(5.0, 60.0)}, learned=learned())
    usual, slow = (topology.transit_llr("east", "west", gap_s) for gap_s in (12.0, 55.0))
    assert usual > 1.0 > slow
    assert not topology.can_transit("east", "west", 2.0)


def test_the_density_of_a_transit_time_integrates_to_one() -> None:
    transit = learned().fitted("east", "west")
    assert transit is not None
    times = np.linspace(0.3, 200.0, 20_000)
    assert np.trapezoid([exp(transit.log_density(at)) for at in times], times) == pytest.approx(1.0, abs=0.01)


def test_the_matcher_learns_transits_that_re_clustering_can_no_longer_change() -> None:
    topology = Topology()
    stage = make_match(topology=topology, recluster_every_s=10.0, recluster_window_s=20.0)
    for visit in range(MIN_TRANSITS):
        at = 100.0 * visit
        stage.process([see("east", 2 * visit + 1, start=at, stop=at + 2, is_last=True)])
        stage.process([see("west", 2 * visit + 1, start=at + 9, stop=at + 11, is_last=True)])
    transit = topology.learned.fitted("east", "west")
    assert transit is None
    stage.process([see("east", 99, start=2000.0, stop=2002.0)])
    transit = topology.learned.fitted("east", "west")
    assert transit is not None
    assert transit.median_s == pytest.approx(7.0)


def test_transit_times_are_written_as_json_and_as_a_picture() -> None:
    people = [[(10.0 * i, 10.0 * i + 2, "a<b"), (10.0 * i + 6, 10.0 * i + 8, "west")] for i in range(MIN_TRANSITS)]
    transits = learn(people).all_fitted()
    assert json.loads(to_json(transits))["walks"][0]["median_s"] == pytest.approx(4.0)
    assert ElementTree.fromstring(to_svg(transits)).tag.endswith("svg")
    assert ElementTree.fromstring(to_svg({})).tag.endswith("svg")


def test_a_stated_time_counts_until_the_transit_time_is_learned() -> None:
    stated = {("east", "west"): TransitBounds(5.0, 60.0, typical_s=40.0)}
    stated_only, with_learned = Topology(stated), Topology(stated, learned=learned())
    at_12_s, at_40_s = (stated_only.transit_llr("west", "east", gap_s) for gap_s in (12.0, 40.0))
    assert at_40_s > at_12_s
    assert with_learned.transit_llr("east", "west", 12.0) > with_learned.transit_llr("east", "west", 40.0)


def test_memory_for_transit_times_is_bounded_however_many_cameras_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.association.geometry.transit_times.MAX_PAIRS", 5)
    transits = learned(MIN_TRANSITS)
    for number in range(20):
        assert transits.fitted("gate", f"camera{number}") is None
        transits.learn("gate", f"camera{number}", 3.0)
        transits.fitted("gate", f"camera{number}")
    assert transits.fitted("east", "west") is None
    assert len(transits.times) == 5
    assert transits.cache.keys() <= transits.times.keys()


def test_bounds_without_an_upper_end_leave_the_usual_time_open() -> None:
    stated = Topology({("east", "west"): TransitBounds(5.0, inf)})
    assert stated.transit_llr("east", "west", 20.0) == Topology().transit_llr("east", "west", 20.0)
    assert not stated.can_transit("east", "west", 4.0)
    assert stated.can_transit("east", "west", 1e6)
