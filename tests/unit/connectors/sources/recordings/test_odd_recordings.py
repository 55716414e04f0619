"""Recordings as people make them by hand, and damage that no program reports: nothing is lost without a word."""

import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import FPS, HW, make_clip, picture

from connectors.sources.images import ImagesSource
from connectors.sources.recordings.joined_files import recordings_in
from connectors.sources.video_file import INTERRUPTED, VideoFileSource
from pipeline.core import Frame, Source
from pipeline.core.errors import ConfigError, SourceLostError

CAMERA = {"bf": "0", "g": "10"}


def frames_of(source: Source) -> list[Frame]:
    source.check()
    return list(source.frames())


@pytest.mark.parametrize("movflags", ["+faststart", "disable_chpl"])
def test_mp4_files_behind_one_another_are_one_recording(tmp_path: Path, movflags: str) -> None:
    one = make_clip(tmp_path / "a.mp4", num_frames=20, movflags=movflags)
    other = make_clip(tmp_path / "b.mp4", num_frames=10, hw=(60, 80), movflags=movflags)
    joined = tmp_path / "ü [1], both.mp4"
    joined.write_bytes(one.read_bytes() + other.read_bytes())
    frames = frames_of(VideoFileSource("east", str(joined)))
    assert [frame.stamp.index for frame in frames] == list(range(30))
    assert [frame.stamp.captured_at for frame in frames] == pytest.approx([index / FPS for index in range(30)])
    assert [frame.size_hw for frame in frames] == [HW] * 20 + [(60, 80)] * 10


@pytest.mark.parametrize("movflags", ["+faststart", "+frag_keyframe+empty_moov+default_base_moof"])
def test_one_mp4_file_is_one_recording_whatever_is_behind_it(tmp_path: Path, movflags: str) -> None:
    path = make_clip(tmp_path / "a.mp4", num_frames=20, movflags=movflags, codec_options=CAMERA)
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert len(recordings_in(path)) == 1
    assert len(frames_of(VideoFileSource("east", str(path)))) == 20


def test_pictures_that_the_decoder_swallows_keep_their_numbers(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", num_frames=40, codec_options=CAMERA)
    data = bytearray(path.read_bytes())
    begin = data.find(b"mdat") + 200
    data[begin : begin + 1800] = bytes(1800)
    path.write_bytes(data)
    source = VideoFileSource("east", str(path))
    frames = frames_of(source)
    assert len(frames) + source.num_bad == 40
    for frame in frames:
        assert frame.stamp.index == round(frame.stamp.captured_at * FPS)


def test_missing_packets_of_a_transport_stream_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make_clip(tmp_path / "a.ts", num_frames=40, file_format="mpegts", codec_options=CAMERA)
    whole = VideoFileSource("east", str(path))
    assert len(frames_of(whole)) == 40
    assert not whole.report().left_out
    data = bytearray(path.read_bytes())
    del data[188 * 30 : 188 * 33]
    path.write_bytes(data)
    source = VideoFileSource("east", str(path))
    assert len(frames_of(source)) < 40
    assert source.report().left_out[INTERRUPTED] == 1
    assert sum("packets are missing" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "libx264"), ("flv", "libx264"), ("avi", "mpeg4")])
def test_packets_that_the_container_skips_are_said_or_bad(tmp_path: Path, ending: str, codec: str) -> None:
    path = make_clip(tmp_path / f"a.{ending}", num_frames=40, noisy=True, codec=codec, codec_options=CAMERA)
    whole = VideoFileSource("east", str(path))
    assert len(frames_of(whole)) == 40
    assert not whole.report().left_out
    data = bytearray(path.read_bytes())
    begin = len(data) // 2
    data[begin : begin + 20_000] = bytes(20_000)
    path.write_bytes(data)
    source = VideoFileSource("east", str(path))
    num_frames = len(frames_of(source))
    assert num_frames < 40
    assert source.report().left_out.get(INTERRUPTED) == 1 or num_frames + source.num_bad == 40


def test_transparency_behind_each_picture_is_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=FPS, options={"auto-alt-ref": "0"})
        stream.height, stream.width, stream.pix_fmt = *HW, "yuva420p"
        for index in range(10):
            image = np.dstack([picture(index), rng.integers(0, 256, HW, np.uint8)])
            frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format="yuva420p")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = VideoFileSource("east", str(path))
    assert len(frames_of(source)) == 10
    assert not source.report().left_out


@pytest.mark.parametrize(("ending", "codec"), [("flv", "libx264"), ("asf", "wmv2"), ("avi", "mpeg4"), ("mkv", "mpeg4")])
def test_files_of_other_kinds_behind_one_another_are_one_recording(tmp_path: Path, ending: str, codec: str) -> None:
    one = make_clip(tmp_path / f"a.{ending}", num_frames=20, codec=codec, codec_options=CAMERA)
    joined = tmp_path / f"both.{ending}"
    joined.write_bytes(one.read_bytes() * 2)
    frames = frames_of(VideoFileSource("east", str(joined)))
    assert [frame.stamp.index for frame in frames] == list(range(40))
    assert [frame.stamp.captured_at for frame in frames] == pytest.approx([index / FPS for index in range(40)])


FRAGMENTED = "+frag_keyframe+empty_moov+default_base_moof"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("frag.mp4", "frag.mp4"),
        ("mp4", "frag.mp4"),
        ("frag.mp4", "mp4"),
        ("mp4", "mkv"),
        ("mkv", "flv"),
        ("avi", "mp4"),
    ],
)
def test_a_recording_behind_one_of_another_kind_is_read_too(tmp_path: Path, first: str, second: str) -> None:
    joined = tmp_path / "both.video"
    with joined.open("wb") as file:
        for place, ending in enumerate((first, second)):
            clip = tmp_path / f"{place}.{ending}"
            codec = "mpeg4" if ending == "avi" else "libx264"
            movflags = FRAGMENTED if ending == "frag.mp4" else "+faststart"
            make_clip(clip, num_frames=20, codec=codec, codec_options=CAMERA, movflags=movflags)
            file.write(clip.read_bytes())
    source = VideoFileSource("east", str(joined))
    assert [frame.stamp.captured_at for frame in frames_of(source)] == pytest.approx([n / FPS for n in range(40)])
    assert (source.num_bad, source.report().gaps) == (0, ())


def test_fragments_whose_beginning_is_repeated_are_one_recording_while_their_times_go_on(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", num_frames=40, movflags=FRAGMENTED, codec_options=CAMERA)
    data = path.read_bytes()
    begin, *fragments = [at for at in range(len(data)) if data[at + 4 : at + 8] == b"moof"]
    assert fragments
    path.write_bytes(data[: fragments[0]] + data[:begin] + data[fragments[0] :])
    assert len(recordings_in(path)) == 1


@pytest.mark.parametrize(
    ("ending", "codec", "name"),
    [("mp4", "libx264", b"avc1"), ("mov", "mjpeg", b"jpeg"), ("avi", "mpeg4", b"FMP4"), ("mkv", "mpeg4", b"MPEG4/")],
)
def test_pictures_in_a_codec_that_nobody_knows_are_said_so(
    tmp_path: Path, ending: str, codec: str, name: bytes
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make_clip(tmp_path / f"a.{ending}", codec=codec, pix_fmt=pix_fmt)
    path.write_bytes(path.read_bytes().replace(name, b"?" * len(name)))
    source = VideoFileSource("east", str(path))
    with pytest.raises(ConfigError, match="no pictures that can be decoded"):
        source.check()
    with pytest.raises(SourceLostError, match="no pictures that can be decoded"):
        list(source.frames())


def test_an_image_is_read_by_what_it_is_and_not_by_its_name(tmp_path: Path) -> None:
    jpeg, png = (cv2.imencode(kind, picture(3))[1].tobytes() for kind in (".jpg", ".png"))
    for name, data in (("0.png", jpeg), ("1.jpg", png), ("2.tif", png), ("3.webp", jpeg), ("4.png", jpeg[:-200])):
        (tmp_path / name).write_bytes(data)
    source = ImagesSource("east", str(tmp_path))
    assert [frame.stamp.index for frame in source.frames()] == [0, 1, 2, 3]
    assert source.num_bad == 1


def test_a_sequence_described_by_an_editor_of_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / "img1").mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(tmp_path / "img1" / f"{number:06}.jpg"), np.zeros((40, 60, 3), np.uint8))
    text = "[Sequence]\r\nframeRate=25\r\nseqLength=3\r\n"
    (tmp_path / "seqinfo.ini").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert [frame.stamp.captured_at for frame in frames_of(ImagesSource("east", str(tmp_path)))] == [0.0, 0.04, 0.08]


def test_a_png_whose_size_is_damaged_is_a_bad_frame_at_once(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture(number))
    data = bytearray((tmp_path / "1.png").read_bytes())
    data[16:20] = (200_000).to_bytes(4)
    (tmp_path / "1.png").write_bytes(data)
    source = ImagesSource("east", str(tmp_path))
    began = time.process_time()
    assert [frame.stamp.index for frame in source.frames()] == [0, 2]
    assert source.num_bad == 1
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_transport_stream_that_goes_on_under_other_numbers_is_one_recording(tmp_path: Path, codec: str) -> None:
    one = make_clip(tmp_path / "a.ts", num_frames=20, codec_options=CAMERA)
    other = make_clip(
        tmp_path / "b.ts", num_frames=10, codec=codec, hw=(60, 80), container_options={"mpegts_start_pid": "800"}
    )
    joined = tmp_path / "ü [1], both.ts"
    joined.write_bytes(one.read_bytes() + other.read_bytes() + one.read_bytes())
    source = VideoFileSource("east", str(joined))
    frames = frames_of(source)
    assert [frame.stamp.index for frame in frames] == list(range(50))
    assert [frame.stamp.captured_at for frame in frames] == pytest.approx([index / FPS for index in range(50)])
    assert [frame.size_hw for frame in frames] == [HW] * 20 + [(60, 80)] * 10 + [HW] * 20
    assert source.num_bad == 0


@pytest.mark.parametrize(("first", "then"), [("libx264", "libx265"), ("mpeg2video", "libx264"), ("libx265", "libx264")])
@pytest.mark.parametrize("num_frames", [20, 100])
def test_a_transport_stream_that_goes_on_with_another_codec_is_one_recording(
    tmp_path: Path, first: str, then: str, num_frames: int
) -> None:
    fps = 25  # MPEG-2 knows no 10
    one = make_clip(tmp_path / "a.ts", num_frames=20, fps=fps, codec=first, codec_options=CAMERA)
    other = make_clip(tmp_path / "b.ts", num_frames=num_frames, fps=fps, codec=then, codec_options=CAMERA)
    joined = tmp_path / "both.ts"
    joined.write_bytes(one.read_bytes() + other.read_bytes())
    source = VideoFileSource("east", str(joined))
    frames = frames_of(source)
    assert len(frames) + source.num_bad == 20 + num_frames
    assert source.num_bad <= 1
    assert frames[-1].stamp.captured_at == pytest.approx((19 + num_frames) / fps, abs=2 / fps)


@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4"])
def test_pictures_before_the_first_key_frame_are_bad_and_keep_their_numbers(tmp_path: Path, ending: str) -> None:
    whole = make_clip(tmp_path / f"a.{ending}", num_frames=40, codec_options={"bf": "0", "g": "20"})
    path = tmp_path / f"b.{ending}"
    with av.open(str(whole)) as container, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(container.demux(video=0)):
            if packet.size and number >= 12:
                packet.stream = stream
                target.mux(packet)
    source = VideoFileSource("east", str(path))
    frames = frames_of(source)
    assert [frame.stamp.index for frame in frames] == list(range(8, 28))
    assert [frame.stamp.captured_at for frame in frames] == pytest.approx([index / FPS for index in range(8, 28)])
    assert source.num_bad == 8


@pytest.mark.parametrize("ending", ["flv", "mkv", "mp4"])
def test_a_title_in_another_encoding_is_no_hindrance(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with av.open(str(make_clip(tmp_path / "b.mkv", num_frames=10))) as source, av.open(str(path), "w") as target:
        target.metadata["title"] = "Eingang XY"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    data = path.read_bytes()
    assert b"XY" in data
    path.write_bytes(data.replace(b"XY", "Tü".encode("latin-1")))
    assert len(frames_of(VideoFileSource("east", str(path)))) == 10


def test_fragments_behind_a_damaged_one_are_not_lost_without_a_word(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "a.mp4", num_frames=80, noisy=True, movflags="frag_keyframe+empty_moov", codec_options={"g": "10"}
    )
    assert len(list(VideoFileSource("east", str(clip)).frames())) == 80
    data = bytearray(clip.read_bytes())
    begins = [at for at in range(len(data)) if data.startswith(b"moof", at)]
    damaged = begins[4]
    data[damaged - 600 : damaged + 600] = bytes(1200)
    clip.write_bytes(data)
    with pytest.raises(SourceLostError, match=r"a damaged fragment, and \d behind it"):
        list(VideoFileSource("east", str(clip)).frames())
