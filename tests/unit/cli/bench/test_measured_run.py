"""What ``passerby bench`` refuses to call a measurement."""

from pathlib import Path

import pytest
from clips import cut_off, make_clip

from pipeline.cli.bench.measured_run import measure, whole
from pipeline.cli.bench.scale import model_scale
from pipeline.cli.bench.stages import benchmark
from pipeline.core.errors import ConfigError, ConnectorError, SourceLostError
from pipeline.telemetry.camera_status import CameraStatus, given_up

SHIPPED = ["detector=passerby", "embedder=passerby", "runtime=inline", "sink=[jsonl]"]


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("/no/such.mp4", r"site\.cameras\.a: expected a video file, got nothing at /no/such\.mp4"),
        ('"rtsp://127.0.0.1:1/s"', r"site\.cameras: expected recordings"),
    ],
)
def test_cameras_that_give_no_recording_are_refused_before_anything_is_measured(camera: str, said: str) -> None:
    for number in (None, 8):
        with pytest.raises(ConfigError, match=f"^{said}[^\n]*$"):
            measure([*SHIPPED, f"site.cameras={{a: {camera}}}"], number)


def test_a_recording_that_breaks_off_is_no_measurement(tmp_path: Path) -> None:
    clip = cut_off(make_clip(tmp_path / "clip.mp4", noisy=True))
    with pytest.raises(SourceLostError, match=r"^camera a: .*clip\.mp4"):
        measure([*SHIPPED, f"site.cameras={{a: {clip}}}"])


def test_a_camera_that_gives_no_frame_is_named() -> None:
    with pytest.raises(SourceLostError, match=r"^camera b: expected frames to measure, got none"):
        whole({"a": CameraStatus(frames_processed=7), "b": CameraStatus()}, None)
    with pytest.raises(SourceLostError, match=r"^camera b: its process died"):
        whole({"a": CameraStatus(frames_processed=7), "b": given_up(CameraStatus(), "its process died")}, None)
    with pytest.raises(ConnectorError, match=r"^bench: expected the sinks to accept everything within 60 s"):
        whole({"a": CameraStatus(frames_processed=7)}, None)


@pytest.mark.parametrize("number", ["many", "0", "-1", "1.5", ""])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    with pytest.raises(ConfigError, match=r"^bench\.cameras: expected whole numbers above 0"):
        benchmark(["cameras", f"bench.cameras=1,{number}"])
    with pytest.raises(ConfigError, match=r"^bench\.cores: "):
        model_scale([f"bench.cores={number}"])
    if number:
        with pytest.raises(ConfigError, match=r"^bench\.passes: "):
            benchmark([f"bench.passes={number}"])
