"""Scores on rendered worlds mean what they say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_networks import write_reid_onnx
from worlds import FRAME_HW, make_world

from models.training.scoring.score_worlds import main, score_detector, score_pose, score_vectors, spread_distances
from models.training.scoring.single_crops import histogram_vectors, search_across_cameras
from models.training.scoring.world_people import TrueFrame, read_true_crops, read_true_frames
from models.training.worlds import World
from pipeline.core import Detections, Frame, FrameStamp, LetterboxedFrame, PoseNeed, Tracklet
from pipeline.core.errors import ConfigError

TALL, SMALL, HIDDEN, FAINT = np.array(
    [[10, 10, 50, 110], [100, 10, 120, 55], [200, 10, 240, 110], [300, 10, 340, 110]], np.float32
)
VISIBILITY = np.array([1.0, 0.95, 0.5, 0.1], np.float32)


class GivenBoxes:
    """A detector that finds given boxes."""

    input_hw = (120, 200)

    def __init__(self, *boxes_xyxy: NDArray[np.float32], score: float = 0.9) -> None:
        self._boxes = np.array(boxes_xyxy, np.float32).reshape(-1, 4)
        self._scores = np.full(len(boxes_xyxy), score, np.float32)

    def detect(self, frames: list[LetterboxedFrame]) -> list[Detections]:
        return [Detections(frame.stamp, self._boxes, self._scores) for frame in frames]


class Shifted:
    """A pose estimator that is wrong by a given part of the crop."""

    gives = PoseNeed.KEYPOINTS

    def __init__(self, truth: list[NDArray[np.float32]], shift_y: float) -> None:
        self._truth = iter(truth)
        self._shift = np.array([0, shift_y, 0], np.float32)

    def estimate(self, tracklets: list[Tracklet]) -> list[Tracklet]:
        return [replace(it, keypoints=(next(self._truth) + self._shift)[None]) for it in tracklets]


def crowd(visibility: NDArray[np.float32] = VISIBILITY) -> list[TrueFrame]:
    frame = Frame(FrameStamp("east", 0, 0.0), np.zeros((240, 400, 3), np.uint8))
    return [TrueFrame(frame, np.stack([TALL, SMALL, HIDDEN, FAINT]), visibility, np.zeros(4, np.float32))]


def world(tmp_path: Path) -> World:
    return World(make_world(tmp_path, num_people=3))


def test_all_people_found_is_perfect() -> None:
    assert score_detector(GivenBoxes(TALL, SMALL, HIDDEN), crowd()) == (1, 1, 1, 1, 3)


def test_each_group_has_its_own_recall() -> None:
    assert score_detector(GivenBoxes(TALL, HIDDEN), crowd())[1:4] == (1, 0, 1)
    assert score_detector(GivenBoxes(SMALL), crowd())[1:4] == (0, 1, 0)


def test_a_box_on_a_hardly_visible_person_is_neither_right_nor_wrong() -> None:
    assert score_detector(GivenBoxes(TALL, FAINT), crowd())[0] == 1


def test_a_box_without_a_person_and_a_second_box_on_one_are_wrong() -> None:
    empty = np.array([350, 120, 380, 200], np.float32)
    assert score_detector(GivenBoxes(TALL, empty), crowd())[0] == 0.5
    assert score_detector(GivenBoxes(TALL, TALL), crowd())[0] == 0.5


def test_unsure_boxes_do_not_count() -> None:
    assert score_detector(GivenBoxes(TALL, SMALL, score=0.2), crowd())[:2] == (0, 0)


def test_who_is_cut_by_the_frame_is_in_no_group_but_may_be_found() -> None:
    (frame,) = crowd()
    cut = replace(frame, truncation=np.array([0.3, 0, 0, 0], np.float32))
    precision, *_, people = score_detector(GivenBoxes(TALL), [cut])
    assert (precision, people) == (1, 2)


def test_frames_come_with_their_own_people(tmp_path: Path) -> None:
    frames = list(read_true_frames([world(tmp_path)], max_frames=100, seed=0))
    assert len(frames) == 8
    assert {frame.frame.size_hw for frame in frames} == {FRAME_HW}
    boxes = np.concatenate([frame.boxes_xyxy for frame in frames])
    np.testing.assert_array_equal(boxes, world(tmp_path).read("full_xyxy")["full_xyxy"])


def test_the_same_seed_draws_the_same_crops(tmp_path: Path) -> None:
    worlds = [World(make_world(tmp_path, number)) for number in range(2)]
    drawn = [
        read_true_crops(worlds, min_visibility=0.5, min_height_px=40, max_crops=9, seed=seed) for seed in (1, 1, 2)
    ]
    boxes = [np.stack([crop.box_xyxy for crop in crops]) for crops in drawn]
    assert len(boxes[0]) == 9
    np.testing.assert_array_equal(boxes[0], boxes[1])
    assert not np.array_equal(boxes[0], boxes[2])


def test_a_crop_shows_the_box_and_its_keypoints_are_parts_of_it(tmp_path: Path) -> None:
    one = world(tmp_path)
    frames = {it.frame.stamp: it for it in read_true_frames([one], max_frames=100, seed=0)}
    boxes = np.concatenate([it.boxes_xyxy for it in frames.values()])
    for crop in read_true_crops([one], min_visibility=0.5, min_height_px=0, max_crops=100, seed=0):
        assert (crop.box_xyxy == boxes).all(axis=1).any()
        height, width = crop.image.shape[:2]
        assert (width, height) == tuple(crop.box_xyxy[2:] - crop.box_xyxy[:2])
        # The fixed places of the fabricated people: nose and right ankle.
        np.testing.assert_allclose(crop.keypoints[[0, 16], :2], [[0.5, 0.08], [0.25, 0.95]], atol=1e-5)


def test_no_person_tall_enough_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="data: expected crops of people over 500 px"):
        read_true_crops([world(tmp_path)], min_visibility=0.5, min_height_px=500, max_crops=10, seed=0)


def test_people_of_one_colour_are_found_by_their_colour(tmp_path: Path) -> None:
    crops = read_true_crops([world(tmp_path)], min_visibility=0.5, min_height_px=0, max_crops=100, seed=0)
    scores = score_vectors(histogram_vectors([crop.image for crop in crops]), crops)
    assert scores["crops"][0] > 0.95
    assert scores["tracklets"][1:] == (1, 6)  # three people in two cameras
    assert "other outer wear" not in scores


def test_another_outfit_is_neither_right_nor_wrong_unless_it_is_asked_for() -> None:
    # Person 1: outfit 0 in cameras 0 and 1, outfit 1 in camera 1, which looks more like the query; person 2: far off.
    vectors = np.array([[1, 0], [0.8, 0.6], [1, 0], [0, 1]], np.float32)
    people, outfits, cameras = np.array([[1, 1, 1, 2], [0, 0, 1, 0], [0, 1, 1, 1]])
    asked = np.array([True, False, False, False])
    for change in (False, True):
        found = search_across_cameras(vectors, people, cameras, outfits=outfits, change=change, asked=asked)
        assert found.score == (1, 1, 1)
    vectors[3] = [0.9, np.sqrt(0.19)]  # between the right answer and the other outfit
    found = search_across_cameras(vectors, people, cameras, outfits=outfits, asked=asked)
    assert found.score == (0.5, 0, 1)
    found = search_across_cameras(vectors, people, cameras, outfits=outfits, change=True, asked=asked)
    assert found.score == (1, 1, 1)


def test_distances_are_of_one_person_across_cameras_and_of_two_in_one_world(tmp_path: Path) -> None:
    drawn = read_true_crops([world(tmp_path)], min_visibility=0.0, min_height_px=0, max_crops=1, seed=0)[0]
    seen = [(1, 0, 0), (1, 0, 1), (1, 1, 1), (2, 0, 0), (3, 0, 1000)]
    crops = [replace(drawn, person_id=who, outfit=worn, camera=camera) for who, worn, camera in seen]
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1], [0, 1], [1, 0]], np.float32)
    # One person in one outfit: the first two. Two people of one world: 2 and any of the first three.
    *spread, num_same, num_different = spread_distances(vectors, crops)
    assert (num_same, num_different) == (1, 3)
    assert spread == pytest.approx([0.4, 0.0, 0.4, np.std([1.0, 0.2, 0.0])], abs=1e-6)


def test_errors_of_keypoints_are_in_heights(tmp_path: Path) -> None:
    crops = read_true_crops([world(tmp_path)], min_visibility=0.9, min_height_px=0, max_crops=20, seed=0)
    truth = [crop.keypoints for crop in crops]
    assert score_pose(Shifted(truth, 0.0), crops) == (0, 1, 17 * len(crops))
    median, near, _ = score_pose(Shifted(truth, 0.1), crops)
    assert (median, near) == (pytest.approx(0.1, abs=1e-5), 0)


def test_an_embedder_is_scored_beside_the_histogram(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    make_world(tmp_path, num_people=3)
    network = write_reid_onnx(tmp_path / "tiny.onnx", hw=(64, 32))
    main(
        [
            *(f"data={tmp_path}", "max_crops=50", "embedder=image_onnx", f"embedder.weights={network}"),
            "embedder.crop_size_hw=[64,32]",
        ]
    )
    printed = capsys.readouterr().out
    assert "colour histogram, tracklets" in printed
    assert "image_onnx, crops" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=/nowhere"], "expected detector=… or embedder=… or pose=…, got none"),
        (["pose"], "expected key=value, got 'pose'"),
        (["pose=movenet"], "command line: expected values for data, .* got: .*data"),
        (["pose=movenet", "data=/nowhere"], "expected more worlds in /nowhere/worlds"),
        (["pose=movenet", "data=/nowhere", "max_crops=many"], "got: Value 'many'"),
        (["pose=movenet", "data=/nowhere", "max_crops=0"], "max_frames, max_crops: expected at least 1"),
    ],
)
def test_what_cannot_be_scored_is_said(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        main(arguments)
