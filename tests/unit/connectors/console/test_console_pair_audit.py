"""Precision and recall from a sample of labelled pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.console.review.pair_audit import Stratum, pairs, precision_and_recall, sample
from pipeline.core import TrackId

ANSWERS = st.lists(st.booleans(), max_size=30)


def tracks(*persons: int) -> dict[TrackId, int]:
    return {TrackId("east", 0, number): person for number, person in enumerate(persons)}


def test_the_decision_of_the_pipeline_sets_the_stratum_of_a_pair() -> None:
    found = pairs(tracks(1, 1, 2, 3), {frozenset((1, 2))})
    assert [pair.stratum for pair in found].count(Stratum.SAME) == 1
    assert [pair.stratum for pair in found].count(Stratum.UNCERTAIN) == 2
    assert [pair.stratum for pair in found].count(Stratum.OTHER) == 3


def test_the_sample_is_the_same_each_time_and_half_of_it_is_one_person() -> None:
    population = pairs(tracks(*(number // 3 for number in range(60))), set())
    chosen = sample(population, 40)
    assert chosen == sample(population, 40)
    assert sum(pair.stratum is Stratum.SAME for pair in chosen) == 20


@given(same=ANSWERS, uncertain=ANSWERS, other=ANSWERS)
def test_an_estimate_is_a_share_inside_its_interval(same: list[bool], uncertain: list[bool], other: list[bool]) -> None:
    sizes = {Stratum.SAME: 50, Stratum.UNCERTAIN: 20, Stratum.OTHER: 400}
    labels = {Stratum.SAME: same, Stratum.UNCERTAIN: uncertain, Stratum.OTHER: other}
    precision, recall = precision_and_recall(sizes, labels)
    assert (precision is None) == (not same)
    for estimate in filter(None, (precision, recall)):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_recall_weighs_missed_pairs_by_the_size_of_their_stratum() -> None:
    sizes = {Stratum.SAME: 100, Stratum.UNCERTAIN: 100, Stratum.OTHER: 0}
    labels = {Stratum.SAME: [True] * 40, Stratum.UNCERTAIN: [True] * 10 + [False] * 30}
    precision, recall = precision_and_recall(sizes, labels)
    assert precision is not None
    assert recall is not None
    assert precision.value == 1.0
    assert recall.value == pytest.approx(100 / 125)
    assert recall.low < 0.8 < recall.high


def test_the_interval_covers_the_truth_at_about_its_nominal_rate() -> None:
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        answers = (random.random(60) < 0.9).tolist()
        precision, _ = precision_and_recall({Stratum.SAME: 1000}, {Stratum.SAME: answers})
        assert precision is not None
        hits += precision.low <= 0.9 <= precision.high
    assert hits >= 0.9 * 200
