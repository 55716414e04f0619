"""What every detector must do, whatever it is made of. That it finds people, its own tests must show."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.camera.detection import letterbox
from pipeline.contracts.records import make_frame, make_stamp
from pipeline.core import Detections, Detector, Frame, LetterboxedFrame
from pipeline.core.errors import ShapeError

Factory = Callable[..., Any]
DEMO = Path(__file__).resolve().parents[2] / "connectors/synthetic/demo/north.mp4"


@pytest.fixture(scope="module")
def detector(factory: Factory) -> Detector:
    found: Detector = factory()
    return found


@pytest.fixture(scope="module")
def pictures() -> list[Frame]:
    """Four pictures of the demo, with people of different sizes."""
    with av.open(str(DEMO)) as film:
        images = [frame.to_ndarray(format="rgb24") for _, frame in zip(range(160), film.decode(video=0), strict=False)]
    return [Frame(make_stamp(index=index), images[index]) for index in range(0, 160, 40)]


def boxed(frames: list[Frame], detector: Detector) -> list[LetterboxedFrame]:
    return [letterbox(frame, detector.input_hw) for frame in frames]


def assert_equal(one: Detections, other: Detections) -> None:
    assert one.stamp == other.stamp
    np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy, strict=True)
    np.testing.assert_array_equal(one.scores, other.scores, strict=True)


def assert_valid(found: Detections, frame: Frame) -> None:
    height, width = frame.size_hw
    left, top, right, bottom = found.boxes_xyxy.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= width).all()
    assert (bottom <= height).all()
    assert (left < right).all()
    assert (top < bottom).all()
    assert found.scores.dtype == np.float32
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_no_frames_give_no_detections(detector: Detector) -> None:
    assert detector.detect([]) == []


def test_every_frame_has_one_record_in_order(detector: Detector, pictures: list[Frame]) -> None:
    found = detector.detect(boxed(pictures[::-1], detector))
    assert [one.stamp for one in found] == [frame.stamp for frame in pictures[::-1]]


def test_a_frame_gives_the_same_alone_and_among_others(detector: Detector, pictures: list[Frame]) -> None:
    frames = boxed(pictures, detector)
    for together, frame in zip(detector.detect(frames), frames, strict=True):
        assert_equal(together, detector.detect([frame])[0])


def test_another_detector_of_the_same_configuration_finds_the_same(
    detector: Detector, factory: Factory, pictures: list[Frame]
) -> None:
    frames = boxed(pictures, detector)
    for one, other in zip(detector.detect(frames), factory().detect(frames), strict=True):
        assert_equal(one, other)


def test_records_outlive_the_next_call(detector: Detector, pictures: list[Frame]) -> None:
    first, second = boxed(pictures[:2], detector)
    found = detector.detect([first])[0]
    boxes_xyxy, scores = found.boxes_xyxy.copy(), found.scores.copy()
    detector.detect([second])
    np.testing.assert_array_equal(found.boxes_xyxy, boxes_xyxy)
    np.testing.assert_array_equal(found.scores, scores)


def test_inputs_stay_as_they_are(detector: Detector, pictures: list[Frame]) -> None:
    frame = boxed(pictures, detector)[0]
    before = frame.image.copy()
    detector.detect([frame])
    np.testing.assert_array_equal(frame.image, before)


@pytest.mark.parametrize("hw", [(1, 1), (7, 900), (900, 7), (2160, 3840)], ids=str)
def test_a_frame_of_any_size_gives_boxes_inside_it(detector: Detector, hw: tuple[int, int]) -> None:
    frame = make_frame(hw=hw)
    assert_valid(detector.detect(boxed([frame], detector))[0], frame)


def test_boxes_scale_with_the_frame(detector: Detector, pictures: list[Frame]) -> None:
    half = boxed(pictures[:1], detector)[0]
    height, width = half.frame_hw
    whole = LetterboxedFrame(half.stamp, half.image, half.scale / 2, (2 * height, 2 * width))
    small, large = detector.detect([half, whole])
    np.testing.assert_allclose(large.boxes_xyxy, 2 * small.boxes_xyxy, rtol=1e-6)


def test_a_frame_that_is_letter_boxed_to_another_size_is_refused(detector: Detector) -> None:
    with pytest.raises(ShapeError):
        detector.detect([letterbox(make_frame(), (96, 96))])


def test_the_constructor_call_survives_pickling(factory: Factory) -> None:
    again = pickle.loads(pickle.dumps(factory))
    assert again.keywords == factory.keywords  # type: ignore[attr-defined]
