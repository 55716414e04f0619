import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.evaluation.retrieval import JUNK_ID, LabelledVectors, score_distances, score_retrieval


def make_vectors(*rows: tuple[float, int, int]) -> LabelledVectors:
    """Rows of angle in degrees, person and camera."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    angles = np.deg2rad(table[:, 0])
    return LabelledVectors(
        np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        table[:, 1].astype(np.int64),
        table[:, 2].astype(np.int64),
    )


QUERY = make_vectors((0, 1, 0))


def test_a_hand_made_ranking_scores_as_computed_by_hand() -> None:
    # Ranking: right, wrong, right, wrong.
    score = score_retrieval(QUERY, make_vectors((10, 1, 1), (20, 2, 1), (30, 1, 2), (40, 3, 1)), max_rank=3)
    assert score.cmc.tolist() == [1, 1, 1]
    assert score.mean_ap == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert score.mean_inp == pytest.approx(2 / 3)
    assert score.num_queries == 1


def test_the_first_right_answer_decides_the_rank() -> None:
    score = score_retrieval(QUERY, make_vectors((10, 2, 1), (20, 2, 1), (30, 1, 1)), max_rank=4)
    assert score.cmc.tolist() == [0, 0, 1, 1]
    assert score.mean_ap == pytest.approx(1 / 3)


def test_the_same_person_in_the_same_camera_is_left_out() -> None:
    score = score_retrieval(QUERY, make_vectors((1, 1, 0), (10, 2, 0), (20, 1, 1)), max_rank=2)
    assert score.cmc.tolist() == [0, 1]


def test_junk_is_left_out() -> None:
    score = score_retrieval(QUERY, make_vectors((1, JUNK_ID, 1), (20, 1, 1)), max_rank=1)
    assert score.cmc.tolist() == [1]


def test_queries_without_a_right_answer_are_not_counted() -> None:
    score = score_retrieval(make_vectors((0, 1, 0), (0, 9, 0)), make_vectors((20, 1, 1)), max_rank=1)
    assert (score.num_queries, score.mean_ap) == (1, 1.0)


def test_a_constant_network_scores_worst() -> None:
    score = score_retrieval(QUERY, make_vectors((0, 1, 1), (0, 2, 1), (0, 3, 1)), max_rank=3)
    assert score.cmc.tolist() == [0, 0, 1]


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="expected people who are in another camera"):
        score_retrieval(QUERY, make_vectors((0, 1, 0)))


gallery_rows = st.lists(st.tuples(st.integers(0, 180), st.integers(1, 3), st.integers(0, 2)), min_size=1, max_size=12)


@given(gallery_rows, st.randoms(use_true_random=False))
def test_the_order_of_the_gallery_does_not_matter(rows: list[tuple[int, int, int]], random) -> None:
    rows = [*rows, (90, 1, 1)]
    shuffled = random.sample(rows, len(rows))
    score = score_retrieval(QUERY, make_vectors(*rows))
    again = score_retrieval(QUERY, make_vectors(*shuffled))
    assert (score.mean_ap, score.mean_inp) == (pytest.approx(again.mean_ap), pytest.approx(again.mean_inp))
    assert np.all(np.diff(score.cmc) >= 0)
    assert 0 < score.mean_inp <= 1
    assert 0 < score.mean_ap <= 1


def _ranking(relevance: str) -> tuple[np.ndarray, LabelledVectors, LabelledVectors]:
    """Return distances, a query and a gallery whose right answers are the ones of ``relevance``."""
    ids = np.array([7 if sign == "1" else 3 for sign in relevance], np.int64)
    count = len(relevance)
    gallery = LabelledVectors(np.zeros((count, 1), np.float32), ids, np.full(count, 2, np.int64))
    query = LabelledVectors(np.zeros((1, 1), np.float32), np.array([7], np.int64), np.array([1], np.int64))
    return np.arange(count, dtype=np.float32)[None], query, gallery


@pytest.mark.parametrize(
    ("relevance", "step", "trapezoid"),
    [("0101", 0.5, 1 / 3), ("1010", 5 / 6, 0.7917), ("001", 1 / 3, 1 / 6), ("110", 1.0, 1.0)],
)
def test_both_forms_of_average_precision_match_the_benchmarks(relevance: str, step: float, trapezoid: float) -> None:
    distances, query, gallery = _ranking(relevance)
    for precision, expected in (("step", step), ("trapezoid", trapezoid)):
        score = score_distances(distances, query, gallery, precision=precision)
        assert score.mean_ap == pytest.approx(expected, abs=5e-5)


def test_at_equal_distance_the_order_of_the_gallery_counts_by_default() -> None:
    distances, query, gallery = _ranking("10")
    equal = np.zeros_like(distances)
    assert score_distances(equal, query, gallery).cmc[0] == 1
    assert score_distances(equal, query, gallery, ties="wrong_first").cmc[0] == 0


def test_distractors_are_wrong_answers_but_junk_and_the_same_camera_are_ignored() -> None:
    ids = np.array([0, -1, 7, 7], np.int64)
    gallery = LabelledVectors(np.zeros((4, 1), np.float32), ids, np.array([2, 2, 1, 2], np.int64))
    query = LabelledVectors(np.zeros((1, 1), np.float32), np.array([7], np.int64), np.array([1], np.int64))
    score = score_distances(np.array([[0.1, 0.0, 0.2, 0.3]], np.float32), query, gallery)
    assert score.cmc[:2].tolist() == [0.0, 1.0]
    assert score.mean_ap == 0.5
