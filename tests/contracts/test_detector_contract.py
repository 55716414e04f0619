"""The contract of detectors, for each YAML in configs/detector, on a street; and that people are found there."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import make_stamp
from plugins import plugin_factory, plugin_names

from pipeline.contracts.test_detector import *  # noqa: F403
from pipeline.contracts.test_detector import Factory, assert_valid, boxed
from pipeline.core import Detector, Frame
from pipeline.core.errors import WeightsError

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module", params=plugin_names("detector"))
def factory(request: pytest.FixtureRequest, shared: Path) -> Factory:
    return plugin_factory("detector", request.param)


@pytest.fixture(scope="module")
def pictures(shared: Path) -> list[Frame]:
    """Four pictures of a street with about six people each."""
    video = cv2.VideoCapture(str(shared / "data" / "pets09" / "vtest.avi"))
    frames = []
    for index in range(0, 160, 40):
        video.set(cv2.CAP_PROP_POS_FRAMES, index)
        frames.append(Frame(make_stamp(index=index), np.ascontiguousarray(video.read()[1][..., ::-1])))
    video.release()
    return frames


def test_people_are_found_where_they_are(detector: Detector, pictures: list[Frame]) -> None:
    for found, frame in zip(detector.detect(boxed(pictures, detector)), pictures, strict=True):
        assert (found.scores >= 0.3).sum() >= 3
        assert_valid(found, frame)


@pytest.mark.parametrize("grey", [0, 114, 255])
def test_an_empty_picture_has_no_people(detector: Detector, grey: int) -> None:
    frame = Frame(make_stamp(), np.full((480, 640, 3), grey, np.uint8))
    assert not (detector.detect(boxed([frame], detector))[0].scores >= 0.3).any()


def test_people_in_a_portrait_picture_are_found(detector: Detector, pictures: list[Frame]) -> None:
    portraits = [Frame(frame.stamp, frame.image[:, 350:674].copy()) for frame in pictures]
    found = detector.detect(boxed(portraits, detector))
    assert sum((one.scores >= 0.3).sum() for one in found) >= 3
    for one, frame in zip(found, portraits, strict=True):
        assert_valid(one, frame)


def test_weights_that_are_not_there_stop_the_run_before_it_starts(factory: Factory, tmp_path: Path) -> None:
    arguments = factory.keywords | {"weights": "absent.onnx", "weights_dir": tmp_path}
    with pytest.raises(WeightsError, match=r"absent\.onnx"):
        factory.func.preflight(**arguments)
