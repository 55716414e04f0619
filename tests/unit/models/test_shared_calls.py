"""With reproducible=false what waits shares calls of the network; what comes out is the same but for rounding."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_stamp, make_tracklet
from hypothesis import given
from hypothesis import strategies as st
from plugins import plugin_factory
from tiny_networks import write_clip_onnx, write_reid_onnx

from models.backends.network import neighbours, shared_calls
from models.detection.self_test import load_people
from models.reid.clip_average import ClipAverage
from models.reid.image_onnx import ImageOnnxEmbedder
from models.reid.video_onnx import VideoOnnxEmbedder
from pipeline.core import LetterboxedFrame


def people(input_hw: tuple[int, int], number: int) -> list[LetterboxedFrame]:
    """Return frames of three people who walk to the right."""
    picture = load_people(input_hw)
    return [
        LetterboxedFrame(make_stamp(index=index), np.roll(picture, 3 * index, axis=1), 1.0, input_hw)
        for index in range(number)
    ]


@given(st.lists(st.integers(1, 90), max_size=30), st.integers(1, 64))
def test_every_group_is_in_one_call_and_calls_are_as_large_as_they_may_be(sizes: list[int], most: int) -> None:
    runs = list(neighbours(sizes, most))
    assert [first for first, _ in runs] == [0, *(last for _, last in runs[:-1])][: len(runs)]
    assert sum(last - first for first, last in runs) == len(sizes)
    for first, last in runs:
        assert last - first == 1 or sum(sizes[first:last]) <= most
    for (first, last), (_, after) in itertools.pairwise(runs):
        assert sum(sizes[first:last]) + sizes[last] > most
        assert after > last


@given(st.lists(st.integers(1, 5), max_size=10), st.booleans())
def test_answers_belong_to_their_groups(sizes: list[int], reproducible: bool) -> None:
    starts = np.cumsum([0, *sizes])
    groups = [np.arange(a, b) for a, b in itertools.pairwise(starts)]
    calls: list[int] = []

    def answer(inputs: np.ndarray) -> list[np.ndarray]:
        calls.append(len(inputs))
        return [inputs, inputs * 2]

    answers = list(shared_calls(answer, groups, reproducible=reproducible))
    for group, (same, double) in zip(groups, answers, strict=True):
        np.testing.assert_array_equal(same, group)
        np.testing.assert_array_equal(double, group * 2)
    assert calls == sizes if reproducible else len(calls) <= 1


@pytest.mark.shared
@pytest.mark.parametrize("name", ["passerby", "openvino"])
def test_a_detector_takes_the_frames_of_a_batch_in_one_call(shared: Path, name: str) -> None:
    alone, together = (plugin_factory("detector", name, reproducible=value)() for value in (True, False))
    frames = people(alone.input_hw, 5)
    found, others = alone.detect(frames), together.detect(frames)
    assert dict(alone.calls) == {1: 5}
    assert dict(together.calls) == {5: 1}
    for one, other in zip(found, others, strict=True):
        assert one.stamp == other.stamp
        np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy, atol=0.01)
        np.testing.assert_allclose(one.scores, other.scores, atol=0.001)
    assert together.detect([]) == []


@pytest.mark.shared
def test_a_detector_whose_file_takes_one_picture_goes_on_one_by_one(shared: Path) -> None:
    detector = plugin_factory("detector", "yolox_onnx", reproducible=False)()
    assert len(detector.detect(people(detector.input_hw, 2))) == 2
    assert dict(detector.calls) == {1: 2}


def reid(path: Path, *, reproducible: bool) -> ImageOnnxEmbedder:
    file: dict[str, Any] = {"weights": str(path), "weights_dir": None, "sha256": None, "device": "cpu", "threads": 1}
    scaling: dict[str, Any] = {"colour_order": "rgb", "mean": [0, 0, 0], "std": [1, 1, 1]}
    options: dict[str, Any] = {"clip_len": 4, "crop_size_hw": (64, 32), "quality_exponent": 1.0, "flip": True}
    return ImageOnnxEmbedder(name="tiny", reproducible=reproducible, **options, **scaling, **file)


def test_an_embedder_takes_the_crops_of_several_tracklets_in_one_call(tmp_path: Path) -> None:
    path = write_reid_onnx(tmp_path / "reid.onnx", hw=(64, 32))
    alone, together = reid(path, reproducible=True), reid(path, reproducible=False)
    tracklets = [make_tracklet(num_crops=number, seed=number) for number in (1, 3, 2)]
    for one, other in zip(alone.embed(tracklets), together.embed(tracklets), strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
    assert dict(alone.calls) == {2: 1, 6: 1, 4: 1}  # mirrored, too
    assert dict(together.calls) == {12: 1}


@pytest.mark.parametrize("shared_calls_of", [ClipAverage, VideoOnnxEmbedder], ids=["clips", "one clip a call"])
def test_clips_of_several_tracklets_share_a_call_where_the_network_takes_them(
    tmp_path: Path, shared_calls_of: Callable[..., Any]
) -> None:
    options: dict[str, Any] = {
        "clip_len": 2,
        "crop_size_hw": (64, 32),
        "needs": "nothing",
        "clip_scheme": "dense",
        "max_clips": 3,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
    }
    tracklets = [make_tracklet(num_crops=number, seed=number) for number in (1, 3, 6)]
    sizes: list[int] = []
    if shared_calls_of is VideoOnnxEmbedder:
        path = write_clip_onnx(tmp_path / "clips.onnx", clip_len=2, hw=(64, 32))
        file: dict[str, Any] = {
            "weights": str(path),
            "weights_dir": None,
            "sha256": None,
            "device": "cpu",
            "threads": 1,
        }
        embedder = VideoOnnxEmbedder(name="tiny", reproducible=False, **file, **options)
        embedder.embed(tracklets)
        assert dict(embedder.calls) == {1: 6}
        return

    def network(pixels: np.ndarray, pose: np.ndarray | None) -> np.ndarray:
        sizes.append(len(pixels))
        return pixels.mean(axis=(1, 3, 4))

    made = [
        ClipAverage(network, space="tiny@0", clips=options, reproducible=value).embed(tracklets)  # type: ignore[arg-type]
        for value in (True, False)
    ]
    for one, other in zip(*made, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-6)
    assert sizes == [1, 2, 3, 6]
