"""What labels prove about the distances of different people, whatever the distribution."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.calibration.label_bound import MAX_LABELLED_PAIRS, MAX_LABELS, Distances, Labels
from pipeline.core.serialisation import deserialise, serialise


def draw(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return distances of different people, a few of whom are similar: far from a normal distribution."""
    alike = rng.random(count) < 0.04
    return np.clip(np.where(alike, rng.normal(0.35, 0.1, count), rng.normal(0.85, 0.12, count)), 0, 2)


def sample(distances: np.ndarray) -> Distances:
    found = Distances()
    for distance in distances.tolist():
        found.add(distance)
    return found


def test_over_twenty_seeds_the_bound_holds_within_its_confidence() -> None:
    broken = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        bound = sample(draw(rng, 400)).max_rate_below(0.55)
        broken += float((draw(rng, 200_000) < 0.55).mean()) > bound
    # Of twenty bounds at 95 % confidence each, three or more fail one time in fourteen; not with these seeds.
    assert broken <= 2


def test_with_more_labels_the_bound_comes_nearer_to_the_true_share() -> None:
    few, many = (
        np.mean([sample(draw(np.random.default_rng(seed), count)).max_rate_below(0.55) for seed in range(20)])
        for count in (50, 10_000)
    )
    assert few > many > 0.04


def test_without_labels_nothing_is_bounded() -> None:
    assert Distances().max_rate_below(0.5) == 1.0


@given(st.lists(st.floats(0.0, 2.0), max_size=300), st.floats(0.0, 1.9))
def test_no_smaller_share_than_that_of_the_labels_is_ever_claimed(distances: list[float], distance: float) -> None:
    share = np.mean(np.array(distances) < distance) if distances else 0.0
    assert share <= sample(np.array(distances)).max_rate_below(distance) <= 1


def test_two_tracks_give_one_label_however_long_they_are_seen_together() -> None:
    labels = Labels()
    assert labels.add(("east/0/1", "east/0/2"), 0.8)
    assert not labels.add(("east/0/1", "east/0/2"), 0.7)
    assert labels.distances.total == 1


def test_memory_is_bounded_and_old_labels_count_for_less() -> None:
    labels = Labels()
    for number in range(MAX_LABELS + MAX_LABELLED_PAIRS):
        labels.add((str(number), "x"), 0.5 if number < MAX_LABELS else 0.9)
    assert labels.distances.total <= MAX_LABELS
    assert len(labels.labelled_pairs) == MAX_LABELLED_PAIRS
    assert labels.distances.counts[50] * 2 <= MAX_LABELS


def test_labels_survive_serialisation() -> None:
    labels = Labels()
    for number in range(310):
        labels.add((str(number), "x"), 0.8)
    assert deserialise(serialise(labels), Labels) == labels
