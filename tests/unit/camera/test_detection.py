"""The detection stage and letterboxing: which boxes are kept, and where a frame lies in the detector's input."""

from collections.abc import Sequence

import numpy as np
import pytest
from factories import make_detections, make_stamp

from pipeline.camera.detection import PADDING, DetectionStage, letterbox
from pipeline.core import Detections, Frame, LetterboxedFrame


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
