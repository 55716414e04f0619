"""Small inputs that failed elsewhere, from the shared material, with the right value of each."""

from pathlib import Path

import numpy as np
import pytest

from connectors.sources.images import ImagesSource
from connectors.sources.video_file import VideoFileSource
from pipeline.core import Frame, Source
from pipeline.core.records.source_report import GapOutcome

pytestmark = pytest.mark.shared


@pytest.fixture
def cases(shared: Path) -> Path:
    folder = shared / "cases"
    if not folder.is_dir():
        pytest.skip("no cases there")
    return folder


def read(source: Source) -> tuple[list[Frame], list[float]]:
    source.check()
    frames = list(source.frames())
    return frames, [frame.stamp.captured_at for frame in frames]


@pytest.mark.parametrize("name", ["plain.mp4", "vflip.mp4", "ts_outlier_forward.ts", "ts_dup.ts", "concat_ts.ts"])
def test_each_frame_has_the_time_of_the_undamaged_recording(cases: Path, name: str) -> None:
    source = VideoFileSource("east", str(cases / name))
    _, times = read(source)
    np.testing.assert_allclose(times, np.arange(80) / 10, atol=1e-5)
    assert source.num_bad == 0


def test_one_damaged_picture_is_left_out(cases: Path) -> None:
    source = VideoFileSource("east", str(cases / "mp4_one_damaged.mp4"))
    frames, _ = read(source)
    assert [frame.stamp.index for frame in frames] == [index for index in range(80) if index != 39]
    assert source.num_bad == 1
    assert source.report().bad_at == (pytest.approx(3.9),)


def test_the_zeros_in_a_container_cost_the_picture_and_the_header_of_the_next(cases: Path) -> None:
    """The zeros reach into the next chunk's header, so FFmpeg finds 79 of the 80 packets, and one of those is zero."""
    source = VideoFileSource("east", str(cases / "mjpeg_one_zeroed.avi"))
    frames, _ = read(source)
    assert len(frames) + source.num_bad == 80
    assert len(frames) == 78
    assert pytest.approx(4.0) in source.report().bad_at


def test_one_broken_image_is_left_out(cases: Path) -> None:
    source = ImagesSource("east", str(cases / "img_one_broken"))
    frames, times = read(source)
    assert [frame.stamp.index for frame in frames] == [index for index in range(20) if index != 10]
    np.testing.assert_allclose(times, [index / 10 for index in range(20) if index != 10])
    assert source.num_bad == 1


def test_zeros_behind_the_end_of_an_image_are_ignored(cases: Path) -> None:
    source = ImagesSource("east", str(cases / "img_padded"))
    frames, _ = read(source)
    assert len(frames) == len(list((cases / "img_padded").iterdir()))
    assert source.num_bad == 0


def test_a_hole_of_ten_minutes_is_a_stated_gap(cases: Path) -> None:
    source = VideoFileSource("east", str(cases / "gap.mp4"))
    _, times = read(source)
    assert len(times) == 80
    assert times[-1] == pytest.approx(607.9)
    (gap,) = source.report().gaps
    assert (gap.outcome, gap.at, gap.seconds) == (GapOutcome.KEPT, pytest.approx(3.9), pytest.approx(600.1))


def test_a_flipped_recording_is_upright(cases: Path) -> None:
    flipped, _ = read(VideoFileSource("east", str(cases / "vflip.mp4")))
    plain, _ = read(VideoFileSource("east", str(cases / "plain.mp4")))
    for a, b in zip(flipped, plain, strict=True):  # encoded a second time, so not equal
        assert np.abs(a.image.astype(int) - b.image).mean() < 4


def test_every_size_of_a_stream_is_read(cases: Path) -> None:
    frames, _ = read(VideoFileSource("east", str(cases / "reschange.h264")))
    assert [frame.size_hw for frame in frames] == [(360, 640)] * 30 + [(180, 320)] * 25 + [(640, 360)] * 25


@pytest.mark.parametrize(
    ("name", "numbers"), [("mot_from_11", range(21, 41)), ("mot_gap", [*range(1, 11), *range(26, 41)])]
)
def test_numbers_and_times_of_a_mot_sequence_are_those_of_its_names(cases: Path, name: str, numbers: list[int]) -> None:
    names = sorted(int(path.stem) for path in (cases / name / "img1").iterdir())
    assert names == list(numbers)
    frames, times = read(ImagesSource("east", str(cases / name)))
    assert [frame.stamp.index + 1 for frame in frames] == names
    np.testing.assert_allclose(times, [(number - 1) / 10 for number in names])
