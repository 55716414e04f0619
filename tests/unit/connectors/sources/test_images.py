from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import RED, picture

from connectors.sources.images import ImagesSource
from pipeline.core import Frame
from pipeline.core.errors import ConfigError, SourceLostError


def write_images(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.ascontiguousarray(picture(index)[:, :, ::-1]))
    return folder


def write_sequence(folder: Path, num_images: int = 5, length: int = 5, frame_rate: str = "7") -> Path:
    write_images(folder / "img1", [f"{number:06d}.jpg" for number in range(1, num_images + 1)])
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=MOT\nimDir=img1\nframeRate={frame_rate}\nseqLength={length}\nimExt=.jpg\n"
    )
    return folder


def test_images_are_in_the_order_of_the_numbers_in_their_names(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "east", [f"frame_{number}.png" for number in range(12)])
    frames = list(ImagesSource("east", str(folder), fps=4.0, starts_at=100.0).frames())
    assert [frame.stamp.index for frame in frames] == list(range(12))
    np.testing.assert_allclose([frame.stamp.captured_at for frame in frames], 100 + np.arange(12) / 4)
    assert all(np.array_equal(frame.image, picture(index)) for index, frame in enumerate(frames))


def test_colours_are_rgb(tmp_path: Path) -> None:
    frame = next(ImagesSource("east", str(write_images(tmp_path / "a", ["1.png"]))).frames())
    assert tuple(frame.image[-1, -1]) == RED


def test_a_mot_sequence_names_its_frame_rate(tmp_path: Path) -> None:
    source = ImagesSource("east", str(write_sequence(tmp_path / "MOT17-02")), fps=1.0)
    source.check()
    np.testing.assert_allclose([frame.stamp.captured_at for frame in source.frames()], np.arange(5) / 7)


def test_other_files_and_hidden_images_are_ignored(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", ["1.png", ".2.png"])
    (folder / "notes.txt").write_text("not an image")
    assert len(list(ImagesSource("east", str(folder)).frames())) == 1


def test_a_stride_skips_images_and_keeps_their_indices(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", [f"{number}.png" for number in range(7)])
    stamps = [frame.stamp for frame in ImagesSource("east", str(folder), fps=10.0, stride=3).frames()]
    assert [(stamp.index, stamp.captured_at) for stamp in stamps] == [(0, 0.0), (3, 0.3), (6, 0.6)]


def test_a_rectangle_is_cut_out(tmp_path: Path) -> None:
    source = ImagesSource("east", str(write_images(tmp_path / "a", ["1.png"])), crop_xyxy=(80, 0, 160, 100))
    source.check()
    image = next(source.frames()).image
    np.testing.assert_array_equal(image, picture(0)[0:100, 80:160])
    assert image.flags.c_contiguous


def test_check_finds_a_rectangle_outside_the_image(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", ["1.png"])
    with pytest.raises(ConfigError, match="160x120"):
        ImagesSource("east", str(folder), crop_xyxy=(0, 0, 200, 100)).check()


def test_images_of_kinds_that_are_not_read_are_to_be_saved_as_others(tmp_path: Path) -> None:
    (tmp_path / "1.gif").write_bytes(b"GIF89a")
    with pytest.raises(ConfigError, match=r"expected some images .* got 0 .*; .*save other kinds as one of these"):
        ImagesSource("east", str(tmp_path)).check()
    pages = [np.zeros((8, 8, 3), np.uint8)] * 3
    assert cv2.imwritemulti(str(tmp_path / "2.tif"), pages)
    with pytest.raises(ConfigError, match=r"2\.tif: .*3 pages in one file; .*save it as one image"):
        ImagesSource("east", str(tmp_path)).check()


def test_check_finds_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected some images .* got 0"):
        ImagesSource("east", str(tmp_path)).check()


def test_a_sequence_with_fewer_images_than_promised_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = ImagesSource("east", str(write_sequence(tmp_path / "a", num_images=3, length=5)))
    source.check()
    assert "camera east: 2 images of" in caplog.text
    assert len(list(source.frames())) == 3


def numbered(folder: Path, numbers: Iterable[int], **options: float) -> list[tuple[int, float]]:
    """Write a MOT sequence with these numbers, and return index and time of each frame."""
    write_sequence(folder, num_images=0)
    write_images(folder / "img1", [f"{number:06d}.jpg" for number in numbers])
    stamps = [frame.stamp for frame in ImagesSource("east", str(folder), **options).frames()]  # type: ignore[arg-type]
    return [(stamp.index, pytest.approx(stamp.captured_at)) for stamp in stamps]


def test_numbers_and_times_of_a_mot_sequence_come_from_the_names(tmp_path: Path) -> None:
    assert numbered(tmp_path / "second half", range(301, 304), starts_at=10.0) == [
        (300, 10 + 300 / 7),
        (301, 10 + 301 / 7),
        (302, 10 + 302 / 7),
    ]
    assert numbered(tmp_path / "hole", [1, 2, 3, 9, 10, 11]) == [(n, n / 7) for n in (0, 1, 2, 8, 9, 10)]
    assert numbered(tmp_path / "from 0", range(3)) == [(0, 0.0), (1, 1 / 7), (2, 2 / 7)]


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (["f7.png", "f8.png", "f11.png"], [0, 1, 4]),
        (["10.png", "20.png", "40.png"], [0, 1, 3]),
        (["a.png", "b.png", "c.png"], [0, 1, 2]),
        (["1_7.png", "2_8.png", "3_9.png"], [0, 1, 2]),
        (["0000017.png", "4030012.png", "9000143.png"], [0, 1, 2]),
        (["5.png"], [0]),
    ],
)
def test_numbers_in_other_folders_count_frames_if_they_look_like_it(
    tmp_path: Path, names: list[str], indices: list[int]
) -> None:
    stamps = [frame.stamp for frame in ImagesSource("east", str(write_images(tmp_path / "a", names))).frames()]
    assert [stamp.index for stamp in stamps] == indices
    np.testing.assert_allclose([stamp.captured_at for stamp in stamps], np.array(indices) / 10)


EIGHT_O_CLOCK = 1795939200.0


@pytest.mark.parametrize(
    "pattern",
    [
        "2026-11-29T08-00-{:02d}.png",
        "cam1_20261129_0800{:02d}.png",
        "192.168.1.64_01_202611290800{:02d}000_MOTION_DETECTION.png",
        "IMG_20261129_0800{:02d}.000.png",
        "2026.11.29 08.00.{:02d}.png",
        "20261129T0800{:02d}.000000.png",
        "2026-11-29T10-30-{:02d}+0230.png",
        "2026-11-29T03-00-{:02d}.000-0500.png",
        "2026-11-29_08-00-{:02d}-0500.png",
        "17959392{:02d}.png",
        "17959392{:02d}000.png",
        "17959392{:02d}.0.png",
    ],
)
def test_times_in_names_are_read(tmp_path: Path, pattern: str) -> None:
    folder = write_images(tmp_path / "a", [pattern.format(second) for second in (0, 2, 4, 6, 9)])
    stamps = [frame.stamp for frame in ImagesSource("east", str(folder)).frames()]
    assert [stamp.captured_at - EIGHT_O_CLOCK for stamp in stamps] == [0, 2, 4, 6, 9]
    assert [stamp.index for stamp in stamps] == [0, 1, 2, 3, 4]
    stamps = [frame.stamp for frame in ImagesSource("east", str(folder), starts_at=50.0).frames()]
    assert [stamp.captured_at for stamp in stamps] == [50, 52, 54, 56, 59]


def test_several_images_of_one_second_are_spread_inside_it(tmp_path: Path) -> None:
    names = [f"2026-11-29T08-00-{second:02d} {part}.png" for second in range(3) for part in "abcd"]
    source = ImagesSource("east", str(write_images(tmp_path / "a", names)), fps=4.0)
    found = [frame.stamp.captured_at - EIGHT_O_CLOCK for frame in source.frames()]
    np.testing.assert_allclose(found, np.arange(12) / 4, atol=1e-5)


def test_images_of_one_second_are_in_the_order_of_their_running_numbers(tmp_path: Path) -> None:
    names = [f"20261129_08000{second}_{number}.png" for second in (0, 1) for number in range(1, 13)]
    frames = list(ImagesSource("east", str(write_images(tmp_path / "a", names))).frames())
    assert all(np.array_equal(frame.image, picture(index)) for index, frame in enumerate(frames))
    found = [frame.stamp.captured_at - EIGHT_O_CLOCK for frame in frames]
    np.testing.assert_allclose(found, np.arange(24) / 12, atol=1e-5)


def test_unix_seconds_may_have_a_fraction(tmp_path: Path) -> None:
    names = [f"1795939200.{fraction}.png" for fraction in ("0", "25", "5", "75")]
    stamps = [frame.stamp for frame in ImagesSource("east", str(write_images(tmp_path / "a", names))).frames()]
    assert [stamp.captured_at - EIGHT_O_CLOCK for stamp in stamps] == [0, 0.25, 0.5, 0.75]


TIMES = [f"20261129_0800{second:02d}.png" for second in range(5)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([*TIMES, "thumb.png"], "5 of 6 names hold a date and time, and thumb.png holds none"),
        ([*TIMES, "20261129_080060.png"], "20261129_080060.png holds none"),
        (["f1.png", "f2.png", "thumb.png"], "thumb.png does not end in a number"),
        (["000001.png", "000002.png", "2.png"], "the number of 2.png stands twice"),
        (["a_1.png", "a_2.png", "a_3.png", "b_2.png"], "the number of b_2.png stands twice"),
        (["f0.png", "f5.png", "f15.png"], "the numbers in the names go up in steps of 5"),
        (TIMES, ""),
        (["f1.png", "f2.png", "f4.png"], ""),
        (["a.png", "b.png"], ""),
        (["7.png"], ""),
    ],
)
def test_names_that_do_not_fit_together_are_said_so_once(
    tmp_path: Path, names: list[str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = ImagesSource("east", str(write_images(tmp_path / "a", names)))
    source.check()
    assert len(caplog.records) == bool(said)
    assert said in caplog.text
    assert len(list(source.frames())) == len(names)


@pytest.mark.parametrize("frame_rate", ["fast", "0", ""])
def test_check_finds_a_sequence_without_a_frame_rate(tmp_path: Path, frame_rate: str) -> None:
    with pytest.raises(ConfigError, match=r"seqinfo\.ini: expected .*frameRate"):
        ImagesSource("east", str(write_sequence(tmp_path / "a", frame_rate=frame_rate))).check()


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp", "tif"])
@pytest.mark.parametrize("place", [0, 2, 3])
def test_an_incomplete_image_is_left_out_and_counted(
    tmp_path: Path, ending: str, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_images(tmp_path / "a", [f"{number}.{ending}" for number in range(4)])
    broken = folder / f"{place}.{ending}"
    data = broken.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    source = ImagesSource("east", str(folder))
    source.check()
    assert [frame.stamp.index for frame in source.frames()] == [index for index in range(4) if index != place]
    assert source.num_bad == 1
    assert source.report().bad_at == (pytest.approx(place / 10),)
    assert caplog.text.count(f"{place}.{ending}: expected a whole image") == 1


def test_a_folder_of_broken_images_only_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: .*0\.jpg: expected a whole image"):
        ImagesSource("east", str(folder)).check()
    with pytest.raises(SourceLostError, match=r"0\.jpg: expected a whole image"):
        next(ImagesSource("east", str(folder)).frames())


def test_too_many_broken_images_in_a_row_are_an_error_and_reading_goes_on_behind_them(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", [f"{number}.png" for number in range(9)])
    for number in range(2, 6):
        (folder / f"{number}.png").write_bytes(b"no image")
    source = ImagesSource("east", str(folder), max_bad_in_a_row=3)
    frames: list[Frame] = []
    with pytest.raises(SourceLostError, match="more than 3 bad ones in a row"):
        frames.extend(source.frames())
    assert [frame.stamp.index for frame in frames] == [0, 1]


@pytest.mark.parametrize("behind", [bytes(20000), b"\0" * 100, b"ftypisom" + bytes(range(256)) * 40])
def test_what_stands_behind_the_end_of_an_image_is_ignored(tmp_path: Path, behind: bytes) -> None:
    folder = write_images(tmp_path / "a", ["0.jpg", "1.png"])
    whole = [frame.image for frame in ImagesSource("east", str(folder)).frames()]
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes() + behind)
    padded = [frame.image for frame in ImagesSource("east", str(folder)).frames()]
    assert all(np.array_equal(a, b) for a, b in zip(padded, whole, strict=True))


def test_an_image_that_ends_in_the_preview_inside_its_header_is_not_whole(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", ["0.jpg", "1.jpg"])
    data = (folder / "1.jpg").read_bytes()
    preview = b"\xff\xe1" + (len(data) + 2).to_bytes(2) + data
    (folder / "1.jpg").write_bytes(data[:2] + preview + data[2 : len(data) // 2])
    source = ImagesSource("east", str(folder))
    assert len(list(source.frames())) == 1
    assert source.num_bad == 1


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_images_of_more_than_eight_bits_have_their_full_brightness(tmp_path: Path, bits: int, ending: str) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f"{number}.{ending}"), picture(number)[:, :, ::-1].astype(np.uint16) << (bits - 8))
    for options in ({}, {"bits": bits}):
        frames = list(ImagesSource("east", str(folder), **options).frames())  # type: ignore[arg-type]
        assert all(np.array_equal(frame.image, picture(n)) for n, frame in enumerate(frames))


@pytest.mark.parametrize("ending", ["webp", "png"])
def test_a_film_in_an_image_file_is_refused(tmp_path: Path, ending: str) -> None:
    film = cv2.Animation()
    film.frames = [np.zeros((20, 30, 4), np.uint8), np.full((20, 30, 4), 255, np.uint8)]
    film.durations = np.array([100, 100])
    assert cv2.imwriteanimation(str(tmp_path / f"0.{ending}"), film)
    with pytest.raises(ConfigError, match=rf"0\.{ending}: expected a whole image, got a film of several images"):
        ImagesSource("east", str(tmp_path)).check()


def test_a_file_of_several_pages_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    cv2.imwritemulti(str(folder / "0.tif"), [picture(0), picture(1)])
    with pytest.raises(ConfigError, match=r"0\.tif: expected a whole image, got 2 pages in one file"):
        ImagesSource("east", str(folder)).check()


@pytest.mark.parametrize("options", [{"stride": 0}, {"fps": 0.0}])
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="correct them"):
        ImagesSource("east", str(tmp_path), **options)  # type: ignore[arg-type]


def test_an_image_that_is_too_small_for_the_rectangle_is_left_out(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", ["0.png", "1.png", "2.png"])
    cv2.imwrite(str(folder / "1.png"), np.zeros((20, 20, 3), np.uint8))
    source = ImagesSource("east", str(folder), crop_xyxy=(80, 0, 160, 100))
    assert [frame.stamp.index for frame in source.frames()] == [0, 2]
    assert source.num_bad == 1


def test_a_folder_of_images_and_videos_is_refused_with_what_to_write(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", ["thumbnail.jpg"])
    (folder / "a.mp4").write_bytes(b"film")
    with pytest.raises(ConfigError, match=r"got 1 and 1 in .*; for the videos name a pattern, such as .*/[*]\.mp4"):
        ImagesSource("east", str(folder)).check()


def test_a_folder_of_folders_of_images_is_refused_with_the_first_of_them(tmp_path: Path) -> None:
    (tmp_path / "2026-11-29").mkdir()
    deeper = write_images(tmp_path / "2026-11-29" / "jpg", ["0.jpg"])
    with pytest.raises(ConfigError, match=f"name a folder in it, such as {deeper}"):
        ImagesSource("east", str(tmp_path)).check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a line [Sequence], got none; add it above the others"),
        ("[Sequence]\nframeRate=10", "expected seqLength below [Sequence], got none; add it"),
        ("[Sequence]\nframeRate=ten\nseqLength=3", "expected a number above 0 as frameRate, got ten; correct it"),
        ("[Sequence]\nframeRate=10\nseqLength=-4", "expected a number above 0 as seqLength, got -4; correct it"),
        ("[Sequence]\nframeRate=10\nseqLength=3.5", "expected whole images as seqLength, got 3.5; correct it"),
        (
            "frameRate=10",
            "expected [Sequence] and below it lines such as frameRate=30, got another line 1; correct it",
        ),
        (
            "[Sequence]\nframeRate=10\nframeRate=12\nseqLength=1",
            "expected each name once, got framerate again in line 3; leave one out",
        ),
        ("[Sequence]\nframeRate=10 # \xff", "expected text in UTF-8, got other bytes; save it as UTF-8"),
    ],
)
def test_a_mistake_in_seqinfo_is_said_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "seqinfo.ini"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        ImagesSource("east", str(tmp_path)).check()
    assert str(caught.value) == f"site.cameras.east: {path}: {said}"


def test_a_folder_of_images_that_seqinfo_names_and_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "seqinfo.ini"
    path.write_text("[Sequence]\nframeRate=10\nseqLength=1\nimDir=none")
    with pytest.raises(ConfigError) as caught:
        ImagesSource("east", str(tmp_path)).check()
    assert str(caught.value) == (
        f"site.cameras.east: {path}: expected the images in the folder {tmp_path / 'none'} (imDir), got no such "
        "folder; correct imDir"
    )
