"""The stages without state: detection, pose and embedding."""

from collections.abc import Sequence

import numpy as np
import pytest
from factories import make_detections, make_embedding, make_frame, make_stamp, make_tracklet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.camera.detection import PADDING, DetectionStage, letterbox
from pipeline.core import Detections, Embedding, LetterboxedFrame, PoseNeed, TrackId, Tracklet
from pipeline.embedding.embedding import EmbeddingStage
from pipeline.embedding.pose import PoseStage


class FixedDetector:
    input_hw = (64, 64)

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self._boxes, self._scores = boxes, scores

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        return [make_detections(self._boxes, self._scores, frame.stamp) for frame in frames]


class NamingEmbedder:
    """Gives embeddings that name their tracklet."""

    space, clip_len, crop_size_hw, needs = "test@0", 4, (64, 32), PoseNeed.NOTHING

    def __init__(self, num_missing: int = 0) -> None:
        self._num_missing = num_missing

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        return [make_embedding(t.track_id, t.part, t.path) for t in tracklets][self._num_missing :]


class EmptyPose:
    gives = PoseNeed.KEYPOINTS

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        return list(tracklets)


def tracklet_of(number: int, quality: float) -> Tracklet:
    tracklet = make_tracklet(TrackId("east", 0, number))
    values = {name: getattr(tracklet, name) for name in Tracklet.__slots__}
    return Tracklet(**values | {"qualities": np.array([0.0, 0.0, quality, 0.0], np.float32)})


def search(boxes, scores, num_frames: int = 1) -> list[Detections]:
    stage = DetectionStage(FixedDetector(boxes, scores), min_score=0.3, min_height_px=20.0)
    return stage.process([letterbox(make_frame(make_stamp(index=i)), (64, 64)) for i in range(num_frames)])


def test_small_and_low_scoring_boxes_are_dropped_and_rows_stay_aligned() -> None:
    boxes = [(0, 0, 10, 50), (1, 0, 10, 50), (2, 0, 10, 15), (3, 0, 10, 20)]
    (found,) = search(boxes, [0.9, 0.2, 0.9, 0.3])
    assert found.boxes_xyxy[:, 0].tolist() == [0.0, 3.0]
    np.testing.assert_array_equal(found.scores, np.float32([0.9, 0.3]))


def test_every_frame_gets_its_record_in_order() -> None:
    found = search([], [], num_frames=3)
    assert [(one.stamp.index, len(one)) for one in found] == [(0, 0), (1, 0), (2, 0)]


def test_no_frames_are_no_detections() -> None:
    assert search([], [], num_frames=0) == []


@given(st.integers(20, 300), st.integers(20, 300), st.sampled_from([(64, 64), (64, 128), (96, 32)]))
def test_a_letterboxed_frame_fits_and_the_rest_is_grey(height: int, width: int, input_hw: tuple[int, int]) -> None:
    frame = make_frame(hw=(height, width))
    boxed = letterbox(frame, input_hw)
    assert boxed.image.shape == (*input_hw, 3)
    assert (boxed.stamp, boxed.frame_hw) == (frame.stamp, (height, width))
    inner_h, inner_w = round(height * boxed.scale), round(width * boxed.scale)
    assert inner_h == input_hw[0] or inner_w == input_hw[1]
    assert (boxed.image[inner_h:] == PADDING).all()
    assert (boxed.image[:, inner_w:] == PADDING).all()


def test_a_frame_of_the_right_size_is_not_changed_by_letterboxing() -> None:
    frame = make_frame(hw=(64, 48))
    np.testing.assert_array_equal(letterbox(frame, (64, 48)).image, frame.image)


@given(st.lists(st.sampled_from([0.01, 0.02, 0.5]), max_size=8))
def test_tracklets_of_poor_quality_become_none_and_the_others_keep_their_places(best: list[float]) -> None:
    batch = [tracklet_of(number, quality) for number, quality in enumerate(best)]
    found = EmbeddingStage(NamingEmbedder(), min_quality=0.015).process(batch)
    assert [None if e is None else e.track_id.number for e in found] == [
        None if quality < 0.015 else number for number, quality in enumerate(best)
    ]


def test_an_embedder_that_omits_a_tracklet_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        EmbeddingStage(NamingEmbedder(num_missing=1), min_quality=0.0).process([make_tracklet(), make_tracklet()])


def test_the_pose_stage_gives_back_what_the_estimator_says() -> None:
    tracklets = [make_tracklet(), make_tracklet()]
    assert PoseStage(EmptyPose()).process(tracklets) == tracklets


def test_stages_without_a_memory_have_nothing_to_flush() -> None:
    assert DetectionStage(FixedDetector([], []), min_score=0.0, min_height_px=0.0).flush() == []
    assert EmbeddingStage(NamingEmbedder(), min_quality=0.0).flush() == []
    assert PoseStage(EmptyPose()).flush() == []
