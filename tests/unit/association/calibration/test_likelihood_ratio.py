import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.calibration.likelihood_ratio import (
    PRIOR_WEIGHT,
    Calibration,
    DistanceModel,
    probability,
    reliability_of,
)

START = DistanceModel(same_mean=0.35, same_std=0.1, different_mean=0.8, different_std=0.15)
DISTANCES = st.floats(0.0, 2.0)
RATES = st.floats(1e-6, 0.5)


def make_calibration(*learned: float, caution: float = 1.0, max_llr: float = 6.0) -> Calibration:
    calibration = Calibration(START, caution=caution, max_llr=max_llr)
    for distance in learned:
        calibration.learn_different(distance)
    return calibration


@given(DISTANCES, DISTANCES, st.lists(DISTANCES, max_size=200))
def test_a_smaller_distance_never_has_a_lower_llr_whatever_was_learned(
    one: float, two: float, learned: list[float]
) -> None:
    calibration = make_calibration(*learned)
    assert calibration.llr(min(one, two)) >= calibration.llr(max(one, two))


@given(DISTANCES, st.floats(0.1, 8.0), st.lists(DISTANCES, max_size=50))
def test_the_llr_of_appearance_stays_within_its_limit(distance: float, most: float, learned: list[float]) -> None:
    assert abs(make_calibration(*learned, max_llr=most).llr(distance)) <= most


@given(RATES, RATES, st.lists(DISTANCES, max_size=200))
def test_a_lower_false_match_rate_needs_a_higher_llr(one: float, two: float, learned: list[float]) -> None:
    calibration = make_calibration(*learned)
    assert calibration.threshold(min(one, two)) >= calibration.threshold(max(one, two)) >= 0.0


@given(RATES, st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 100))
def test_more_people_need_a_higher_llr_and_more_sightings_of_them_a_lower(
    rate: float, num_people: int, num_others: int, more: int
) -> None:
    calibration, num_segments = make_calibration(), num_people + num_others
    needed = calibration.needed_among(rate, num_people, num_segments)
    assert 0.0 <= needed <= calibration.threshold(rate)
    assert calibration.needed_among(rate, num_people + more, num_segments + more) >= needed
    assert calibration.needed_among(rate, num_people, num_segments + more) <= needed


def test_a_link_is_made_when_it_is_likelier_than_somebody_new() -> None:
    # Of 10 segments, 5 show somebody new, and one in ten each of the five people.
    needed = make_calibration().needed_among(0.01, 5, 10)
    assert needed == pytest.approx(math.log((5 / 10) / (5 / 10 / 5)))


def test_half_way_between_the_means_the_llr_is_zero() -> None:
    assert make_calibration().llr((0.35 + 0.8) / 2) == pytest.approx(0.0)


def test_many_distances_have_the_llrs_of_each_of_them() -> None:
    calibration = make_calibration()
    distances = np.array([0.0, 0.4, 0.5, 0.9, 2.0])
    assert calibration.llrs(distances).tolist() == [calibration.llr(d) for d in distances]


def test_caution_scales_every_llr_down() -> None:
    assert make_calibration(caution=0.5).llr(0.5) == pytest.approx(make_calibration().llr(0.5) / 2)


def test_without_labels_the_model_is_the_start_model() -> None:
    model = make_calibration().model
    assert (model.different_mean, model.different_std) == pytest.approx((0.8, 0.15))


def test_after_prior_weight_labels_site_and_start_count_the_same() -> None:
    model = make_calibration(*[0.6] * int(PRIOR_WEIGHT)).model
    assert model.different_mean == pytest.approx(0.7)
    assert (model.same_mean, model.same_std) == (0.35, 0.1)


def make_calibration_of_one_person(*distances: float) -> Calibration:
    calibration = make_calibration()
    for distance in distances:
        calibration.learn_same(distance)
    return calibration


def test_distances_within_one_person_raise_the_mean_of_one_person() -> None:
    model = make_calibration_of_one_person(*[0.55] * int(PRIOR_WEIGHT)).model
    assert model.same_mean == pytest.approx(0.45)
    assert (model.same_std, model.different_mean) == (0.1, pytest.approx(0.8))


def test_distances_within_one_person_never_lower_the_mean_of_one_person() -> None:
    assert make_calibration_of_one_person(*[0.1] * 1000).model.same_mean == 0.35


def test_where_one_person_looks_different_a_distance_speaks_more_for_one_person() -> None:
    assert make_calibration_of_one_person(*[0.5] * 100).llr(0.6) > make_calibration().llr(0.6)


def test_a_distance_learned_after_a_first_question_counts() -> None:
    calibration = make_calibration()
    before = calibration.llr(0.6)
    calibration.learn_same(0.9)
    assert calibration.llr(0.6) > before
    between = calibration.llr(0.6)
    calibration.learn_different(0.4)
    assert calibration.llr(0.6) != between


def test_what_was_learned_of_one_person_survives_a_snapshot() -> None:
    learned, other = make_calibration_of_one_person(*[0.6] * 20), make_calibration()
    other.restore(learned.snapshot())
    assert other.model == learned.model
    assert other.model.same_mean > 0.35


@given(st.lists(DISTANCES, max_size=50), st.lists(DISTANCES, max_size=50))
def test_one_person_is_always_closer_than_two_on_average_whatever_was_learned(same, different) -> None:
    calibration = make_calibration(*different)
    for distance in same:
        calibration.learn_same(distance)
    model = calibration.model
    assert model.different_mean >= model.same_mean + model.same_std


def test_enough_labels_outweigh_the_start_values() -> None:
    random = np.random.default_rng(0)
    model = make_calibration(*random.normal(0.65, 0.08, 20_000).tolist()).model
    assert model.different_mean == pytest.approx(0.65, abs=0.01)
    assert model.different_std == pytest.approx(0.08, abs=0.01)


def linking_distance(calibration: Calibration) -> float:
    """Return the largest distance at which appearance alone makes a link."""
    needed = calibration.threshold(0.01)
    return max(d for d in np.linspace(0, 1, 1001) if calibration.llr(d) >= needed)


def test_where_strangers_are_similar_a_link_needs_a_smaller_distance() -> None:
    alike = make_calibration(*np.random.default_rng(0).normal(0.65, 0.15, 500).tolist())
    assert linking_distance(alike) < linking_distance(make_calibration()) - 0.05


def test_the_mean_distance_of_two_people_stays_above_that_of_one_person() -> None:
    model = make_calibration(*[0.0] * 10_000).model
    assert model.different_mean >= model.same_mean + model.same_std
    assert model.different_std > 0


@given(st.floats(-1000, 1000))
def test_an_llr_becomes_a_probability(llr: float) -> None:
    assert 0.0 <= probability(llr) <= 1.0
    assert probability(llr) + probability(-llr) == pytest.approx(1.0)
    if abs(llr) < 50:
        assert math.isclose(probability(llr), 1 / (1 + math.exp(-llr)))


def test_poor_pictures_have_an_llr_closer_to_zero() -> None:
    calibration = make_calibration()
    assert 0 < calibration.llr(0.2, 0.4) < calibration.llr(0.2, 1.0)
    assert calibration.llr(0.7, 1.0) < calibration.llr(0.7, 0.4)
    assert reliability_of(0.05) < reliability_of(0.4) < reliability_of(0.8) == reliability_of(1.0) == 1.0


@given(st.lists(DISTANCES, max_size=400), DISTANCES, DISTANCES)
def test_no_label_moves_the_acceptance_by_more_than_one_label_can_mean(
    learned: list[float], label: float, distance: float
) -> None:
    """There is no number of labels at which the matcher changes its mind: the means move by one label's share."""
    calibration = make_calibration(*learned)
    for number, one in enumerate(learned):
        calibration.add_label((str(number), "x"), one)
    before = calibration.model
    calibration.learn_different(label)
    calibration.add_label(("y", "x"), label)
    after = calibration.model
    share = 1 / (PRIOR_WEIGHT + len(learned) + 1)
    assert abs(after.different_mean - before.different_mean) <= 2 * share + 1e-9
    assert abs(after.different_std**2 - before.different_std**2) <= 8 * share + 1e-9
    assert after.same_mean == before.same_mean


def test_labels_are_reported_and_move_no_decision() -> None:
    calibration = make_calibration()
    for number in range(1000):
        before = calibration.llr(0.5)
        calibration.add_label((str(number), "x"), 0.9)
        assert calibration.llr(0.5) == before
    assert calibration.status.num_labels == 1000
    assert calibration.status.max_confusable < 0.005
