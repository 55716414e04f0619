import numpy as np
import pytest

from pipeline.evaluation.decisions import MAX_GAP_FRAMES, Decisions, Share, decisions
from pipeline.evaluation.track_table import TrackTable


def table(*walks: tuple[int, range]) -> TrackTable:
    """Return boxes for pairs of identity and frames; the last digit of the identity sets the position."""
    rows = [(frame, number, 100.0 * (number % 10)) for number, frames in walks for frame in frames]
    frames, ids, left = (np.array(column) for column in zip(*rows, strict=True))
    boxes = np.stack([left, 0 * left, left + 50, 0 * left + 90], axis=1).astype(np.float32)
    return TrackTable(frames.astype(np.int64), ids.astype(np.int64), boxes)


TRUTH = {"east": table((1, range(20)), (2, range(20))), "west": table((1, range(30, 50)), (2, range(35, 50)))}


def test_the_ground_truth_has_no_errors() -> None:
    assert decisions(TRUTH, TRUTH) == Decisions(Share(0, 2), Share(0, 2))


def test_an_identity_that_had_been_another_person_is_a_false_match() -> None:
    result = {"east": TRUTH["east"], "west": table((2, range(35, 50)))}
    result["west"] = TrackTable(result["west"].frames, np.ones(15, np.int64), result["west"].boxes_xyxy)
    assert decisions(TRUTH, result) == Decisions(Share(1, 1), Share(0, 1))


def test_a_known_person_with_a_new_identity_is_a_false_new() -> None:
    result = {"east": TRUTH["east"], "west": table((11, range(30, 50)), (2, range(35, 50)))}
    assert decisions(TRUTH, result) == Decisions(Share(0, 1), Share(1, 2))


def test_a_person_who_returns_to_a_camera_is_a_new_decision() -> None:
    back = range(20 + MAX_GAP_FRAMES, 60 + MAX_GAP_FRAMES)
    truth = {"east": table((1, range(20)), (1, back))}
    assert decisions(truth, {"east": table((1, range(20)), (11, back))}) == Decisions(Share(0, 0), Share(1, 1))


def test_short_segments_are_left_out() -> None:
    assert decisions(TRUTH, {"east": table((1, range(3))), "west": TRUTH["west"]}) == Decisions(
        Share(0, 0), Share(0, 0)
    )


def test_the_confidence_interval_contains_the_rate() -> None:
    low, high = Share(30, 1000).interval
    assert low < 0.03 < high
    assert Share(0, 10).interval == (0.0, pytest.approx(0.3085, abs=1e-4))
    assert Share(0, 0).rate is None
