"""What happens when the pictures of a camera change their size."""

import cv2
import numpy as np
import pytest
from clips import picture
from factories import make_stamp

from pipeline.camera.steady_size import SteadySize
from pipeline.core import Frame


def frame(height: int, width: int) -> Frame:
    return Frame(make_stamp(), picture(10, hw=(height, width)))


def test_frames_of_one_size_are_untouched(caplog: pytest.LogCaptureFixture) -> None:
    size = SteadySize("east")
    for _ in range(3):
        given = frame(120, 160)
        assert size.fitted(given) is given
    assert caplog.text == ""


@pytest.mark.parametrize(("height", "width"), [(60, 80), (240, 320), (121, 160)])
def test_another_resolution_is_scaled_and_said_once(height: int, width: int, caplog: pytest.LogCaptureFixture) -> None:
    size = SteadySize("east")
    first = size.fitted(frame(120, 160))
    for _ in range(3):
        scaled = size.fitted(frame(height, width))
        assert scaled.size_hw == (120, 160)
        assert np.abs(scaled.image.astype(int) - cv2.blur(first.image, (3, 3))).mean() < 12
    assert caplog.text.count(f"camera east: the picture is {width}x{height} now, and was 160x120 at first") == 1
    assert "scaled to that size" in caplog.text


def test_a_picture_of_another_shape_keeps_its_proportions_and_zones_are_said_to_be_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    size = SteadySize("east")
    size.fitted(frame(120, 160))
    turned = size.fitted(frame(160, 120))
    assert turned.size_hw == (120, 160)
    np.testing.assert_array_equal(turned.image[60:, 91:], 114)
    assert (turned.image[60:, :89] != 114).any(axis=2).all()
    assert "zones, lines and ground show other places now; draw them again" in caplog.text
    size.fitted(frame(120, 160))
    assert caplog.text.count("camera east: the picture is") == 2


def test_another_process_goes_on_with_the_size_of_the_first_frame() -> None:
    size = SteadySize("east")
    size.keep((120, 160))
    assert size.fitted(frame(60, 80)).size_hw == (120, 160)


def test_a_size_that_comes_and_goes_is_said_once_and_so_is_the_return(caplog: pytest.LogCaptureFixture) -> None:
    size = SteadySize("east")
    for _ in range(3):
        size.fitted(frame(120, 160))
        size.fitted(frame(240, 320))
    assert caplog.messages == [
        "camera east: the picture is 320x240 now, and was 160x120 at first: it is scaled to that size, where zones and "
        "lines are",
        "camera east: the picture is 160x120 again, as at first",
    ]
