"""STCA: its counts, and what its equations promise."""

import pytest
import torch
from torch.nn import functional
from video_networks import make_clips, make_network

from models.reid.networks.stca import CrossAttention, Stca, correlate
from models.summary import summarise
from pipeline.core.errors import ConfigError, ShapeError

FRAMES = torch.randn(2, 3, 16, 12, generator=torch.Generator().manual_seed(0))
"""B, T, C, K."""
CLIP = torch.randn(2, 16, 12, generator=torch.Generator().manual_seed(1))
"""B, C, K."""


@pytest.fixture
def cross() -> CrossAttention:
    torch.manual_seed(0)
    return CrossAttention(12, reduction=4).eval()


def summary_of(**changes: object) -> tuple[int, float]:
    given = {"num_ids": 625, "clip_len": 8, "crop_size_hw": (384, 128)} | changes
    summary = summarise(Stca, **given)
    return summary.parameters, summary.gmacs_per_frame


def test_counts_are_those_of_the_paper_which_are_of_one_frame() -> None:
    parameters, gmacs = summary_of(clip_len=1)
    assert parameters == 41_873_106
    assert gmacs == pytest.approx(12.9739, abs=5e-5)


def test_a_clip_of_eight_costs_less_a_frame_than_a_clip_of_one() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stca, "macs_per_normalised", 0)
        # The specification's 67.37 GMAC are without the normalisations.
        assert summary_of()[1] * 8 == pytest.approx(67.37, abs=5e-3)


@pytest.mark.parametrize(("num_places", "parameters"), [(192, 2_514), (128, 1_164)])
def test_the_cross_attention_is_as_small_as_reported(num_places: int, parameters: int) -> None:
    assert sum(p.numel() for p in CrossAttention(num_places).parameters()) == parameters


def test_attention_is_positive_and_sums_to_one(cross: CrossAttention) -> None:
    for attention in cross(FRAMES, CLIP):
        assert attention.shape == (2, 3, 12)
        assert (attention >= 0).all()
        torch.testing.assert_close(attention.sum(-1), torch.ones(2, 3))


def test_attention_is_what_a_loop_over_places_gives(cross: CrossAttention) -> None:
    first, norm, _, last = cross.generator
    in_frames, in_clip = cross(FRAMES, CLIP)
    b, t = 1, 2
    relation = torch.empty(12, 12)
    for i in range(12):
        for j in range(12):
            one, other = FRAMES[b, t, :, i], CLIP[b, :, j]
            relation[i, j] = one @ other / one.norm() / other.norm()
    for found, rows in ((in_frames, relation), (in_clip, relation.T)):
        pooled = torch.stack([sum(rows[i, j] for i in range(12)) / 12 for j in range(12)])
        hidden = first.weight[:, :, 0, 0] @ pooled + first.bias
        hidden = (hidden - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        kernel = last.weight[:, :, 0, 0] @ hidden.relu() + last.bias
        scores = torch.stack([sum(rows[i, j] * kernel[j] for j in range(12)) / 12 for i in range(12)])
        torch.testing.assert_close(found[b, t], (scores / 0.025).softmax(0), atol=1e-4, rtol=1e-4)


def test_a_frame_that_is_the_clip_is_attended_as_the_clip_is(cross: CrossAttention) -> None:
    relation = correlate(CLIP[:, None], CLIP)
    torch.testing.assert_close(relation, relation.transpose(2, 3))
    in_frames, in_clip = cross(CLIP[:, None], CLIP)
    torch.testing.assert_close(in_frames, in_clip)


def test_how_strong_the_maps_are_does_not_matter(cross: CrossAttention) -> None:
    for found, expected in zip(cross(3 * FRAMES, 0.2 * CLIP), cross(FRAMES, CLIP), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_frames_in_another_order_are_attended_in_that_order(cross: CrossAttention) -> None:
    order = [2, 0, 1]
    for found, expected in zip(cross(FRAMES[:, order], CLIP), cross(FRAMES, CLIP), strict=True):
        torch.testing.assert_close(found, expected[:, order])


def test_the_network_as_a_whole_sees_the_order_of_frames() -> None:
    network, clips = make_network(Stca), make_clips(1, 8)
    turned = type(clips)(clips.pixels.flip(1))
    assert not torch.allclose(network(clips).vector, network(turned).vector, atol=1e-4)


@pytest.mark.parametrize("identity", [True, False])
def test_what_goes_on_has_norm_one_at_every_place_by_default(identity: bool) -> None:
    weights = torch.rand(2, 3, 12).softmax(-1), torch.rand(2, 3, 12).softmax(-1)
    fused = make_network(Stca, fuse_identity=identity)._fuse(FRAMES, CLIP, *weights)
    torch.testing.assert_close(fused.norm(dim=2), torch.ones(2, 3, 12))
    plain = make_network(Stca, fuse_identity=identity, fuse_l2norm=False)._fuse(FRAMES, CLIP, *weights)
    expected = FRAMES * (1 + weights[0][:, :, None]) + CLIP[:, None] * (1 + weights[1][:, :, None]) + identity * FRAMES
    torch.testing.assert_close(plain, expected)
    torch.testing.assert_close(fused, functional.normalize(plain, dim=2))


@pytest.mark.parametrize("num_frames", [1, 2, 4, 6, 8, 10, 12])
def test_clips_of_every_length_of_table_3_will_do(num_frames: int) -> None:
    output = make_network(Stca)(make_clips(1, num_frames))
    assert output.extras["attention_in_frames"].shape == (1, num_frames, 8)
    assert output.vector.isfinite().all()


@pytest.mark.parametrize(("mode", "dim"), [("2d", 256), ("3d", 256), ("concat", 512), ("stca", 256)])
def test_the_trunks_can_be_compared_one_by_one(mode: str, dim: int) -> None:
    network = make_network(Stca, mode=mode)
    assert network.vector_dim == dim
    assert network(make_clips()).vector.shape == (2, dim)


def test_crops_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"Stca: expected crops of \(64, 32\), got \(96, 32\)"):
        make_network(Stca)(make_clips(crop_hw=(96, 32)))


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="mode: expected one of 2d, 3d, concat, stca"):
        make_network(Stca, mode="4d")
