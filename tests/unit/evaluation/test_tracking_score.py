from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.boxes import iou_matrix
from pipeline.core.errors import DataError
from pipeline.evaluation.track_table import TrackTable
from pipeline.evaluation.tracking import TrackingScore, score_tracks


def make_table(*rows: tuple[int, int, float]) -> TrackTable:
    """Rows of frame, id and left edge of a box of 10 times 20 pixels."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    left = table[:, 2]
    boxes = np.stack([left, 0 * left, left + 10, 0 * left + 20], axis=1)
    return TrackTable(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), boxes.astype(np.float32))


def make_walk(identity: int, frames: range, left: float = 0.0) -> list[tuple[int, int, float]]:
    return [(frame, identity, left) for frame in frames]


TRUTH = {
    "east": make_table(*make_walk(1, range(10)), *make_walk(2, range(10), left=50)),
    "west": make_table(*make_walk(1, range(20, 30)), *make_walk(2, range(20, 30), left=50)),
}


def relabelled(tables: dict[str, TrackTable], numbers: dict[int, int]) -> dict[str, TrackTable]:
    return {
        camera_id: TrackTable(
            table.frames,
            np.array([numbers[i] for i in table.ids.tolist()], np.int64),
            table.boxes_xyxy,
        )
        for camera_id, table in tables.items()
    }


def test_the_truth_itself_scores_one() -> None:
    assert score_tracks(TRUTH, TRUTH) == TrackingScore(
        idf1=1.0,
        idp=1.0,
        idr=1.0,
        hota=1.0,
        assa=1.0,
        deta=1.0,
        mota=1.0,
        idsw=0,
        num_ids=2,
        num_true_ids=2,
        num_found_ids=2,
        wrong_merges=0,
        splits=0,
        link_precision=1.0,
        link_recall=1.0,
    )


def test_ids_swapped_in_the_second_camera_cost_half_of_the_identity_score() -> None:
    swapped = TRUTH | relabelled({"west": TRUTH["west"]}, {1: 2, 2: 1})
    score = score_tracks(TRUTH, swapped)
    assert score.idf1 == pytest.approx(0.5)
    assert score.deta == pytest.approx(1.0)
    # Every true positive: 10 of the 30 boxes of its person and its number are common to both.
    assert score.assa == pytest.approx(1 / 3)
    assert score.idsw == 2
    assert (score.link_precision, score.link_recall) == (0.0, 0.0)


def test_new_identities_in_the_second_camera_make_no_link() -> None:
    unlinked = TRUTH | relabelled({"west": TRUTH["west"]}, {1: 3, 2: 4})
    score = score_tracks(TRUTH, unlinked)
    # 20 of 40 boxes keep their identity.
    assert score.idf1 == pytest.approx(0.5)
    assert score.num_ids == 4
    assert (score.link_precision, score.link_recall) == (None, 0.0)


def test_one_identity_for_all_people_finds_every_link_and_as_many_wrong_ones() -> None:
    one_by_one = {
        "east": make_table(*make_walk(1, range(10)), *make_walk(2, range(10, 20))),
        "west": make_table(*make_walk(1, range(20, 30)), *make_walk(2, range(30, 40))),
    }
    score = score_tracks(one_by_one, relabelled(one_by_one, {1: 1, 2: 1}))
    assert (score.link_precision, score.link_recall) == (0.5, 1.0)
    assert score.num_ids == 1


def test_people_with_one_identity_are_merged_and_a_person_with_two_is_split() -> None:
    in_turn = {"east": make_table(*make_walk(1, range(10)), *make_walk(2, range(10, 20)))}
    merged = score_tracks(in_turn, relabelled(in_turn, {1: 1, 2: 1}))
    assert (merged.wrong_merges, merged.splits) == (1, 0)
    split = score_tracks(TRUTH, TRUTH | relabelled({"west": TRUTH["west"]}, {1: 3, 2: 2}))
    assert (split.num_found_ids, split.wrong_merges, split.splits) == (2, 0, 1)


def test_a_missing_camera_lowers_recall_but_not_precision() -> None:
    score = score_tracks(TRUTH, {"east": TRUTH["east"]})
    assert score.idp == 1.0
    assert score.idr == 0.5
    assert score.idf1 == pytest.approx(2 / 3)
    assert (score.link_precision, score.link_recall) == (None, None)


def test_a_split_track_keeps_its_longer_half() -> None:
    truth = {"east": make_table(*make_walk(1, range(10)))}
    split = {"east": make_table(*make_walk(1, range(7)), *make_walk(2, range(7, 10)))}
    score = score_tracks(truth, split)
    assert score.idf1 == pytest.approx(0.7)
    assert score.idsw == 1
    assert score.mota == pytest.approx(0.9)


def test_short_segments_make_no_link() -> None:
    blip = {
        "east": make_table(*make_walk(1, range(10)), *make_walk(2, range(10), left=50)),
        "west": make_table(*make_walk(1, range(20, 28)), *make_walk(2, range(28, 30))),
    }
    truth = TRUTH | {"west": make_table(*make_walk(1, range(20, 30)))}
    assert score_tracks(truth, blip).link_precision == 1.0
    assert score_tracks(truth, blip, min_segment_boxes=1).link_precision == 0.5


def test_a_false_box_costs_precision() -> None:
    truth = {"east": make_table(*make_walk(1, range(10)))}
    score = score_tracks(truth, {"east": make_table(*make_walk(1, range(10)), *make_walk(2, range(10), left=80))})
    assert score.idp == 0.5
    assert score.idr == 1.0
    assert score.mota == 0.0


def test_an_identity_twice_in_a_frame_is_that_person_and_an_unknown_one() -> None:
    truth = {"east": make_table(*make_walk(1, range(10)))}
    score = score_tracks(truth, {"east": make_table(*make_walk(1, range(10)), (3, 1, 80))})
    assert score.idp == pytest.approx(10 / 11)
    assert score.num_ids == 1


def test_one_identity_for_two_people_at_once_is_one_of_them_and_many_unknown_ones() -> None:
    # Person 1 in ten frames, and one of the ten unknown people at the box of person 2.
    score = score_tracks({"east": TRUTH["east"]}, relabelled({"east": TRUTH["east"]}, {1: 1, 2: 1}))
    assert score.idr == pytest.approx(11 / 20)


@pytest.mark.parametrize("truth", [{}, {"east": TrackTable.empty()}], ids=["no camera", "no people"])
def test_nothing_to_score_scores_zero(truth: dict[str, TrackTable]) -> None:
    score = score_tracks(truth, {})
    assert (score.idf1, score.hota, score.num_ids, score.num_true_ids) == (0.0, 0.0, 0, 0)


def test_a_result_without_truth_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected cameras among \['east'\], got \['west'\]"):
        score_tracks({"east": TRUTH["east"]}, TRUTH)


def test_a_person_twice_in_a_true_frame_is_refused() -> None:
    with pytest.raises(DataError, match="truth of east, frame 3: expected each person once"):
        score_tracks({"east": make_table((3, 1, 0), (3, 1, 80))}, {})


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    score_tracks(TRUTH, TRUTH)
    assert capsys.readouterr() == ("", "")


@st.composite
def tables(draw: st.DrawFn) -> dict[str, TrackTable]:
    """Up to three people at four places in two cameras of three frames, each once a frame."""
    drawn = {}
    for camera_id in ("east", "west"):
        rows = draw(
            st.lists(
                st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 2.0, 6.0, 40.0])),
                unique_by=lambda row: row[:2],
                max_size=8,
            )
        )
        drawn[camera_id] = make_table(*rows)
    return drawn


def closed_form_idf1(truth: dict[str, TrackTable], result: dict[str, TrackTable]) -> float:
    """2 IDTP / (boxes + true boxes), IDTP by trying every one-to-one assignment of three people."""
    common = np.zeros((3, 3))
    for camera_id, true_table in truth.items():
        table = result[camera_id]
        iou = iou_matrix(true_table.boxes_xyxy, table.boxes_xyxy)
        same_frame = true_table.frames[:, None] == table.frames[None, :]
        for row, column in zip(*np.nonzero((iou >= 0.5) & same_frame), strict=True):
            common[true_table.ids[row], table.ids[column]] += 1
    num_boxes = sum(len(table) for table in (*truth.values(), *result.values()))
    best = max(sum(common[i, j] for i, j in enumerate(naming)) for naming in permutations(range(3)))
    return 2 * best / num_boxes if num_boxes else 0.0


@given(tables(), tables())
def test_idf1_matches_its_definition(truth: dict[str, TrackTable], result: dict[str, TrackTable]) -> None:
    assert score_tracks(truth, result).idf1 == pytest.approx(closed_form_idf1(truth, result))


@given(tables(), tables(), st.permutations([0, 1, 2]))
def test_renaming_identities_changes_no_score(
    truth: dict[str, TrackTable], result: dict[str, TrackTable], order: list[int]
) -> None:
    names = {i: 100 + 7 * order[i] for i in range(3)}
    score, renamed = score_tracks(truth, result), score_tracks(truth, relabelled(result, names))
    assert renamed.idf1 == pytest.approx(score.idf1)
    assert renamed.num_ids == score.num_ids


@given(tables(), tables())
def test_every_ratio_lies_between_zero_and_one(truth: dict[str, TrackTable], result: dict[str, TrackTable]) -> None:
    score = score_tracks(truth, result, min_segment_boxes=1)
    ratios = [score.idf1, score.idp, score.idr, score.hota, score.assa, score.deta]
    links = [ratio for ratio in (score.link_precision, score.link_recall) if ratio is not None]
    assert all(-1e-9 <= ratio <= 1 + 1e-9 for ratio in ratios + links)
    assert score.mota <= 1


@given(tables())
def test_a_result_that_is_the_truth_scores_one_wherever_boxes_do_not_overlap(
    truth: dict[str, TrackTable],
) -> None:
    apart = {
        camera_id: TrackTable(
            table.frames,
            table.ids,
            table.boxes_xyxy + 100 * table.ids[:, None].astype(np.float32) * np.float32([1, 0, 1, 0]),
        )
        for camera_id, table in truth.items()
    }
    score = score_tracks(apart, apart)
    expected = float(any(len(table) for table in truth.values()))
    assert (score.idf1, score.hota) == (pytest.approx(expected), pytest.approx(expected))
