"""Walking times that are learned on site."""

import json
from math import exp
from xml.etree import ElementTree

import numpy as np
import pytest
from people import make_match, see

from pipeline.association.geometry.topology import Topology, TransitBounds
from pipeline.association.geometry.transit_times import MAX_TRANSITS, MIN_TRANSITS, TransitTimes
from pipeline.evaluation.transit_times import learn, to_json, to_svg


def walked(count: int = 100, median_s: float = 12.0, seed: int = 0) -> TransitTimes:
    walks, rng = TransitTimes(), np.random.default_rng(seed)
    for gap_s in (median_s * np.exp(0.3 * rng.standard_normal(count))).tolist():
        walks.learn("east", "west", gap_s)
    return walks


def test_the_middle_and_the_spread_of_walking_times_are_learned() -> None:
    walk = walked().walk("east", "west")
    assert walk is not None
    assert walk.median_s == pytest.approx(12.0, rel=0.15)
    assert walk.spread == pytest.approx(0.3, rel=0.4)


def test_a_wrong_link_among_ten_moves_little() -> None:
    walks = walked(90)
    for _ in range(10):
        walks.learn("east", "west", 600.0)
    walk = walks.walk("east", "west")
    assert walk is not None
    assert walk.median_s == pytest.approx(13.0, rel=0.25)


def test_few_walks_say_nothing_and_the_way_back_is_another_way() -> None:
    assert walked(MIN_TRANSITS - 1).walk("east", "west") is None
    assert walked(MIN_TRANSITS).walk("east", "west") is not None
    assert walked().walk("west", "east") is None


def test_the_old_fades_and_memory_is_bounded() -> None:
    walks = walked(MAX_TRANSITS, 12.0)
    for _ in range(MAX_TRANSITS):
        walks.learn("east", "west", 30.0)
    walk = walks.walk("east", "west")
    assert walk is not None
    assert walk.median_s == pytest.approx(30.0)
    assert len(walks.times["east", "west"]) == MAX_TRANSITS


def test_a_usual_time_speaks_for_one_person_and_what_was_stated_still_forbids() -> None:
    topology = Topology({("east", "west"): TransitBounds(5.0, 60.0)}, learned=walked())
    usual, slow = (topology.transit_llr("east", "west", gap_s) for gap_s in (12.0, 55.0))
    assert usual > 1.0 > slow
    assert not topology.can_transit("east", "west", 2.0)


def test_a_density_is_one_in_all() -> None:
    walk = walked().walk("east", "west")
    assert walk is not None
    times = np.linspace(0.3, 200.0, 20_000)
    assert np.trapezoid([exp(walk.log_density(at)) for at in times], times) == pytest.approx(1.0, abs=0.01)


def test_the_stage_learns_from_links_that_no_look_back_can_undo() -> None:
    topology = Topology()
    stage = make_match(topology=topology, recluster_every_s=10.0, recluster_window_s=20.0)
    for visit in range(MIN_TRANSITS):
        at = 100.0 * visit
        stage.process([see("east", 2 * visit + 1, start=at, stop=at + 2, is_last=True)])
        stage.process([see("west", 2 * visit + 1, start=at + 9, stop=at + 11, is_last=True)])
    walk = topology.learned.walk("east", "west")
    assert walk is None
    stage.process([see("east", 99, start=2000.0, stop=2002.0)])
    walk = topology.learned.walk("east", "west")
    assert walk is not None
    assert walk.median_s == pytest.approx(7.0)


def test_walks_are_written_as_json_and_as_a_picture() -> None:
    people = [[(10.0 * i, 10.0 * i + 2, "a<b"), (10.0 * i + 6, 10.0 * i + 8, "west")] for i in range(MIN_TRANSITS)]
    walks = learn(people).walks()
    assert json.loads(to_json(walks))["walks"][0]["median_s"] == pytest.approx(4.0)
    assert ElementTree.fromstring(to_svg(walks)).tag.endswith("svg")
    assert ElementTree.fromstring(to_svg({})).tag.endswith("svg")


def test_a_stated_time_is_believed_until_it_was_learned() -> None:
    stated = {("east", "west"): TransitBounds(5.0, 60.0, typical_s=40.0)}
    place, taught = Topology(stated), Topology(stated, learned=walked())
    at_12_s, at_40_s = (place.transit_llr("west", "east", gap_s) for gap_s in (12.0, 40.0))
    assert at_40_s > at_12_s
    assert taught.transit_llr("east", "west", 12.0) > taught.transit_llr("east", "west", 40.0)


def test_what_is_kept_of_ways_is_bounded_however_many_cameras_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.association.geometry.transit_times.MAX_PAIRS", 5)
    walks = walked(MIN_TRANSITS)
    for number in range(20):
        assert walks.walk("gate", f"camera{number}") is None
        walks.learn("gate", f"camera{number}", 3.0)
        walks.walk("gate", f"camera{number}")
    assert walks.walk("east", "west") is None
    assert len(walks.times) == 5
    assert walks.known.keys() <= walks.times.keys()
