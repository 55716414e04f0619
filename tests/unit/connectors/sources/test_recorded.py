"""A camera of two streams: people are looked for in the small one, the large one is recorded."""

import time
from functools import partial
from pathlib import Path

import pytest
from clips import make_clip
from rtsp_server import RtspServer

from connectors.sources.live import LiveSource
from connectors.sources.network import NetworkOpener
from connectors.sources.recorded import RecordedCamera
from connectors.sources.stream_recorder import StreamRecorder
from connectors.sources.video_file import VideoFileSource
from pipeline.config.composition import load_config, to_yaml
from pipeline.config.plan import make_plan
from pipeline.core.errors import ConfigError

CAMERA = {"bf": "0", "g": "10"}
OPENER = partial(NetworkOpener, threads=1)
TIMES = {"open_timeout_s": 5.0, "read_timeout_s": 1.0}


@pytest.mark.slow
def test_the_large_stream_is_recorded_while_the_small_one_is_looked_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    media, folder = tmp_path / "media", tmp_path / "recordings" / "east"
    media.mkdir()
    make_clip(media / "sub.mp4", num_frames=400, fps=20, codec_options=CAMERA)
    make_clip(media / "main.mp4", num_frames=400, fps=20, codec_options=CAMERA, hw=(240, 320))
    with RtspServer(media) as server:
        sub = partial(LiveSource, "east", server.url("sub.mp4"), opener=OPENER, **TIMES)
        source = RecordedCamera(
            "east", server.url("main.mp4", user="ann:s3cret"), sub, folder, opener=OPENER, segment_s=1.0, **TIMES
        )
        source.check()
        began = time.time()
        for frame in source.frames():
            assert frame.image.shape == (120, 160, 3)
            if time.time() - began > 3.5:
                break
        server.kill()
        _wait_for(lambda: source.report().unrecorded is not None)
        server.start()
        _wait_for(lambda: source.report().unrecorded is None)
        time.sleep(1.0)
        source.close()
    files = sorted(folder.glob("*.mkv"))
    assert len(files) >= 4
    assert sum(path.stat().st_size for path in files) > source.report().recorded_bytes > 2_000
    recorded = list(VideoFileSource("east", f"{folder}/*.mkv").frames())
    assert {frame.image.shape for frame in recorded} == {(240, 320, 3)}
    assert recorded[0].stamp.captured_at == pytest.approx(began, abs=2.0)
    assert 4.0 < recorded[-1].stamp.captured_at - recorded[0].stamp.captured_at < time.time() - began
    assert sum("nothing is recorded now" in record.message for record in caplog.records) == 1
    assert "s3cret" not in caplog.text


def test_a_large_stream_that_cannot_be_opened_is_an_error_at_the_start(tmp_path: Path) -> None:
    recorder = StreamRecorder(
        "east", OPENER("rtsp://ann:s3cret@127.0.0.1:9/main"), tmp_path, segment_s=1.0, keep_s=60.0, **TIMES
    )
    reason = recorder.why_silent()
    assert reason is not None
    assert "s3cret" not in reason


@pytest.mark.slow
def test_old_recordings_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    media, folder = tmp_path / "media", tmp_path / "east"
    media.mkdir()
    folder.mkdir()
    for name in ("2026-01-01T08-00-00.000.mkv", "holiday.mkv", "2026-01-01T08-00-00.000.txt"):
        (folder / name).touch()
    make_clip(media / "main.mp4", num_frames=60, fps=20, codec_options=CAMERA)
    with RtspServer(media) as server:
        opener = OPENER(server.url("main.mp4"))
        recorder = StreamRecorder("east", opener, folder, segment_s=1.0, keep_s=60.0, **TIMES)
        recorder.start()
        _wait_for(lambda: recorder.num_bytes > 0)
        recorder.close()
    names = {path.name for path in folder.iterdir()}
    assert {"holiday.mkv", "2026-01-01T08-00-00.000.txt"} < names
    assert "2026-01-01T08-00-00.000.mkv" not in names


def test_a_block_names_both_streams() -> None:
    camera = "{detect: 'rtsp://h/sub', record: {uri: 'rtsps://ann:s3cret@h/main', keep_s: 3600, verify: false}}"
    config = load_config([f"site.cameras={{east: {camera}}}", "output_dir=/tmp/out"])
    source = make_plan(config).make_sources["east"]()
    assert isinstance(source, RecordedCamera)
    assert source.live
    assert "s3cret" not in to_yaml(config)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ("{detect: 'rtsp://h/sub', uri: 'rtsp://h/sub'}", r"east: expected a uri, or detect and record"),
        ("{record: 'rtsp://h/main'}", r"east: expected a uri, or detect and record"),
        ("{detect: 'rtsp://h/sub', record: /a/b.mp4}", r"east\.record: expected the address of a live stream"),
        ("{detect: 'rtsp://h/sub', record: {uri: 'rtsp://h/main', keeps: 1}}", r"east\.record\.keeps: "),
    ],
)
def test_a_mistake_in_it_is_one_line_that_names_the_key(camera: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_plan(load_config([f"site.cameras={{east: {camera}}}"]))


def test_seconds_have_to_be_above_0(tmp_path: Path) -> None:
    sub = partial(LiveSource, "east", "rtsp://h/sub", opener=OPENER, **TIMES)
    with pytest.raises(ConfigError, match="segment_s and keep_s above 0"):
        RecordedCamera("east", "rtsp://h/main", sub, tmp_path, opener=OPENER, keep_s=0.0)


def _wait_for(is_so: object, within_s: float = 20.0) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
