"""What every detector must do, whatever it is made of: one parameter a YAML in configs/detector."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from factories import make_frame, make_stamp
from plugins import plugin_factory, plugin_names

from pipeline.camera.detection import letterbox
from pipeline.core import Detections, Detector, Frame, LetterboxedFrame
from pipeline.core.errors import ShapeError, WeightsError

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module", params=plugin_names("detector"))
def make_detector(request: pytest.FixtureRequest, shared: Path) -> Callable[..., Any]:
    return plugin_factory("detector", request.param)


@pytest.fixture(scope="module")
def detector(make_detector: Callable[..., Any]) -> Detector:
    return make_detector()


@pytest.fixture(scope="module")
def street(shared: Path) -> list[Frame]:
    """Four pictures of a street with about six people each."""
    video = cv2.VideoCapture(str(shared / "data" / "pets09" / "vtest.avi"))
    frames = []
    for index in range(0, 160, 40):
        video.set(cv2.CAP_PROP_POS_FRAMES, index)
        frames.append(Frame(make_stamp(index=index), np.ascontiguousarray(video.read()[1][..., ::-1])))
    video.release()
    return frames


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


def test_every_frame_has_one_record_in_order(detector: Detector, street: list[Frame]) -> None:
    found = detector.detect(boxed(street[::-1], detector))
    assert [one.stamp for one in found] == [frame.stamp for frame in street[::-1]]


def test_people_are_found_where_they_are(detector: Detector, street: list[Frame]) -> None:
    for found, frame in zip(detector.detect(boxed(street, detector)), street, strict=True):
        assert (found.scores >= 0.3).sum() >= 3
        assert_valid(found, frame)


def test_a_frame_gives_the_same_alone_and_among_others(detector: Detector, street: list[Frame]) -> None:
    frames = boxed(street, detector)
    for together, frame in zip(detector.detect(frames), frames, strict=True):
        assert_equal(together, detector.detect([frame])[0])


def test_another_detector_of_the_same_configuration_finds_the_same(
    detector: Detector, make_detector: Callable[..., Any], street: list[Frame]
) -> None:
    frames = boxed(street, detector)
    for one, other in zip(detector.detect(frames), make_detector().detect(frames), strict=True):
        assert_equal(one, other)


def test_records_outlive_the_next_call(detector: Detector, street: list[Frame]) -> None:
    first, second = boxed(street[:2], detector)
    found = detector.detect([first])[0]
    boxes_xyxy, scores = found.boxes_xyxy.copy(), found.scores.copy()
    detector.detect([second])
    np.testing.assert_array_equal(found.boxes_xyxy, boxes_xyxy)
    np.testing.assert_array_equal(found.scores, scores)


def test_inputs_stay_as_they_are(detector: Detector, street: list[Frame]) -> None:
    frame = boxed(street, detector)[0]
    before = frame.image.copy()
    detector.detect([frame])
    np.testing.assert_array_equal(frame.image, before)


@pytest.mark.parametrize("grey", [0, 114, 255])
def test_an_empty_picture_has_no_people(detector: Detector, grey: int) -> None:
    frame = Frame(make_stamp(), np.full((480, 640, 3), grey, np.uint8))
    assert not (detector.detect(boxed([frame], detector))[0].scores >= 0.3).any()


def test_people_in_a_portrait_picture_are_found(detector: Detector, street: list[Frame]) -> None:
    portraits = [Frame(frame.stamp, frame.image[:, 350:674].copy()) for frame in street]
    found = detector.detect(boxed(portraits, detector))
    assert sum((one.scores >= 0.3).sum() for one in found) >= 3
    for one, frame in zip(found, portraits, strict=True):
        assert_valid(one, frame)


@pytest.mark.parametrize("hw", [(1, 1), (7, 900), (900, 7), (2160, 3840)], ids=str)
def test_a_frame_of_any_size_gives_boxes_inside_it(detector: Detector, hw: tuple[int, int]) -> None:
    frame = make_frame(hw=hw)
    assert_valid(detector.detect(boxed([frame], detector))[0], frame)


def test_boxes_scale_with_the_frame(detector: Detector, street: list[Frame]) -> None:
    half = boxed(street[:1], detector)[0]
    height, width = half.frame_hw
    whole = LetterboxedFrame(half.stamp, half.image, half.scale / 2, (2 * height, 2 * width))
    small, large = detector.detect([half, whole])
    np.testing.assert_allclose(large.boxes_xyxy, 2 * small.boxes_xyxy, rtol=1e-6)


def test_a_frame_that_is_letter_boxed_to_another_size_is_refused(detector: Detector) -> None:
    with pytest.raises(ShapeError, match="letter-boxed image"):
        detector.detect([letterbox(make_frame(), (96, 96))])


def test_weights_that_are_not_there_stop_the_run_before_it_starts(
    make_detector: Callable[..., Any], tmp_path: Path
) -> None:
    arguments = make_detector.keywords | {"weights": "absent.onnx", "weights_dir": tmp_path}
    with pytest.raises(WeightsError, match=r"absent\.onnx"):
        make_detector.func.preflight(**arguments)


def test_the_constructor_call_survives_pickling(make_detector: Callable[..., Any]) -> None:
    assert pickle.loads(pickle.dumps(make_detector)).keywords == make_detector.keywords
