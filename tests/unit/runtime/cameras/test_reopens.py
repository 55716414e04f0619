"""After which pauses a live camera is opened again."""

from dataclasses import replace

import pytest
from camera_parts import LIMITS

from pipeline.runtime.cameras.reopens import Reopens

ALWAYS = replace(LIMITS, max_reopens=0, min_backoff_s=1.0, max_backoff_s=30.0)


def test_a_camera_that_gave_pictures_again_is_opened_soon_when_it_breaks_once_more() -> None:
    reopens = Reopens(ALWAYS)
    for _ in range(4):
        reopens.pause_s(0.0)  # away: the last pause was about 8 s
    assert reopens.pause_s(3.0) == pytest.approx(1.0, rel=0.25)
    assert reopens.pause_s(0.0) == pytest.approx(2.0, rel=0.25)


def test_a_camera_that_breaks_after_a_picture_is_not_opened_again_and_again() -> None:
    reopens = Reopens(ALWAYS)
    pauses = [reopens.pause_s(0.2) for _ in range(5)]
    assert pauses[-1] == pytest.approx(16, rel=0.25)
