"""The detection stage and letterboxing: which boxes are kept, and where a frame lies in the detector's input."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from factories import make_detections, make_frame, make_stamp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.detection import PADDING, DetectionStage, letterbox
from pipeline.core import Detections, Frame, LetterboxedFrame
from pipeline.core.errors import PluginError


class FixedDetector:
    """Finds the same boxes in each frame."""

    input_hw = (64, 64)

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self._boxes, self._scores = boxes, scores

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        return [make_detections(self._boxes, self._scores, frame.stamp) for frame in frames]


def grey_frame(hw: tuple[int, int], value: int = 200) -> Frame:
    return Frame(make_stamp("west", 7), np.full((*hw, 3), value, np.uint8))


def kept(box: Sequence[float], score: float) -> bool:
    """Tell whether a stage that asks for a score of 0.25 and a height of 20 pixels keeps this box."""
    stage = DetectionStage(FixedDetector([box], [score]), min_score=0.25, min_height_px=20.0)
    (found,) = stage.process([letterbox(grey_frame((48, 64)), (64, 64))])
    return len(found) == 1


@pytest.mark.parametrize(("score", "is_kept"), [(0.24, False), (0.25, True), (0.9, True)])
def test_a_box_is_kept_from_the_least_score_on(score: float, is_kept: bool) -> None:
    assert kept((5, 30, 15, 60), score) is is_kept


@pytest.mark.parametrize(("height", "is_kept"), [(19.5, False), (20.0, True), (60.0, True)])
def test_a_box_is_kept_from_the_least_height_on_wherever_it_is(height: float, is_kept: bool) -> None:
    assert kept((5, 30, 15, 30 + height), 0.9) is is_kept


def test_a_wide_box_that_is_not_high_enough_is_dropped() -> None:
    assert not kept((0, 30, 60, 40), 0.9)
    assert kept((0, 30, 5, 60), 0.9)


def test_a_box_needs_both_the_score_and_the_height() -> None:
    assert not kept((5, 30, 15, 40), 0.9)
    assert not kept((5, 30, 15, 60), 0.1)


def test_a_wide_frame_is_padded_below_with_the_grey_of_the_training() -> None:
    boxed = letterbox(grey_frame((100, 200)), (64, 64))
    assert (boxed.image[:32] == 200).all()
    assert (boxed.image[32:] == 114).all()
    assert PADDING == 114


def test_a_high_frame_is_padded_on_the_right() -> None:
    boxed = letterbox(grey_frame((200, 100)), (64, 64))
    assert (boxed.image[:, :32] == 200).all()
    assert (boxed.image[:, 32:] == PADDING).all()


def test_a_letterboxed_frame_carries_what_leads_back_to_the_frame() -> None:
    frame = grey_frame((100, 200))
    boxed = letterbox(frame, (64, 64))
    assert (boxed.stamp, boxed.scale, boxed.frame_hw) == (frame.stamp, 0.32, (100, 200))


def test_a_scaled_side_is_rounded_to_the_nearest_pixel() -> None:
    boxed = letterbox(grey_frame((119, 200)), (90, 100))  # 59.5 rows become 60
    assert (boxed.image[:60] == 200).all()
    assert (boxed.image[60:] == PADDING).all()


def test_every_frame_gets_its_record_in_order_and_rows_stay_aligned() -> None:
    stage = DetectionStage(
        FixedDetector([(0, 0, 10, 50), (1, 0, 10, 50), (2, 0, 10, 60)], [0.9, 0.2, 0.4]),
        min_score=0.25,
        min_height_px=20.0,
    )
    found = stage.process([letterbox(make_frame(make_stamp(index=index)), (64, 64)) for index in range(3)])
    assert [one.stamp.index for one in found] == [0, 1, 2]
    for one in found:
        assert one.boxes_xyxy[:, 0].tolist() == [0.0, 2.0]
        np.testing.assert_array_equal(one.scores, np.float32([0.9, 0.4]))
    assert stage.process([]) == stage.flush() == []


@given(st.integers(20, 300), st.integers(20, 300), st.sampled_from([(64, 64), (64, 128), (96, 32)]))
def test_a_letterboxed_frame_fits_and_the_rest_is_grey(height: int, width: int, input_hw: tuple[int, int]) -> None:
    frame = make_frame(hw=(height, width))
    boxed = letterbox(frame, input_hw)
    assert boxed.image.shape == (*input_hw, 3)
    assert (boxed.stamp, boxed.frame_hw) == (frame.stamp, (height, width))
    inner_h, inner_w = round(height * boxed.scale), round(width * boxed.scale)
    assert inner_h == input_hw[0] or inner_w == input_hw[1]
    assert (boxed.image[inner_h:] == PADDING).all()
    assert (boxed.image[:, inner_w:] == PADDING).all()


def test_the_stage_counts_the_calls_of_its_detector() -> None:
    detector = FixedDetector([], [])
    detector.calls = Counter({4: 2})  # type: ignore[attr-defined]
    assert DetectionStage(detector, min_score=0.25, min_height_px=20.0).calls == {4: 2}


@pytest.mark.parametrize(
    ("box", "score"),
    [
        ((float("nan"), 0, 10, 40), 0.9),
        ((0, 0, 10, 40), float("nan")),
        ((10_064, 0, 10_090, 40), 0.9),
        ((0, -60, 10, 0), 0.9),
        ((0, 0, float("inf"), float("nan")), 0.9),
    ],
    ids=["no number", "no score", "beside", "above", "endless"],
)
def test_a_box_that_is_nowhere_in_the_picture_is_left_out_and_said_once(
    box: Sequence[float], score: float, caplog: pytest.LogCaptureFixture
) -> None:
    detector = FixedDetector([box, (5, 5, 15, 45)], [score, 0.9])
    stage = DetectionStage(detector, min_score=0.25, min_height_px=20.0)
    for _ in range(2):
        (found,) = stage.process([letterbox(grey_frame((48, 64)), (64, 64))])
        assert found.boxes_xyxy.tolist() == [[5, 5, 15, 45]]
    (said,) = caplog.messages
    assert "FixedDetector): left out a box" in said


class Untidy:
    """Builds its answer wrongly."""

    input_hw = (64, 64)

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        boxes = np.zeros((1, 4), np.int64)
        return [Detections(frame.stamp, boxes, np.ones(1, np.float32)) for frame in frames]  # type: ignore[arg-type]


def test_a_wrong_array_of_a_detector_is_its_fault_and_no_bad_frame() -> None:
    stage = DetectionStage(Untidy(), min_score=0.25, min_height_px=20.0)
    with pytest.raises(PluginError, match=r"detector \(.*Untidy\): detect raised ShapeError: boxes_xyxy: "):
        stage.process([letterbox(grey_frame((48, 64)), (64, 64))])
