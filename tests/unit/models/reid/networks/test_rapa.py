"""RAPA: its counts, and what its equations promise."""

from functools import partial

import pytest
import torch
from video_networks import make_clips, make_network, reorder_frames

from models.reid.networks.clip_network import Clips
from models.reid.networks.ctl import Ctl
from models.reid.networks.rapa import FrameScore, PartAlignment, Rapa, inter_frame_distance, pool_parts
from models.summary import summarise
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError, DataError

CROP_HW = (128, 64)
"""Of which the maps are 4 x 2."""
MAPS = torch.rand(2, 3, 8, 4, 2, generator=torch.Generator().manual_seed(0))
"""B, T, C, H, W; not negative, as behind a ReLU."""


def test_reducers_begin_as_the_1x1_convolutions_that_they_stand_for() -> None:
    for layer, num_in in ((make_rapa().reduce["parts"][0], 512), (make_network(Ctl).concatenate[0], 256)):
        assert layer.in_features == num_in
        assert float(layer.weight.detach().std()) == pytest.approx((2 / num_in) ** 0.5, rel=0.05)


def make_rapa(**settings: object) -> torch.nn.Module:
    return make_network(Rapa, crop_size_hw=CROP_HW, **settings)


def clips_for(num_frames: int = 4, seed: int = 0) -> Clips:
    return make_clips(2, num_frames, crop_hw=CROP_HW, needs=PoseNeed.KEYPOINTS, seed=seed)


@pytest.fixture
def align() -> PartAlignment:
    return PartAlignment(8, relation_bn="shared", score_sigmoid=False, is_weighted=True).eval()


@pytest.mark.parametrize(
    ("reduction", "num_ids", "att_kernel", "parameters"),
    [
        (2, 625, 1, 40_768_582),
        (2, 625, 3, 40_801_350),
        (4, 150, 1, 31_169_606),
        (4, 150, 3, 31_202_374),
        (8, 100, 1, 27_291_718),
        (8, 100, 3, 27_324_486),
        (2, 0, 1, 38_208_582),
        (4, 0, 1, 30_862_406),
        (8, 0, 1, 27_189_318),
    ],
)
def test_counts_are_those_of_the_specification(reduction: int, num_ids: int, att_kernel: int, parameters: int) -> None:
    make = partial(Rapa, reduction=reduction, att_kernel=att_kernel)
    summary = summarise(make, num_ids=num_ids, clip_len=4, crop_size_hw=(256, 128))
    assert summary.parameters == parameters
    assert summary.embedding_dim == 4 * 2048 // reduction


def test_a_clip_costs_as_many_multiplications_as_specified() -> None:
    summary = summarise(Rapa, num_ids=625, clip_len=4, crop_size_hw=(256, 128))
    assert summary.gmacs_per_frame == pytest.approx(2.673, abs=5e-4)
    assert summary.gmacs_per_frame * 4 == pytest.approx(10.69, abs=5e-3)


def test_attention_is_one_less_a_sigmoid_of_the_squared_difference(align: PartAlignment) -> None:
    torch.nn.init.normal_(align.norms[0].weight)
    attention = align.attend(MAPS, MAPS[:, 0, :, 1, 1], 0)
    assert ((attention > 0) & (attention < 1)).all()
    difference = (MAPS[1, 2, 5, 3, 0] - MAPS[1, 0, 5, 1, 1]) ** 2
    scaled = difference / (1 + align.norms[0].eps) ** 0.5 * align.norms[0].weight[5]
    torch.testing.assert_close(attention[1, 2, 5, 3, 0], 1 - scaled.sigmoid())


def test_a_place_that_is_the_reference_is_attended_most(align: PartAlignment) -> None:
    attention = align.attend(MAPS, MAPS[:, 0, :, 1, 1], 0)
    torch.testing.assert_close(attention[:, 0, :, 1, 1], torch.full((2, 8), 0.5))
    assert (attention <= 0.5).all()


@pytest.mark.parametrize("is_weighted", [True, False])
def test_a_clips_vector_is_what_a_loop_over_frames_gives(is_weighted: bool) -> None:
    align = PartAlignment(8, relation_bn="shared", score_sigmoid=False, is_weighted=is_weighted).eval()
    references = torch.rand(2, 6, 8)
    clip, frames, places = align(MAPS, references)
    for r in range(6):
        attention = align.attend(MAPS, references[:, r], r)
        total = torch.zeros(8)
        for t in range(3):
            best = torch.stack([(MAPS[1, t, :, y, x] * attention[1, t, :, y, x]) for y in range(4) for x in range(2)])
            score = sum(attention[1, t, :, y, x] for y in range(4) for x in range(2)) / 8
            total += best.amax(0) * score if is_weighted else best.amax(0) / 3
            torch.testing.assert_close(frames[1, r, t], best.amax(0))
            torch.testing.assert_close(places[1, r, t], attention[1, t].mean(0))
        torch.testing.assert_close(clip[1, r], total)


def test_the_largest_of_a_part_is_nowhere_below_its_mean() -> None:
    masks = torch.rand(2, 3, 4, 2) > 0.4
    masks[..., 0, 0] = True
    largest, mean = pool_parts(MAPS[:, 0], masks).unflatten(1, (3, 2)).unbind(2)
    assert (largest >= mean).all()


def test_of_a_constant_map_and_whole_masks_the_largest_is_the_mean() -> None:
    constant = MAPS[:, 0, :, :1, :1].expand(-1, -1, 4, 2)
    largest, mean = pool_parts(constant, torch.ones(2, 3, 4, 2, dtype=torch.bool)).unflatten(1, (3, 2)).unbind(2)
    torch.testing.assert_close(largest, mean)


def test_parts_are_pooled_as_a_loop_would_do_it() -> None:
    masks = torch.rand(2, 3, 4, 2, generator=torch.Generator().manual_seed(3)) > 0.4
    masks[..., 0, 0] = True
    found = pool_parts(MAPS[:, 0], masks)
    for part in range(3):
        cells = MAPS[1, 0][:, masks[1, part]]
        torch.testing.assert_close(found[1, 2 * part], cells.amax(1))
        torch.testing.assert_close(found[1, 2 * part + 1], cells.mean(1))


def test_regularisation_is_what_a_double_loop_gives() -> None:
    vectors = torch.randn(2, 6, 4, 5)
    total = torch.zeros(2)
    for b in range(2):
        for r in range(6):
            for i in range(4):
                for j in range(4):
                    total[b] += (vectors[b, r, i] - vectors[b, r, j]).square().sum()
    torch.testing.assert_close(inter_frame_distance(vectors), total.mean())


def test_frames_that_are_all_the_same_cost_nothing() -> None:
    assert inter_frame_distance(torch.randn(2, 6, 1, 5).expand(-1, -1, 4, -1)) < 1e-9


def test_the_order_of_frames_does_not_matter() -> None:
    network, clips, order = make_rapa(), clips_for(), torch.tensor([3, 1, 0, 2])
    found = network(reorder_frames(clips, order))
    for one, other in zip(found.features, network(clips).features, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("qe_grad", "is_learnt"), [("ste", True), ("none", False)])
def test_the_quality_learns_by_way_of_the_reference_or_not_at_all(qe_grad: str, is_learnt: bool) -> None:
    network = make_rapa(qe_grad=qe_grad).train()
    sum(feature.square().sum() for feature in network(clips_for()).features).backward()
    gradient = network.quality.score.weight.grad
    assert (gradient is not None) is is_learnt
    assert not is_learnt or (gradient.isfinite().all() and gradient.abs().sum() > 0)


def test_learning_the_quality_does_not_change_what_is_computed() -> None:
    first, second = (make_rapa(qe_grad=way)(clips_for()).vector for way in ("ste", "none"))
    torch.testing.assert_close(first, second, atol=0, rtol=0)


def test_of_frames_of_equal_quality_the_first_is_the_reference() -> None:
    network = make_rapa()
    torch.nn.init.zeros_(network.quality.norm.weight)
    assert network(clips_for()).extras["reference"].tolist() == [0, 0]
    assert make_rapa(qe=False)(clips_for()).extras["reference"].tolist() == [0, 0]


def test_keypoints_of_the_reference_alone_are_enough() -> None:
    network, clips = make_rapa(), clips_for()
    maps = network.see(clips.pixels)
    quality, best = network.select_reference(maps)
    found = network.describe(maps, quality, best, clips.keypoints[torch.arange(2), best])
    assert torch.equal(found.vector, network(clips).vector)


def test_keypoints_change_the_parts() -> None:
    network, clips, others = make_rapa(), clips_for(), clips_for(seed=5)
    moved = Clips(clips.pixels, others.keypoints)
    assert not torch.equal(network(clips).vector, network(moved).vector)


def test_without_keypoints_thirds_must_be_asked_for() -> None:
    bare = Clips(clips_for().pixels)
    with pytest.raises(DataError, match="Rapa: expected keypoints"):
        make_rapa()(bare)
    output = make_rapa(allow_missing_pose=True)(bare)
    assert output.extras["box_fallback"].all()
    assert torch.equal(output.vector, make_rapa(pe=False)(bare).vector)


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({}, 4 * 128),
        ({"reduction": 4}, 4 * 64),
        ({"branches": ("global",)}, 128),
        ({"branches": ("global",), "reduce_global": False}, 256),
        ({"branches": ("local",)}, 3 * 128),
        ({"gfe": "softmax_conv"}, 4 * 128),
        ({"relation_bn": "separate"}, 4 * 128),
        ({"score_sigmoid": True}, 4 * 128),
    ],
    ids=str,
)
def test_every_switch_gives_vectors_of_its_length(settings: dict[str, object], length: int) -> None:
    network = make_rapa(**settings)
    assert network(clips_for()).vector.shape == (2, network.vector_dim) == (2, length)


@pytest.mark.parametrize("num_frames", [1, 2, 7])
def test_any_number_of_frames_will_do(num_frames: int) -> None:
    assert make_rapa()(clips_for(num_frames)).vector.isfinite().all()


def test_a_score_lies_between_zero_and_one() -> None:
    scores = FrameScore(8, kernel=3)(torch.randn(2, 3, 8) * 9)
    assert scores.shape == (2, 3)
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize(
    "settings", [{"branches": ()}, {"branches": ("x",)}, {"gfe": "x"}, {"att_kernel": 2}, {"relation_bn": "x"}], ids=str
)
def test_words_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        make_rapa(**settings)
