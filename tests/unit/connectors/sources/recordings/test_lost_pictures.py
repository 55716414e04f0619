"""Pictures that damage took out of a file are counted, each at its number, in every container that can show it."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FPS, make_clip

from connectors.sources.video_file import INTERRUPTED, VideoFileSource
from pipeline.core.errors import SourceLostError

NUM = 40
CODECS = {
    "asf": ("wmv2", "yuv420p"),
    "nut": ("mpeg4", "yuv420p"),
    "mpg": ("mpeg2video", "yuv420p"),
    "avi": ("mpeg4", "yuv420p"),
    "flv": ("libx264", "yuv420p"),
    "ts": ("libx264", "yuv420p"),
    "gif": ("gif", "rgb8"),
    "apng": ("apng", "rgb24"),
    "ogv": ("libvpx", "yuv420p"),
    "mxf": ("mpeg2video", "yuv420p"),
}
EVEN = {"g": "10", "bf": "0"}


def clip(folder: Path, ending: str, **options: object) -> Path:
    codec, pix_fmt = CODECS[ending]
    even = EVEN if codec in ("libx264", "mpeg2video", "mpeg4") else None
    fps = 25 if ending == "mxf" else FPS  # no other rate is allowed there
    return make_clip(
        folder / f"clip.{ending}",
        NUM,
        fps,
        noisy=True,
        codec=codec,
        pix_fmt=pix_fmt,
        codec_options=even,
        **options,  # type: ignore[arg-type]
    )


def zero(path: Path, share: float, length: int) -> None:
    data = bytearray(path.read_bytes())
    begin = int(share * len(data))
    data[begin : begin + length] = bytes(length)
    path.write_bytes(data)


@pytest.mark.parametrize("ending", list(CODECS))
def test_a_whole_file_has_no_loss(tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture) -> None:
    source = VideoFileSource("east", str(clip(tmp_path, ending)))
    assert [frame.stamp.index for frame in source.frames()] == list(range(NUM))
    assert (source.num_bad, source.report().num_concealed, dict(source.report().left_out)) == (0, 0, {})
    assert ["does not tell a pause from a loss" in each for each in caplog.messages] == [True] * (ending == "asf")


@pytest.mark.parametrize("ending", ["nut", "mpg", "avi", "flv", "ts"])
def test_pictures_that_zeros_took_away_are_bad_and_the_others_keep_their_numbers(tmp_path: Path, ending: str) -> None:
    path = clip(tmp_path, ending)
    zero(path, 0.5, 20_000)
    source = VideoFileSource("east", str(path))
    frames = list(source.frames())
    assert len(frames) < NUM
    assert len(frames) + source.num_bad == NUM
    first_s = frames[0].stamp.captured_at
    for frame in frames:
        assert frame.stamp.index == round((frame.stamp.captured_at - first_s) * FPS)


@pytest.mark.parametrize("on_gap", ["keep", "cut", "refuse"])
def test_seconds_of_damage_are_bad_frames_and_not_a_gap_as_well(
    tmp_path: Path, on_gap: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_clip(tmp_path / "clip.mp4", 80, noisy=True, codec="libx264", codec_options=EVEN)
    whole = [frame.stamp for frame in VideoFileSource("east", str(path)).frames()]
    data = path.read_bytes()
    zero(path, 0.3, len(data) // 2)
    source = VideoFileSource("east", str(path), on_gap=on_gap)
    stamps = [frame.stamp for frame in source.frames()]
    assert max(after.captured_at - before.captured_at for before, after in pairwise(stamps)) > 2.0
    assert set(stamps) <= set(whole)
    assert len(stamps) + source.num_bad == len(whole)
    assert source.report().gaps == ()
    assert "leap" not in caplog.text


@pytest.mark.parametrize(("ending", "reason"), [("gif", "damage at byte"), ("apng", None), ("mxf", None)])
def test_pictures_behind_damage_are_not_lost_without_a_word(tmp_path: Path, ending: str, reason: str | None) -> None:
    path = clip(tmp_path, ending)
    zero(path, 0.5, 5_000)
    source = VideoFileSource("east", str(path))
    frames, error = [], ""
    try:
        frames.extend(source.frames())
    except SourceLostError as lost:
        error = str(lost)
    assert (reason or "") in error
    assert error or len(frames) + source.num_bad == NUM


@pytest.mark.parametrize("change", ["flip", "cut", "end"])
def test_damaged_pages_of_ogg_are_said(tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture) -> None:
    path = clip(tmp_path, "ogv")
    data = bytearray(path.read_bytes())
    if change == "flip":
        data[len(data) // 2] ^= 1
    else:
        del data[len(data) // 2 : len(data) if change == "end" else len(data) // 2 + 5000]
    path.write_bytes(data)
    source = VideoFileSource("east", str(path))
    try:
        list(source.frames())
    except SourceLostError:
        assert change == "end"
    else:
        assert source.report().left_out[INTERRUPTED] >= 1
        assert caplog.text.count("packets are missing") == 1


@pytest.mark.parametrize("change", [-700, 700])
def test_a_gif_of_which_a_part_was_taken_out_or_doubled_is_broken_off(tmp_path: Path, change: int) -> None:
    path = clip(tmp_path, "gif")
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + data[half - change :])
    with pytest.raises(SourceLostError, match="damage at byte"):
        list(VideoFileSource("east", str(path)).frames())


def test_pictures_that_were_cut_out_of_nut_are_bad(tmp_path: Path) -> None:
    path = clip(tmp_path, "nut")
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + data[half + 20_000 :])
    source = VideoFileSource("east", str(path))
    num_frames = len(list(source.frames()))
    assert num_frames < NUM - 1
    assert num_frames + source.num_bad >= NUM - 1  # one may be swallowed by the picture that was cut


def test_a_y4m_that_was_cut_off_in_a_picture_is_said_so(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.y4m", 10, codec="wrapped_avframe")
    assert len(list(VideoFileSource("east", str(path)).frames())) == 10
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(SourceLostError, match="an incomplete picture at the end after 9 frames"):
        list(VideoFileSource("east", str(path)).frames())


def test_a_gif_whose_last_block_reaches_behind_its_end_is_said_to_have_none(tmp_path: Path) -> None:
    path = clip(tmp_path, "gif")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(SourceLostError, match="got no end after"):
        list(VideoFileSource("east", str(path)).frames())


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "libx264"), ("wmv", "wmv2")])
def test_a_file_that_is_shorter_than_its_header_says_is_broken_off(tmp_path: Path, ending: str, codec: str) -> None:
    path = make_clip(tmp_path / f"clip.{ending}", NUM, noisy=True, codec=codec)
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(SourceLostError, match="expected a whole recording"):
        list(VideoFileSource("east", str(path)).frames())


def test_times_that_are_uneven_in_the_recording_are_no_loss(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times_ms = np.cumsum(rng.choice([40, 55, 90, 170, 260], NUM)).tolist()
    for ending, codec in (("asf", "wmv2"), ("nut", "mpeg4"), ("mkv", "libx264"), ("flv", "flv")):
        path = make_clip(tmp_path / f"clip.{ending}", NUM, times_ms=times_ms, codec=codec)
        source = VideoFileSource("east", str(path))
        assert len(list(source.frames())) == NUM, ending
        assert (source.num_bad, dict(source.report().left_out)) == (0, {}), ending


def test_a_pause_in_a_sound_matroska_file_is_no_loss(tmp_path: Path) -> None:
    times_ms = [index * 100 for index in range(60) if index not in (30, 31)]
    source = VideoFileSource("east", str(make_clip(tmp_path / "clip.mkv", len(times_ms), times_ms=times_ms)))
    assert len(list(source.frames())) == len(times_ms)
    assert source.num_bad == 0


@pytest.mark.parametrize(("ending", "codec"), [("asf", "wmv2"), ("nut", "mpeg4"), ("ogv", "libvpx"), ("flv", "flv")])
def test_pauses_of_whole_intervals_are_no_loss(tmp_path: Path, ending: str, codec: str) -> None:
    times_ms = [index * 100 for index in range(60) if index not in (30, 31, 45)]
    source = VideoFileSource(
        "east", str(make_clip(tmp_path / f"clip.{ending}", len(times_ms), times_ms=times_ms, codec=codec))
    )
    assert len(list(source.frames())) == len(times_ms)
    assert (source.num_bad, dict(source.report().left_out)) == (0, {})


def test_empty_chunks_of_avi_are_no_pictures_that_were_lost(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.avi", NUM, codec="mpeg4", codec_options=EVEN)
    data = bytearray(path.read_bytes())
    index = data.rfind(b"idx1") + 8
    for place in (1, 2, 20):
        entry = index + 16 * place
        assert data[entry : entry + 4] == b"00dc"
        begin = data.find(b"movi") + int.from_bytes(data[entry + 8 : entry + 12], "little")
        length = int.from_bytes(data[begin + 4 : begin + 8], "little")
        # the chunk as an encoder that has nothing to show writes it, and padding where the picture was
        data[begin + 4 : begin + 16] = bytes(4) + b"JUNK" + (length + length % 2 - 8).to_bytes(4, "little")
        data[entry + 12 : entry + 16] = bytes(4)
    path.write_bytes(data)
    source = VideoFileSource("east", str(path))
    assert len(list(source.frames())) == NUM - 3
    assert source.num_bad == 0


def test_sound_that_goes_on_behind_the_pictures_breaks_nothing_off(tmp_path: Path) -> None:
    path = tmp_path / "clip.asf"
    with av.open(str(path), "w") as container:
        pictures, sound = (
            container.add_stream("wmv2", rate=FPS),
            container.add_stream("pcm_s16le", rate=16_000, layout="mono"),
        )
        pictures.height, pictures.width, pictures.pix_fmt = 120, 160, "yuv420p"
        for index in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 9 * index, np.uint8))
            frame.pts = index
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        for index in range(60):
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
            noise.sample_rate, noise.pts = 16_000, 1600 * index
            container.mux(sound.encode(noise))
        container.mux(sound.encode(None))
    assert len(list(VideoFileSource("east", str(path)).frames())) == 20


def test_a_raw_stream_is_said_to_show_no_loss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make_clip(tmp_path / "clip.h264", 10)
    assert len(list(VideoFileSource("east", str(path)).frames())) == 10
    assert caplog.messages == [
        f"camera east: {path} is a raw stream without times, so pictures that are missing in it cannot be noticed; "
        "record in Matroska, mp4 or MPEG-TS"
    ]


@pytest.mark.parametrize("ending", ["ts", "mkv"])
def test_whole_files_joined_by_cat_lose_nothing_and_nothing_else_is_said(tmp_path: Path, ending: str) -> None:
    one = make_clip(tmp_path / f"a.{ending}", 20, codec_options=EVEN)
    other = make_clip(tmp_path / f"b.{ending}", 20, hw=(60, 80) if ending == "mkv" else (120, 160), codec_options=EVEN)
    both = tmp_path / f"both.{ending}"
    both.write_bytes(one.read_bytes() + other.read_bytes())
    source = VideoFileSource("east", str(both))
    frames = list(source.frames())
    assert [frame.stamp.index for frame in frames] == list(range(40))
    assert (source.num_bad, source.report().num_concealed, dict(source.report().left_out)) == (0, 0, {})


def test_a_transport_stream_that_loses_packets_before_a_whole_one_says_so(tmp_path: Path) -> None:
    one = make_clip(tmp_path / "a.ts", 20, noisy=True, codec_options=EVEN).read_bytes()
    both = tmp_path / "both.ts"
    both.write_bytes(one[: 188 * 200] + one[188 * 205 :] + one)
    source = VideoFileSource("east", str(both))
    with_loss = list(source.frames())
    assert len(with_loss) + source.num_bad >= 39
    assert source.report().left_out[INTERRUPTED] == 1
