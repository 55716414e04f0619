"""Which tracklets meet in a batch, and which of their frames make a clip."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat

from models.training.video.batches import draw_epoch
from models.training.video.frames import (
    draw_balanced,
    draw_consecutive,
    draw_restricted,
    draw_strided,
    frame_scheme,
)
from pipeline.core.errors import ConfigError, DataError

HISTOGRAMS = st.lists(st.integers(1, 13), min_size=4, max_size=20)
SCHEMES = ["consecutive", "restricted", "balanced", "any", "strided"]


def labels_of(histogram: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(histogram)) * 3, histogram)


@pytest.mark.parametrize("scheme", ["pk_once", "pk_all"])
@given(HISTOGRAMS, st.integers(0, 99))
def test_every_batch_holds_groups_of_one_person_each(scheme: str, histogram: list[int], seed: int) -> None:
    labels = labels_of(histogram)
    batches = draw_epoch(labels, scheme=scheme, num_people=4, num_each=3, rng=np.random.default_rng(seed))
    groups = labels[batches].reshape(-1, 3)
    assert (groups == groups[:, :1]).all()
    for rows in batches.reshape(-1, 3):
        if np.count_nonzero(labels == labels[rows[0]]) >= 3:
            assert len(set(rows)) == 3


@given(HISTOGRAMS, st.integers(0, 99))
def test_once_has_each_person_once_but_those_that_fill_no_batch(histogram: list[int], seed: int) -> None:
    labels = labels_of(histogram)
    batches = draw_epoch(labels, scheme="pk_once", num_people=4, num_each=3, rng=np.random.default_rng(seed))
    assert batches.shape == (len(histogram) // 4, 12)
    people = labels[batches].reshape(-1, 3)[:, 0]
    assert len(set(people)) == len(people)


@given(HISTOGRAMS, st.integers(0, 99))
def test_all_has_as_many_groups_of_each_person_as_their_tracklets_fill(histogram: list[int], seed: int) -> None:
    labels = labels_of(histogram)
    batches = draw_epoch(labels, scheme="pk_all", num_people=4, num_each=3, rng=np.random.default_rng(seed))
    assert len(batches) == sum(max(1, count // 3) for count in histogram) // 4


@pytest.mark.shared
@pytest.mark.parametrize(("scheme", "num_batches"), [("pk_once", 78), ("pk_all", 235)])
def test_an_epoch_of_mars_is_as_long_as_specified(shared: Path, scheme: str, num_batches: int) -> None:
    labels = loadmat(shared / "data" / "mars" / "tracks_train_info.mat")["track_train_info"][:, 2].astype(np.int64)
    rng = np.random.default_rng(0)
    assert len(draw_epoch(labels, scheme=scheme, num_people=8, num_each=4, rng=rng)) == num_batches


def test_the_same_chance_gives_the_same_epoch() -> None:
    labels = labels_of([5] * 9)
    one, other = (
        draw_epoch(labels, scheme="pk_all", num_people=2, num_each=2, rng=np.random.default_rng(3)) for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("changes", [{"scheme": "all"}, {"num_people": 0}, {"num_each": 0}], ids=str)
def test_batches_that_cannot_be_are_refused(changes: dict) -> None:
    given_ = {"scheme": "pk_once", "num_people": 2, "num_each": 2} | changes
    with pytest.raises(ConfigError, match="batches"):
        draw_epoch(labels_of([3, 3]), rng=np.random.default_rng(0), **given_)


def test_too_few_people_for_a_batch_are_reported() -> None:
    with pytest.raises(DataError, match="expected 8 people for a batch, got 2"):
        draw_epoch(labels_of([3, 3]), scheme="pk_once", num_people=8, num_each=2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", SCHEMES)
@given(st.integers(1, 300), st.integers(1, 12), st.integers(0, 99))
def test_frames_are_of_the_tracklet_and_as_many_as_a_clip_has(
    name: str, num_frames: int, clip_len: int, seed: int
) -> None:
    indices = frame_scheme(name)(num_frames, clip_len, np.random.default_rng(seed))
    assert indices.shape == (clip_len,)
    assert indices.min() >= 0
    assert indices.max() < num_frames


@pytest.mark.parametrize("name", ["restricted", "balanced", "any", "strided"])
@given(st.integers(1, 300), st.integers(1, 12), st.integers(0, 99))
def test_frames_come_in_their_order(name: str, num_frames: int, clip_len: int, seed: int) -> None:
    assert (np.diff(frame_scheme(name)(num_frames, clip_len, np.random.default_rng(seed))) >= 0).all()


@given(st.integers(1, 50), st.integers(1, 12), st.integers(0, 99))
def test_a_run_is_consecutive_and_a_short_tracklet_is_repeated(num_frames: int, clip_len: int, seed: int) -> None:
    indices = draw_consecutive(num_frames, clip_len, np.random.default_rng(seed))
    if num_frames >= clip_len:
        assert (np.diff(indices) == 1).all()
    else:
        np.testing.assert_array_equal(indices, np.arange(clip_len) % num_frames)


def test_each_restricted_frame_comes_from_its_chunk() -> None:
    drawn = np.stack([draw_restricted(24, 8, np.random.default_rng(seed)) for seed in range(200)])
    for chunk in range(8):
        assert set(drawn[:, chunk]) == set(range(3 * chunk, 3 * chunk + 3))


def test_one_frame_more_than_a_clip_wastes_chunks_unless_they_are_balanced() -> None:
    restricted = np.stack([draw_restricted(9, 8, np.random.default_rng(seed)) for seed in range(50)])
    assert (restricted[:, 4:] == 8).all()
    balanced = np.stack([draw_balanced(9, 8, np.random.default_rng(seed)) for seed in range(50)])
    assert len(set(balanced[0])) == 8
    assert set(balanced[:, 7]) == {7, 8}


def test_a_short_tracklet_ends_in_its_last_frame() -> None:
    np.testing.assert_array_equal(draw_restricted(3, 6, np.random.default_rng(0)), [0, 1, 2, 2, 2, 2])


def test_a_long_tracklet_is_strided() -> None:
    assert set(np.diff(draw_strided(100, 6, np.random.default_rng(0)))) == {8}


def test_an_unknown_scheme_of_frames_is_refused() -> None:
    with pytest.raises(ConfigError, match="frames: expected one of consecutive"):
        frame_scheme("rrs")
