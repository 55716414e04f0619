import time
from functools import partial

import pytest

from connectors.sources.live import LiveSource
from connectors.sources.webcam import WebcamOpener
from pipeline.core.errors import ConfigError, SourceLostError

NOT_THERE = "97"


def make_source(uri: str = NOT_THERE) -> LiveSource:
    opener = partial(WebcamOpener, size_wh=(640, 480), fps=None)
    return LiveSource("door", uri, opener=opener, open_timeout_s=5.0, read_timeout_s=1.0)


def test_check_reports_a_missing_device_and_what_to_do() -> None:
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"site\.cameras\.door: .*device 97.*cannot be opened.*/dev/video"):
        make_source().check()
    assert time.monotonic() - began < 15.0


def test_a_missing_device_is_lost() -> None:
    with pytest.raises(SourceLostError, match="capture device 97"):
        next(make_source().frames())


@pytest.mark.parametrize("uri", ["front", "²", "-1"])
def test_only_a_number_is_a_device(uri: str) -> None:
    with pytest.raises(ConfigError, match="expected a device number"):
        make_source(uri)


def test_frames_returns_at_once_after_close() -> None:
    source = make_source()
    source.close()
    source.close()
    assert list(source.frames()) == []
