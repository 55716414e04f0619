"""Records check their arrays once, when built, and cannot be changed later."""

import pickle
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from factories import make_detections, make_embedding, make_frame, make_path, make_sighting, make_stamp, make_tracklet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import Detections, Frame, Identity, LetterboxedFrame, TrackId, Tracklet, TrackPath, TrackUpdate
from pipeline.core.arrays import check_array
from pipeline.core.distance import check_same_space, cosine_distances
from pipeline.core.errors import EmbeddingSpaceError, ShapeError, SinkBusyError

RECORDS = {
    "frame": make_frame(),
    "letterboxed": LetterboxedFrame(make_stamp(), np.zeros((8, 8, 3), np.uint8), 0.5, (16, 16)),
    "detections": make_detections(),
    "update": TrackUpdate(np.array([1], np.int64), ()),
    "path": make_path(),
    "tracklet": make_tracklet(),
    "embedding": make_embedding(),
    "sighting": make_sighting(),
    "identity": Identity(1, "test@0", np.ones((2, 4), np.float32), 0.0, 1.0, ("east",)),
}


def arrays_of(record) -> list[np.ndarray]:
    values = [getattr(record, field.name) for field in fields(record)]
    return [value for value in values if isinstance(value, np.ndarray)]


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_arrays_of_a_record_cannot_be_written_to(record) -> None:
    assert arrays_of(record)
    for array in arrays_of(record):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_fields_of_a_record_cannot_be_replaced(record) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(record, fields(record)[0].name, None)


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_survives_pickling(record) -> None:
    copy = pickle.loads(pickle.dumps(record))
    for mine, theirs in zip(arrays_of(copy), arrays_of(record), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Frame(make_stamp(), np.zeros((8, 8), np.uint8)),
            r"image: expected uint8 \(\*, \*, 3\), got uint8 \(8, 8\)",
        ),
        (lambda: Frame(make_stamp(), np.zeros((8, 8, 3))), r"image: expected uint8 .*, got float64"),
        (
            lambda: Detections(make_stamp(), np.zeros((2, 4), np.float32), np.zeros(3, np.float32)),
            r"scores: expected float32 \(2,\), got float32 \(3,\)",
        ),
        (lambda: TrackUpdate(np.array([1], np.int32), ()), r"numbers: expected int64 \(\*,\), got int32"),
        (
            lambda: TrackPath(
                np.zeros(2, np.int64), np.zeros(3), np.zeros((2, 4), np.float32), np.zeros(2, np.float32), (8, 8)
            ),
            r"captured_at: expected float64 \(2,\), got float64 \(3,\)",
        ),
        (
            lambda: Tracklet(
                **{name: getattr(make_tracklet(), name) for name in Tracklet.__slots__}
                | {"keypoints": np.zeros((3, 17, 3), np.float32)}
            ),
            r"keypoints: expected float32 \(4, 17, 3\), got float32 \(3, 17, 3\)",
        ),
    ],
    ids=["grey", "floats", "rows", "int32", "times", "keypoints"],
)
def test_a_record_refuses_arrays_of_another_shape_or_dtype(make, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        make()


def test_a_value_that_is_not_an_array_is_named_by_its_type() -> None:
    with pytest.raises(ShapeError, match=r"^numbers: expected int64 \(\*,\), got list$"):
        check_array("numbers", [1, 2], (None,), np.int64)


def test_selected_rows_stay_together() -> None:
    found = make_detections([(0, 0, 1, 1), (1, 0, 2, 1), (2, 0, 3, 1)], [0.1, 0.2, 0.3])
    picked = found.select(np.array([2, 0]))
    assert picked.stamp == found.stamp
    assert picked.boxes_xyxy[:, 0].tolist() == [2.0, 0.0]
    np.testing.assert_array_equal(picked.scores, np.float32([0.3, 0.1]))


@given(st.text(min_size=1), st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_track_name_can_be_read_back_whatever_the_camera_is_called(camera_id: str, session: int, number: int) -> None:
    track_id = TrackId(camera_id, session, number)
    assert TrackId.parse(str(track_id)) == track_id


@pytest.mark.parametrize("text", ["east", "east/1", "east/x/1", "", "east/1/"])
def test_a_text_that_is_not_a_track_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected camera/session/number|invalid literal"):
        TrackId.parse(text)


UNITS = st.integers(0, 10_000).map(
    lambda seed: (lambda v: v / np.linalg.norm(v, axis=1, keepdims=True))(
        np.random.default_rng(seed).normal(size=(3, 8)).astype(np.float32)
    )
)


@given(UNITS, UNITS)
def test_distances_are_between_0_and_2_and_the_same_both_ways(one, two) -> None:
    distances = cosine_distances(one, two)
    assert distances.shape == (3, 3)
    assert (distances >= 0).all()
    assert (distances <= 2).all()
    np.testing.assert_allclose(distances, cosine_distances(two, one).T, atol=1e-6)
    np.testing.assert_allclose(np.diag(cosine_distances(one, one)), 0, atol=1e-6)


def test_two_spaces_are_never_compared() -> None:
    check_same_space("a@1", "a@1")
    with pytest.raises(EmbeddingSpaceError, match="expected the space a@1, got a@2; new weights need an empty gallery"):
        check_same_space("a@1", "a@2")


def test_a_busy_sink_says_how_long_to_wait() -> None:
    assert SinkBusyError("full", retry_after_s=2.5).retry_after_s == 2.5
