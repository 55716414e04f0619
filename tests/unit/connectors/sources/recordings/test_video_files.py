"""A recording of many files: patterns, folders, files that are still written, web servers and object stores."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import av
import fsspec
import numpy as np
import pytest
from clips import FPS, cut_off, make_clip
from http_receiver import is_let_in, serving

from connectors.sources.object_files import ObjectFiles
from connectors.sources.video_file import VideoFileSource
from connectors.sources.web_file import WebFile
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.records.source_report import GapOutcome

NUM = 10
WAIT_S = 20.0


def times(source: VideoFileSource) -> list[float]:
    return [frame.stamp.captured_at for frame in source.frames()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rec"
    folder.mkdir()
    for name in ("part_9", "part_10", "part_11"):
        make_clip(folder / f"{name}.mkv", num_frames=NUM)
    return folder


@pytest.mark.parametrize("pattern", ["rec", "rec/*.mkv", "rec/part_*", "**/*.mkv"])
def test_many_files_are_one_recording_in_the_order_of_their_numbers(folder: Path, pattern: str) -> None:
    (folder / ".part_12.mkv").write_bytes(b"of a copy that is under way")
    source = VideoFileSource("east", str(folder.parent / pattern), starts_at=1000.0)
    source.check()
    frames = list(source.frames())
    assert [frame.stamp.index for frame in frames] == list(range(3 * NUM))
    np.testing.assert_allclose([f.stamp.captured_at for f in frames], 1000 + np.arange(3 * NUM) / FPS, atol=2e-3)
    assert not source.report().gaps


def test_times_in_the_names_say_when_each_file_began(tmp_path: Path) -> None:
    # 20 frames are 2 s: the second file follows, though named 1 s late, and the third comes after a gap.
    for name in ("cam_20261129_080000", "cam_20261129_080003", "cam_20261129_081000"):
        make_clip(tmp_path / f"{name}.mp4", num_frames=20)
    source = VideoFileSource("east", str(tmp_path / "*.mp4"))
    found = np.array(times(source))
    assert found[0] == 1795939200
    np.testing.assert_allclose(np.diff(found[:40]), 1 / FPS, atol=1e-4)
    assert found[40] == 1795939800
    (gap,) = source.report().gaps
    assert gap.outcome is GapOutcome.KEPT
    assert times(VideoFileSource("east", str(tmp_path / "*.mp4"), starts_at=5.0))[0] == 5.0


def test_files_that_begin_before_the_end_of_the_one_before_are_counted_as_gaps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files of 2 s named a second apart: each is later than its name says by one second more."""
    for second in range(5):
        make_clip(tmp_path / f"cam_20261129_08000{second}.mp4", num_frames=20)
    source = VideoFileSource("east", str(tmp_path))
    np.testing.assert_allclose(np.diff(times(source)), 1 / FPS, atol=1e-4)
    gaps = source.report().gaps
    assert [round(gap.seconds) for gap in gaps] == [-2, -3, -4]
    assert {gap.outcome for gap in gaps} == {GapOutcome.RESTARTED}
    assert caplog.text.count("before the end of the file before it, says its name") == 1


def test_a_name_without_a_time_among_others_is_said_so_and_no_time_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("20261129_080000.mp4", "20261129_080100.mp4", "later.mp4"):
        make_clip(tmp_path / name, num_frames=NUM)
    source = VideoFileSource("east", str(tmp_path))
    source.check()
    assert caplog.text.count("2 of 3 names hold a date and time, and later.mp4 holds none") == 1
    np.testing.assert_allclose(times(source), np.arange(3 * NUM) / FPS, atol=1e-4)


def test_a_damaged_file_of_many_is_counted_and_the_next_one_follows(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut_off(make_clip(folder / "part_10.mkv", num_frames=NUM, noisy=True), 0.5)
    (folder / "part_12.mkv").write_bytes(b"")
    shutil.copy(folder / "part_11.mkv", folder / "part_13.mkv")
    source = VideoFileSource("east", str(folder))
    frames = list(source.frames())
    assert 3 * NUM < len(frames) < 4 * NUM
    assert source.num_bad >= 2
    assert "part_10.mkv" in caplog.text
    assert "part_12.mkv" in caplog.text
    assert frames[-1].stamp.index == len(frames) + source.num_bad - 1


def test_it_goes_on_after_a_frame_of_a_later_file(folder: Path) -> None:
    source = VideoFileSource("east", str(folder))
    stamps = [frame.stamp for frame in source.frames()]
    source.resume(stamps[14])
    assert [frame.stamp for frame in source.frames()] == stamps[15:]


def test_a_pattern_without_files_is_said_so(tmp_path: Path) -> None:
    source = VideoFileSource("east", str(tmp_path / "*.mp4"))
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected video files, got none"):
        source.check()
    with pytest.raises(SourceLostError, match="got none"):
        next(source.frames())


def test_a_name_with_signs_of_a_pattern_is_a_file_if_it_is_there(tmp_path: Path) -> None:
    make_clip(tmp_path / "clip[1].mkv", num_frames=NUM)
    assert len(times(VideoFileSource("east", str(tmp_path / "clip[1].mkv")))) == NUM


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "movflags"), [("ts", "-"), ("mkv", "-"), ("mp4", "+frag_keyframe+empty_moov+default_base_moof")]
)
def test_a_file_that_is_still_written_is_read_to_its_last_frame(tmp_path: Path, ending: str, movflags: str) -> None:
    whole = make_clip(tmp_path / f"whole.{ending}", num_frames=60, noisy=True, movflags=movflags).read_bytes()
    path = tmp_path / f"growing.{ending}"
    path.write_bytes(whole[: len(whole) // 4])

    def write() -> None:
        with path.open("ab") as file:
            for part in range(1, 4):
                time.sleep(0.4)
                file.write(whole[part * len(whole) // 4 : (part + 1) * len(whole) // 4])
                file.flush()

    source = VideoFileSource("east", str(path), follow=True, idle_s=2.0)
    source.check()
    writer = threading.Thread(target=write)
    writer.start()
    assert len(times(source)) == 60
    writer.join()


@pytest.mark.slow
def test_close_ends_the_wait_for_more(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.ts", num_frames=30, noisy=True)
    source = VideoFileSource("east", str(path), follow=True, idle_s=300.0)
    timer = threading.Timer(0.5, source.close)
    timer.start()
    began = time.monotonic()
    list(source.frames())
    assert time.monotonic() - began < WAIT_S
    timer.join()


@pytest.mark.parametrize("how", ["replaced", "shortened"])
def test_a_followed_file_whose_place_another_takes_is_lost_with_the_reason(tmp_path: Path, how: str) -> None:
    path = make_clip(tmp_path / "a.ts", num_frames=40)
    source = VideoFileSource("east", str(path), follow=True, idle_s=30.0)

    def change() -> None:
        time.sleep(0.5)
        if how == "replaced":
            make_clip(tmp_path / "b.ts", num_frames=60).replace(path)
        else:
            path.write_bytes(b"")

    thread = threading.Thread(target=change)
    thread.start()
    with pytest.raises(SourceLostError, match="got another file in its place"):
        list(source.frames())
    thread.join()


def test_a_pipe_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.ts")
    with pytest.raises(ConfigError, match=r"a\.ts, which can be read only once; write it to a file and set follow"):
        VideoFileSource("east", str(tmp_path / "a.ts")).check()


def test_an_mp4_file_that_is_not_finished_cannot_be_followed(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", num_frames=30, noisy=True, movflags="+disable_chpl")
    with pytest.raises(ConfigError, match=r"index comes at its end; record as"):
        VideoFileSource("east", str(path), follow=True).check()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["ts", "mp4"])
def test_a_growing_folder_is_read_as_files_come(tmp_path: Path, ending: str) -> None:
    sounds = [make_clip(tmp_path / f"{n}.{ending}", num_frames=NUM, movflags="+disable_chpl") for n in range(3)]
    folder = tmp_path / "rec"
    folder.mkdir()
    source = VideoFileSource("east", str(folder / f"*.{ending}"), follow=True, idle_s=2.0)
    source.check()  # nothing is there yet

    def write() -> None:
        for sound in sounds:
            time.sleep(0.5)
            shutil.copy(sound, folder / sound.name)

    writer = threading.Thread(target=write)
    writer.start()
    frames = list(source.frames())
    writer.join()
    assert [frame.stamp.index for frame in frames] == list(range(3 * NUM))
    np.testing.assert_allclose([f.stamp.captured_at for f in frames], np.arange(3 * NUM) / FPS, atol=2e-3)


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        if is_let_in(self):
            super().do_GET()


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)  # which this handler serves
    with serving(Handler) as address:
        yield address


def test_a_recording_on_a_web_server_is_read_frame_by_frame(tmp_path: Path, web: str) -> None:
    make_clip(tmp_path / "a.mp4", num_frames=NUM)
    source = VideoFileSource("east", f"{web}/a.mp4", files=WebFile)
    source.check()
    np.testing.assert_allclose(times(source), np.arange(NUM) / FPS, atol=1e-6)


@pytest.mark.parametrize("has_end", [True, False])
def test_a_playlist_is_read_from_its_first_part_and_one_without_an_end_is_said_so(
    has_end: bool, tmp_path: Path, web: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_clip(tmp_path / "a.ts", num_frames=80, codec_options={"g": "10", "bf": "0"})
    options = {"hls_time": "1", "hls_list_size": "0"} | ({} if has_end else {"hls_flags": "omit_endlist"})
    with (
        av.open(str(tmp_path / "a.ts")) as source,
        av.open(str(tmp_path / "a.m3u8"), "w", format="hls", options=options) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert (tmp_path / "a.m3u8").read_text().count(".ts") > 5
    found = times(VideoFileSource("east", f"{web}/a.m3u8", files=WebFile))
    np.testing.assert_allclose(found, np.arange(80) / FPS, atol=1e-4)
    assert caplog.text.count("does not say that it has ended (#EXT-X-ENDLIST)") == (not has_end)


def test_a_password_comes_from_the_environment_or_a_file_and_is_in_no_message(
    tmp_path: Path, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_clip(tmp_path / "private.mp4", num_frames=NUM)
    (tmp_path / "secret").write_text("s3cr:et\n")
    monkeypatch.setenv("CAMERA_PASSWORD", "s3cr:et")
    monkeypatch.setenv("WRONG_PASSWORD", "wr0ng")
    for given in ({"password_env": "CAMERA_PASSWORD"}, {"password_file": str(tmp_path / "secret")}):
        files = partial(WebFile, username="ann", **given)
        assert len(times(VideoFileSource("east", f"{web}/private.mp4", files=files))) == NUM
    wrong = VideoFileSource(
        "east", f"{web}/private.mp4", files=partial(WebFile, username="ann", password_env="WRONG_PASSWORD")
    )
    with pytest.raises(ConfigError, match="401") as refused:
        wrong.check()
    with pytest.raises(SourceLostError, match="401") as lost:
        next(wrong.frames())
    for caught in (refused, lost):
        assert "wr0ng" not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
    absent = VideoFileSource(
        "east", f"{web}/private.mp4", files=partial(WebFile, username="ann", password_env="NOT_SET")
    )
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: files\.password_env: .*NOT_SET, which is not set"):
        absent.check()


def test_a_recording_that_the_server_does_not_have_is_said_so(web: str) -> None:
    with pytest.raises(ConfigError, match="404"):
        VideoFileSource("east", f"{web}/gone.mp4", files=WebFile).check()


def test_objects_of_a_store_are_a_recording(folder: Path) -> None:
    store = fsspec.filesystem("memory")
    for path in folder.iterdir():
        store.pipe(f"/bucket/east/{path.name}", path.read_bytes())
    for uri, count in (("memory://bucket/east/part_9.mkv", 1), ("memory://bucket/east/*.mkv", 3)):
        source = VideoFileSource("east", uri, files=ObjectFiles)
        source.check()
        np.testing.assert_allclose(times(source), np.arange(count * NUM) / FPS, atol=2e-3)
    assert len(times(VideoFileSource("east", "memory://bucket/east", files=ObjectFiles))) == 3 * NUM
    with pytest.raises(ConfigError, match="got nothing at memory://bucket/none"):
        VideoFileSource("east", "memory://bucket/none.mkv", files=ObjectFiles).check()
