import os
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import FPS, HW, RED, cut_off, make_clip

from connectors.sources.video_file import VideoFileSource
from pipeline.core import Frame
from pipeline.core.errors import ConfigError, SourceLostError
from pipeline.core.records.source_report import GapOutcome

IDENTITY = np.array([65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000], ">i4").tobytes()
QUARTER_TURN = np.array([0, 65536, 0, -65536, 0, 0, 0, 0, 0x40000000], ">i4").tobytes()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "clip.mp4")


def times(source: VideoFileSource) -> list[float]:
    return [frame.stamp.captured_at for frame in source.frames()]


def read_until_lost(source: VideoFileSource) -> tuple[list[Frame], str]:
    frames: list[Frame] = []
    with pytest.raises(SourceLostError) as caught:
        frames.extend(source.frames())
    return frames, str(caught.value)


def test_frames_are_numbered_and_timed_from_the_start_of_the_recording(clip: Path) -> None:
    stamps = [frame.stamp for frame in VideoFileSource("east", str(clip), starts_at=1000.0).frames()]
    assert [stamp.index for stamp in stamps] == list(range(30))
    np.testing.assert_allclose([stamp.captured_at for stamp in stamps], 1000 + np.arange(30) / FPS)
    assert {stamp.camera_id for stamp in stamps} == {"east"}


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times_ms = [0, 40, 80, 500, 510, 2000, 2040]
    clip = make_clip(tmp_path / "uneven.mp4", num_frames=7, times_ms=times_ms)
    np.testing.assert_allclose(times(VideoFileSource("east", str(clip))), np.array(times_ms) / 1000, atol=1e-4)


def test_a_recording_that_starts_late_starts_at_its_first_frame(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "late.mkv", num_frames=5, times_ms=[3000, 3100, 3200, 3300, 3400])
    np.testing.assert_allclose(times(VideoFileSource("east", str(clip))), [0.0, 0.1, 0.2, 0.3, 0.4], atol=1e-6)


def test_without_times_in_the_file_they_follow_from_the_frame_rate(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "raw.h264", num_frames=10, file_format="h264")
    np.testing.assert_allclose(times(VideoFileSource("east", str(clip))), np.arange(10) / FPS, atol=1e-6)


def test_recordings_joined_byte_by_byte_go_on_where_the_one_before_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, hw in (("a", HW), ("b", (60, 80)), ("c", HW)):
        make_clip(tmp_path / f"{name}.ts", num_frames=20, hw=hw)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join((tmp_path / f"{name}.ts").read_bytes() for name in "abc"))
    source = VideoFileSource("east", str(joined), starts_at=1.7e9)
    frames = list(source.frames())
    np.testing.assert_allclose([frame.stamp.captured_at - 1.7e9 for frame in frames], np.arange(60) / FPS, atol=1e-5)
    assert frames[25].size_hw == (60, 80)
    assert [gap.outcome for gap in source.report().gaps] == [GapOutcome.RESTARTED] * 2
    assert caplog.text.count("camera east: the times leap") == 2


def test_nothing_is_logged_if_the_times_increase(clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    times(VideoFileSource("east", str(clip)))
    assert caplog.text == ""


def test_a_stride_skips_frames_and_keeps_their_indices(clip: Path) -> None:
    every = list(VideoFileSource("east", str(clip)).frames())
    some = list(VideoFileSource("east", str(clip), stride=7).frames())
    assert [frame.stamp for frame in some] == [frame.stamp for frame in every[::7]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(some, every[::7], strict=True))


def test_seconds_limits_the_recording_to_its_beginning(clip: Path) -> None:
    every = list(VideoFileSource("east", str(clip), starts_at=100.0).frames())
    some = list(VideoFileSource("east", str(clip), starts_at=100.0, seconds=0.5).frames())
    assert [frame.stamp for frame in some] == [frame.stamp for frame in every if frame.stamp.captured_at < 100.5]
    assert 0 < len(some) < len(every)
    with pytest.raises(ConfigError, match=r"east\.seconds: expected more than 0"):
        VideoFileSource("east", str(clip), seconds=0.0)


def test_a_rectangle_is_cut_out(clip: Path) -> None:
    whole = next(VideoFileSource("east", str(clip)).frames()).image
    source = VideoFileSource("east", str(clip), crop_xyxy=(80, 10, 160, 120))
    source.check()
    image = next(source.frames()).image
    np.testing.assert_array_equal(image, whole[10:120, 80:160])
    assert image.flags.c_contiguous


@pytest.mark.parametrize("crop_xyxy", [(0, 0, 161, 120), (0, 0, 160, 121)])
def test_check_finds_a_rectangle_outside_the_picture(clip: Path, crop_xyxy: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras\.east\.crop_xyxy: .*160x120"):
        VideoFileSource("east", str(clip), crop_xyxy=crop_xyxy).check()


@pytest.mark.parametrize("crop_xyxy", [(10, 0, 10, 20), (-1, 0, 10, 20), (0, 0, 10), (0, 30, 10, 20)])
def test_a_rectangle_without_an_area_is_refused(crop_xyxy: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="crop_xyxy"):
        VideoFileSource("east", "a.mp4", crop_xyxy=crop_xyxy)


@pytest.mark.parametrize("options", [{"stride": 0}, {"threads": 0}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        VideoFileSource("east", "a.mp4", **options)  # type: ignore[arg-type]


def test_colours_are_rgb(clip: Path) -> None:
    image = next(VideoFileSource("east", str(clip)).frames()).image
    np.testing.assert_allclose(image.reshape(-1, 3).mean(0), RED, atol=4)


def test_a_recording_is_rotated_as_its_file_says(clip: Path) -> None:
    write_matrix(clip, QUARTER_TURN)
    image = list(VideoFileSource("east", str(clip)).frames())[20].image
    assert image.shape == (*HW[::-1], 3)
    capture = cv2.VideoCapture(str(clip))
    for _ in range(21):
        _, expected = capture.read()
    np.testing.assert_allclose(image.astype(int), expected[:, :, ::-1], atol=2)


def write_matrix(clip: Path, matrix: bytes) -> None:
    data = clip.read_bytes()
    at = data.index(IDENTITY, data.index(b"tkhd"))
    clip.write_bytes(data[:at] + matrix + data[at + len(IDENTITY) :])


@pytest.mark.parametrize("a", [-1, 1])
@pytest.mark.parametrize("d", [-1, 1])
@pytest.mark.parametrize("is_turned", [False, True])
def test_a_recording_is_flipped_as_its_file_says(clip: Path, a: int, d: int, is_turned: bool) -> None:
    """The display matrix sends a point (x, y) to (a x + c y, b x + d y)."""
    stored = list(VideoFileSource("east", str(clip)).frames())[20].image
    rows = [0, d, a, 0] if is_turned else [a, 0, 0, d]
    parts = [65536 * rows[0], 65536 * rows[1], 0, 65536 * rows[2], 65536 * rows[3], 0, 0, 0, 2**30]
    write_matrix(clip, np.array(parts, ">i4").tobytes())
    shown = list(VideoFileSource("east", str(clip)).frames())[20].image
    expected = stored.transpose(1, 0, 2) if is_turned else stored
    np.testing.assert_array_equal(shown, expected[::d, ::a])


@pytest.mark.parametrize("threads", [2, 4])
def test_the_number_of_threads_changes_no_pixel(tmp_path: Path, threads: int) -> None:
    clip = str(make_clip(tmp_path / "noisy.mp4", noisy=True))
    one = [frame.image for frame in VideoFileSource("east", clip, threads=1).frames()]
    many = [frame.image for frame in VideoFileSource("east", clip, threads=threads).frames()]
    assert len(one) == len(many) == 30
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


@pytest.mark.parametrize("uri", ["{path}", "file://{path}"])
@pytest.mark.parametrize("name", ["a:b.mp4", "two words ü.mp4", "100%.mp4"])
def test_unusual_file_names_are_found(tmp_path: Path, name: str, uri: str) -> None:
    path = make_clip(tmp_path / "clip.mp4", num_frames=3).rename(tmp_path / name)
    given = path.as_uri() if uri.startswith("file") else str(path)
    source = VideoFileSource("east", given)
    source.check()
    assert len(list(source.frames())) == 3


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "flv", "webm"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_file_that_was_cut_off_yields_its_complete_frames_and_is_then_lost(
    tmp_path: Path, ending: str, share: float
) -> None:
    codec = {"avi": "mpeg4", "webm": "libvpx"}.get(ending, "libx264")
    clip = make_clip(tmp_path / f"clip.{ending}", num_frames=60, noisy=True, codec=codec)
    whole = list(VideoFileSource("east", str(clip)).frames())
    source = VideoFileSource("east", str(cut_off(clip, share)))
    source.check()
    frames, message = read_until_lost(source)
    assert 60 * share / 4 < len(frames) < 60
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, whole, strict=False))
    assert str(clip) in message
    assert f"after {len(frames)} frames" in message


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_file_that_was_cut_off_between_two_frames_is_lost_too(tmp_path: Path, ending: str) -> None:
    clip = make_clip(tmp_path / f"clip.{ending}", num_frames=60, noisy=True)
    with av.open(str(clip)) as container:
        places = sorted(packet.pos for packet in container.demux(video=0) if packet.size)
    os.truncate(clip, places[30])
    frames, _ = read_until_lost(VideoFileSource("east", str(clip)))
    assert len(frames) == 30


def test_after_an_error_frames_continues_after_the_last_one_and_is_lost_again(tmp_path: Path) -> None:
    clip = cut_off(make_clip(tmp_path / "clip.mp4", num_frames=60, noisy=True))
    source = VideoFileSource("east", str(clip))
    assert read_until_lost(source)[0]
    assert read_until_lost(source)[0] == []


def test_a_file_that_was_completed_after_an_error_continues_where_it_broke(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", num_frames=60, noisy=True)
    data = clip.read_bytes()
    source = VideoFileSource("east", str(cut_off(clip)))
    before, _ = read_until_lost(source)
    clip.write_bytes(data)
    after = list(source.frames())
    assert [frame.stamp.index for frame in (*before, *after)] == list(range(60))


def damage(path: Path, begin: float, end: float) -> Path:
    """Overwrite a part of a file with zeros, from and to these shares of its length."""
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * begin), int(len(data) * end)
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("codec", "ending", "pix_fmt"),
    [
        ("libx264", "mp4", "yuv420p"),
        ("libx265", "mp4", "yuv420p"),
        ("mjpeg", "mov", "yuvj420p"),
        ("prores_ks", "mov", "yuv422p10le"),
        ("mpeg4", "mp4", "yuv420p"),
    ],
)
def test_damage_inside_a_file_is_left_out_and_counted(tmp_path: Path, codec: str, ending: str, pix_fmt: str) -> None:
    path = tmp_path / f"clip.{ending}"
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    make_clip(path, num_frames=40, noisy=True, codec=codec, codec_options=options, pix_fmt=pix_fmt)
    whole = times(VideoFileSource("east", str(path)))
    source = VideoFileSource("east", str(damage(path, 0.5, 0.55)))
    frames = list(source.frames())
    assert len(frames) + source.num_bad == 40
    assert 0 < source.num_bad < 8
    for frame in frames:
        assert frame.stamp.captured_at == pytest.approx(whole[frame.stamp.index])
    assert all(np.isclose(whole, at).any() for at in source.report().bad_at)


def test_a_burst_of_damage_is_said_once_with_its_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = damage(make_clip(tmp_path / "clip.mp4", num_frames=60, noisy=True), 0.5, 0.75)
    source = VideoFileSource("east", str(clip))
    assert len(list(source.frames())) + source.num_bad == 60
    assert source.num_bad > 5
    assert caplog.text.count("camera east: left out a bad frame at ") == 1


def test_too_many_damaged_frames_in_a_row_are_an_error(tmp_path: Path) -> None:
    clip = damage(make_clip(tmp_path / "clip.mp4", num_frames=60, noisy=True), 0.5, 0.75)
    frames, message = read_until_lost(VideoFileSource("east", str(clip), max_bad_in_a_row=5))
    assert 10 < len(frames) < 40
    assert "more than 5 bad ones in a row" in message


def test_bad_frames_of_the_part_that_another_process_read_are_not_counted_again(tmp_path: Path) -> None:
    clip = damage(make_clip(tmp_path / "clip.mp4", num_frames=60, noisy=True), 0.2, 0.3)
    source = VideoFileSource("east", str(clip))
    frames = list(source.frames())
    again = VideoFileSource("east", str(clip))
    again.resume(frames[-5].stamp)
    assert [frame.stamp for frame in again.frames()] == [frame.stamp for frame in frames[-4:]]
    assert again.num_bad == 0


def test_sound_that_lasts_longer_than_the_pictures_is_not_an_error(tmp_path: Path) -> None:
    for ending in ("mp4", "mkv", "ts"):
        path = tmp_path / f"sound.{ending}"
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=FPS)
            video.height, video.width = HW
            audio = container.add_stream("aac", rate=16000)
            for _ in range(10):
                container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((*HW, 3), np.uint8), format="rgb24")))
            container.mux(video.encode(None))
            for index in range(150):
                sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                sound.sample_rate, sound.pts = 16000, index * 1024
                container.mux(audio.encode(sound))
            container.mux(audio.encode(None))
        assert len(list(VideoFileSource("east", str(path)).frames())) == 10


def test_a_file_with_only_sound_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    with pytest.raises(ConfigError, match="no pictures"):
        VideoFileSource("east", str(path)).check()


def test_a_file_that_vanishes_after_the_check_is_lost(clip: Path) -> None:
    source = VideoFileSource("east", str(clip))
    source.check()
    clip.unlink()
    with pytest.raises(SourceLostError, match="got nothing at"):
        next(source.frames())


@pytest.mark.slow
def test_other_threads_run_while_a_video_is_decoded(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "large.mp4", num_frames=10, noisy=True, hw=(720, 1280))
    turns = 0
    done = threading.Event()

    def count() -> None:
        nonlocal turns
        while not done.wait(0.001):
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    num_frames = sum(1 for _ in VideoFileSource("east", str(clip)).frames())
    done.set()
    thread.join()
    assert num_frames == 10
    assert turns > 10


@pytest.mark.shared
@pytest.mark.slow
def test_no_recording_of_the_data_sets_counts_as_broken(shared: Path) -> None:
    clips = sorted(path for path in (shared / "data").rglob("*") if path.suffix in {".avi", ".mp4"})
    assert clips
    for clip in clips:
        source = VideoFileSource("east", str(clip))
        source.check()
        captured_at = times(source)
        assert len(captured_at) >= 100, clip
        assert (np.diff(captured_at) > 0).all(), clip
        assert (source.num_bad, source.report().num_concealed, dict(source.report().left_out)) == (0, 0, {}), clip


@pytest.mark.shared
def test_the_pets_video_has_as_many_frames_as_its_ground_truth(shared: Path) -> None:
    stamps = [frame.stamp for frame in VideoFileSource("view_001", str(shared / "data/pets09/vtest.avi")).frames()]
    assert len(stamps) == 795
    np.testing.assert_allclose([stamp.captured_at for stamp in stamps], np.arange(795) / 10)
