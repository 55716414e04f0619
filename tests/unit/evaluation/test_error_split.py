"""What the missing part of an IDF1 is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.error_split import ErrorSplit
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import score_tracks


def table(*rows: tuple[int, int, float]) -> dict[str, TrackTable]:
    """Return one camera's table of (frame, identity, left side); boxes are 10 wide and 20 high."""
    frames, ids = (np.array([row[side] for row in rows], np.int64) for side in (0, 1))
    boxes = np.array([(left, 0, left + 10, 20) for _, _, left in rows], np.float32).reshape(-1, 4)
    return {"east": TrackTable(frames, ids, boxes)}


TRUTH = table(*((frame, 1, 0.0) for frame in range(4)), *((frame, 2, 100.0) for frame in range(4)))


@pytest.mark.parametrize(
    ("result", "cause"),
    [
        ([(f, 7, 0.0) for f in range(4)], "missed"),
        ([(f, 7, 0.0) for f in range(4)] + [(f, 8, 100.0) for f in range(4)] + [(0, 9, 300.0)], "false_boxes"),
        ([(f, 7, 0.0) for f in range(4)] + [(f, 8, 100.0) for f in range(3)] + [(3, 8, 104.5)], "loose"),
        ([(f, 7, 0.0) for f in range(4)] + [(f, 7 if f == 3 else 8, 100.0) for f in range(4)], "split"),
        ([(f, 7 if f < 3 else 9, 0.0) for f in range(4)] + [(f, 8, 100.0) for f in range(4)], "split"),
    ],
    ids=["a person was not found", "nobody there", "a box beside the person", "another's identity", "a new identity"],
)
def test_each_cause_is_named(result, cause: str) -> None:
    split = ErrorSplit.of(TRUTH, table(*result))
    assert getattr(split, cause) > 0
    others = {"missed", "false_boxes", "loose"} - {cause}
    assert all(getattr(split, other) == 0 for other in others)


def test_one_identity_for_two_people_is_a_merge() -> None:
    """The identity stands for person 1, and nothing stands for person 3: both sides of each box are merges."""
    later = {"east": TRUTH["east"], "west": table(*((f, 3, 0.0) for f in range(3)))["east"]}
    found = {"east": table(*((f, 7, 0.0) for f in range(4)), *((f, 8, 100.0) for f in range(4)))["east"]}
    assert ErrorSplit.of(
        later, found | {"west": table(*((f, 7, 0.0) for f in range(3)))["east"]}
    ).merge == pytest.approx(6 / 22)


ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from([0.0, 3.0, 4.5, 100.0])),
    max_size=14,
    unique_by=lambda row: row[:2],
)


@given(ROWS, ROWS)
def test_the_shares_sum_to_one_and_the_right_one_is_idf1(true_rows, rows) -> None:
    truth, result = table(*true_rows), table(*rows)
    split = ErrorSplit.of(truth, result)
    shares = [split.right, split.missed, split.false_boxes, split.loose, split.merge, split.split]
    assert all(0 <= share <= 1 for share in shares)
    if true_rows or rows:
        assert sum(shares) == pytest.approx(1)
        assert split.right == pytest.approx(score_tracks(truth, result).idf1)
