"""What decodes is stated and shown; only ``auto`` falls back to the processor."""

import logging

import pytest
from plugins import ROOT

from connectors.sources import hardware_decoding
from connectors.sources.hardware_decoding import why_not
from connectors.sources.network import NetworkOpener
from connectors.sources.video_file import VideoFileSource
from pipeline.core.errors import ConfigError

DEMO = str(ROOT / "connectors/synthetic/demo/west.mp4")
ABSENT = [kind for kind in hardware_decoding.DEVICES if why_not(kind) is not None]


def source(hwaccel: str) -> VideoFileSource:
    return VideoFileSource("east", DEMO, hwaccel=hwaccel, seconds=0.5)


@pytest.mark.parametrize("kind", ABSENT)
def test_a_device_that_is_not_there_is_an_error_that_says_why(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"east\.hwaccel: expected a device .*, got {kind}: .*; set auto or none"):
        source(kind).check()


@pytest.mark.skipif(len(ABSENT) < len(hardware_decoding.DEVICES), reason="a device decodes here")
def test_auto_falls_back_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    decoded = source("auto")
    with caplog.at_level(logging.INFO):
        decoded.check()
        num = sum(1 for _ in decoded.frames())
    assert "the processor decodes, because of cuda:" in caplog.text
    assert num > 0
    assert (decoded.report().decoder, decoded.report().num_on_device) == ("cpu", 0)


def test_the_processor_decodes_by_default() -> None:
    decoded = VideoFileSource("east", DEMO, seconds=0.2)
    assert decoded.report().decoder == ""
    assert len(list(decoded.frames())) > 0
    assert decoded.report().decoder == "cpu"


def test_frames_that_a_device_decoded_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.recordings.recording.decoder_of", lambda stream, hwaccel: "cuda")
    decoded = source("none")
    num = sum(1 for _ in decoded.frames())
    assert (decoded.report().decoder, decoded.report().num_on_device) == ("cuda", num)


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"east\.hwaccel: expected auto, cuda, vaapi, qsv or none, got 'gpu'"):
        source("gpu")
    with pytest.raises(ConfigError, match="hwaccel"):
        NetworkOpener("rtsp://127.0.0.1/a", threads=1, hwaccel="gpu")
