"""A projection counts only if labels that it never saw show that it does no harm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.adaptation.separation import MAX_LABELS, MIN_LABELS, Separation

ENOUGH = int(MIN_LABELS)


def separation(same: list[tuple[float, float]], different: list[tuple[float, float]]) -> Separation:
    made = Separation()
    for raw, projected in same:
        made.same.add(raw, projected)
    for raw, projected in different:
        made.different.add(raw, projected)
    return made


def pairs(
    raw: tuple[float, float], projected: tuple[float, float], count: int = 4 * ENOUGH
) -> list[tuple[float, float]]:
    """Return distances that alternate about a mean: mean and deviation, raw and projected."""
    sides = [1 if index % 2 else -1 for index in range(count)]
    return [(raw[0] + side * raw[1], projected[0] + side * projected[1]) for side in sides]


def test_a_projection_that_parts_people_farther_is_better() -> None:
    assert separation(pairs((0.3, 0.1), (0.3, 0.1)), pairs((0.8, 0.1), (1.1, 0.1))).is_better


def test_a_projection_that_brings_people_together_is_not() -> None:
    assert not separation(pairs((0.3, 0.1), (0.3, 0.1)), pairs((0.8, 0.1), (0.6, 0.1))).is_better


def test_distance_does_not_count_that_comes_with_as_much_spread() -> None:
    assert not separation(pairs((0.3, 0.1), (0.3, 0.3)), pairs((0.8, 0.1), (1.1, 0.3))).is_better


@pytest.mark.parametrize("few", [0, ENOUGH - 1])
def test_few_labels_of_either_kind_prove_nothing(few: int) -> None:
    good = pairs((0.3, 0.1), (0.1, 0.1)), pairs((0.8, 0.1), (1.1, 0.1))
    assert not separation(good[0][:few], good[1]).is_better
    assert not separation(good[0], good[1][:few]).is_better
    assert separation(good[0][:ENOUGH], good[1][:ENOUGH]).is_better


@given(st.floats(0, 0.4), st.floats(0.5, 1), st.floats(0, 0.4), st.floats(0.5, 1))
def test_mean_distances_stay_what_they_were(same: float, different: float, same_then: float, then: float) -> None:
    scale = separation(pairs((same, 0.1), (same_then, 0.1)), pairs((different, 0.1), (then, 0.1))).scale
    np.testing.assert_allclose(scale(np.array([same_then, then])), [same, different], atol=1e-9)
    assert scale.slope > 0


def test_a_small_gain_needs_many_labels() -> None:
    same, different = ((0.3, 0.1), (0.3, 0.1)), ((0.8, 0.1), (0.83, 0.1))
    assert not separation(pairs(*same, count=ENOUGH), pairs(*different, count=ENOUGH)).is_better
    assert separation(pairs(*same, count=200), pairs(*different, count=200)).is_better


def test_cameras_that_move_people_apart_count_too() -> None:
    made = separation(pairs((0.1, 0.1), (0.1, 0.1)), pairs((0.5, 0.1), (0.5, 0.1)))
    assert not made.is_better
    for raw, projected in pairs((1.0, 0.1), (0.5, 0.1)):
        made.across.add(raw, projected)
    assert made.is_better


def test_labels_of_long_ago_fade() -> None:
    good, bad = pairs((0.8, 0.1), (1.2, 0.1), int(MAX_LABELS)), pairs((0.8, 0.1), (0.5, 0.1), int(4 * MAX_LABELS))
    made = separation(pairs((0.3, 0.1), (0.3, 0.1)), good)
    assert made.is_better
    for raw, projected in bad:
        made.different.add(raw, projected)
    assert made.different.count <= MAX_LABELS
    assert not made.is_better
