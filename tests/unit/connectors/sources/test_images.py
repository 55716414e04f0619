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


def test_check_finds_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.cameras\.east: expected some images .* got 0"):
        ImagesSource("east", str(tmp_path)).check()


def test_a_sequence_with_fewer_images_than_promised_fails_check_and_is_lost(tmp_path: Path) -> None:
    source = ImagesSource("east", str(write_sequence(tmp_path / "a", num_images=3, length=5)))
    with pytest.raises(ConfigError, match="expected 5 images"):
        source.check()
    with pytest.raises(SourceLostError, match="expected 5 images"):
        next(source.frames())


@pytest.mark.parametrize("frame_rate", ["fast", "0", ""])
def test_check_finds_a_sequence_without_a_frame_rate(tmp_path: Path, frame_rate: str) -> None:
    with pytest.raises(ConfigError, match=r"seqinfo\.ini: expected .*frameRate"):
        ImagesSource("east", str(write_sequence(tmp_path / "a", frame_rate=frame_rate))).check()


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp", "tif"])
def test_reading_stops_at_an_incomplete_image_and_continues_there_when_it_is_complete(
    tmp_path: Path, ending: str
) -> None:
    folder = write_images(tmp_path / "a", [f"{number}.{ending}" for number in range(4)])
    broken = folder / f"2.{ending}"
    data = broken.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    source = ImagesSource("east", str(folder))
    frames: list[Frame] = []
    for _ in range(2):
        with pytest.raises(SourceLostError, match=rf"2\.{ending}: expected a whole image"):
            frames.extend(source.frames())
    broken.write_bytes(data)
    frames.extend(source.frames())
    assert [frame.stamp.index for frame in frames] == [0, 1, 2, 3]


@pytest.mark.parametrize("options", [{"stride": 0}, {"fps": 0.0}])
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="correct them"):
        ImagesSource("east", str(tmp_path), **options)  # type: ignore[arg-type]
