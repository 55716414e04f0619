"""Test-time schemes of clips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reid.clips import clip_scheme, cut_dense, cut_evenly, cut_interleaved, cut_rrs_first
from pipeline.core.errors import ConfigError

LENGTHS = st.integers(1, 200)
CLIP_LENS = st.integers(1, 12)


@pytest.mark.parametrize("name", ["dense", "interleaved", "rrs_first", "evenly"])
@given(LENGTHS, CLIP_LENS)
def test_every_index_is_a_crop_and_every_clip_is_whole(name: str, num_crops: int, clip_len: int) -> None:
    indices = clip_scheme(name)(num_crops, clip_len)
    assert indices.ndim == 2
    assert indices.shape[1] == clip_len
    assert indices.min() == 0
    assert indices.max() < num_crops


@given(LENGTHS, CLIP_LENS)
def test_dense_and_even_clips_visit_every_crop(num_crops: int, clip_len: int) -> None:
    assert set(cut_dense(num_crops, clip_len).ravel()) == set(range(num_crops))
    if num_crops <= 50 * clip_len:
        assert set(cut_evenly(num_crops, clip_len).ravel()) == set(range(num_crops))


@given(LENGTHS, CLIP_LENS)
def test_dense_clips_are_as_few_as_can_be(num_crops: int, clip_len: int) -> None:
    assert len(cut_dense(num_crops, clip_len)) == -(-num_crops // clip_len)


@given(LENGTHS, CLIP_LENS)
def test_interleaved_clips_visit_each_crop_once_but_the_last_few(num_crops: int, clip_len: int) -> None:
    visited = cut_interleaved(num_crops, clip_len).ravel()
    if num_crops >= clip_len:
        assert sorted(visited) == list(range(num_crops // clip_len * clip_len))


@given(LENGTHS, CLIP_LENS)
def test_the_first_of_each_chunk_ascends_from_the_first_crop(num_crops: int, clip_len: int) -> None:
    (clip,) = cut_rrs_first(num_crops, clip_len)
    assert clip[0] == 0
    assert (np.diff(clip) >= 0).all()


def test_no_tracklet_has_more_than_fifty_even_clips() -> None:
    assert len(cut_evenly(900, 6)) == 50


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dense", [0, 1, 2, 0, 1, 2]), ("interleaved", [0, 1, 2, 0, 1, 2]), ("rrs_first", [0, 1, 2, 2, 2, 2])],
)
def test_a_tracklet_shorter_than_a_clip_is_filled_up(name: str, expected: list[int]) -> None:
    np.testing.assert_array_equal(clip_scheme(name)(3, 6), [expected])


def test_one_crop_more_than_a_clip_leaves_restricted_chunks_at_its_end() -> None:
    # Chunks of two crops: five of them hold all nine.
    np.testing.assert_array_equal(cut_rrs_first(9, 8), [[0, 2, 4, 6, 8, 8, 8, 8]])


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigError, match="clip_scheme: expected one of dense, interleaved, rrs_first, evenly"):
        clip_scheme("random")
