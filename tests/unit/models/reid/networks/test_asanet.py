"""ASA-Net: its counts, and what its equations promise."""

from functools import partial

import pytest
import torch
from video_networks import make_clips, make_network, reorder_frames

from models.reid.networks.asanet import AsaNet, AttributeBranch, GemPool, NonLocal, SalienceEnhancement
from models.summary import summarise
from pipeline.core.errors import ConfigError

IDENTITY = torch.randn(2, 8, 2, 3, generator=torch.Generator().manual_seed(0))
ATTRIBUTE = torch.randn(2, 16, 2, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def enhance() -> SalienceEnhancement:
    torch.manual_seed(0)
    return SalienceEnhancement(8, 16).eval()


def num_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("fusion", "non_local", "parameters"),
    [
        ("a", "none", 29_718_648),
        ("a", "one", 29_747_335),
        ("a", "half", 37_077_112),
        ("b", "none", 29_849_976),
        ("b", "one", 29_878_663),
        ("b", "half", 37_208_440),
    ],
)
def test_parameters_are_those_of_the_specification(fusion: str, non_local: str, parameters: int) -> None:
    make = partial(AsaNet, fusion=fusion, non_local=non_local)
    assert summarise(make, num_ids=625, clip_len=6, crop_size_hw=(256, 128)).parameters == parameters


def test_a_frame_costs_as_many_multiplications_as_specified() -> None:
    summary = summarise(partial(AsaNet, non_local="none"), num_ids=625, clip_len=6, crop_size_hw=(256, 128))
    assert summary.gmacs_per_frame == pytest.approx(4.70, abs=5e-3)


def test_enhancement_and_attribute_stage_are_as_large_as_specified() -> None:
    with torch.device("meta"):
        branch = AttributeBranch(1024, 256, 512, num_attributes=41, is_enhancing=True, mask_act="none")
    assert num_parameters(branch.enhance) == 329_218
    assert num_parameters(branch.stage) == 1_431_040


def test_the_attention_of_every_place_sums_to_one(enhance: SalienceEnhancement) -> None:
    torch.testing.assert_close(enhance.relation(IDENTITY, ATTRIBUTE).sum(-1), torch.ones(2, 6))


@pytest.mark.parametrize("mask_act", ["none", "sigmoid"])
def test_enhancement_is_what_a_loop_over_places_gives(mask_act: str) -> None:
    torch.manual_seed(0)
    enhance = SalienceEnhancement(8, 16, mask_act=mask_act).eval()
    enhance.alpha.data.fill_(0.7)
    found, masks = enhance(IDENTITY, ATTRIBUTE)
    query, key, value = (conv.weight[:, :, 0, 0] for conv in (enhance.query, enhance.key, enhance.value))
    norm, last = enhance.mask
    places = [(y, x) for y in range(2) for x in range(3)]
    for y, x in places:
        asked = (query @ IDENTITY[1, :, y, x] + enhance.query.bias).relu()
        scores = torch.stack([asked @ (key @ ATTRIBUTE[1, :, v, u] + enhance.key.bias).relu() for v, u in places])
        weights = (scores / 8**0.5).softmax(0)
        seen = sum(
            w * (value @ ATTRIBUTE[1, :, v, u] + enhance.value.bias) for w, (v, u) in zip(weights, places, strict=True)
        )
        seen = (seen - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        mask = last.weight[0, :, 0, 0] @ seen + last.bias[0]
        mask = mask.sigmoid() if mask_act == "sigmoid" else mask
        torch.testing.assert_close(masks[1, 0, y, x], mask, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found[1, :, y, x], IDENTITY[1, :, y, x] * (1 + 0.7 * mask), atol=1e-5, rtol=1e-5)


def test_a_mask_of_no_weight_changes_nothing(enhance: SalienceEnhancement) -> None:
    enhance.alpha.data.zero_()
    assert torch.equal(enhance(IDENTITY, ATTRIBUTE)[0], IDENTITY)


def test_a_new_non_local_block_changes_nothing() -> None:
    assert torch.equal(NonLocal(8, 4)(IDENTITY), IDENTITY)


def test_a_non_local_block_is_what_a_loop_over_places_gives() -> None:
    torch.manual_seed(0)
    block = NonLocal(8, 4).eval()
    torch.nn.init.normal_(block.W[1].weight)
    theta, phi, g = (conv(IDENTITY).flatten(2) for conv in (block.theta, block.phi, block.g))
    relation = theta.transpose(1, 2) @ phi / 6
    found = (relation @ g.transpose(1, 2)).transpose(1, 2).unflatten(2, (2, 3))
    torch.testing.assert_close(block(IDENTITY), IDENTITY + block.W(found))


def test_a_generalised_mean_of_exponent_one_is_the_mean() -> None:
    pool = GemPool()
    pool.p.data.fill_(1.0)
    torch.testing.assert_close(pool(ATTRIBUTE.abs()), ATTRIBUTE.abs().mean((2, 3)))


@pytest.mark.parametrize("pool", ["avg", "gem"])
def test_the_order_of_frames_does_not_matter(pool: str) -> None:
    network, clips, order = make_network(AsaNet, pool=pool), make_clips(), torch.tensor([3, 1, 0, 2])
    found = network(reorder_frames(clips, order)).vector
    torch.testing.assert_close(found, network(clips).vector, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fusion", ["a", "b"])
def test_both_fusions_are_as_long_as_the_trunk_is_wide(fusion: str) -> None:
    assert make_network(AsaNet, fusion=fusion)(make_clips()).vector.shape == (2, 128)
    with torch.device("meta"):
        assert AsaNet(num_ids=0, clip_len=6, crop_size_hw=(256, 128), fusion=fusion).vector_dim == 1024


@pytest.mark.parametrize(
    "branches", [("identity",), ("identity", "id_relevant"), ("id_irrelevant",), ("identity", "id_irrelevant")]
)
def test_each_branch_of_table_4_adds_a_quarter_of_the_width(branches: tuple[str, ...]) -> None:
    network = make_network(AsaNet, branches=branches, fuse_attr=False)
    assert network(make_clips()).vector.shape == (2, 32 * len(branches))


def test_vectors_are_of_norm_one() -> None:
    torch.testing.assert_close(make_network(AsaNet)(make_clips()).vector.norm(dim=1), torch.ones(2))


def test_attributes_are_predicted_in_training_alone() -> None:
    network = make_network(AsaNet)
    assert not any(name.startswith("attributes") for name in network(make_clips()).extras)
    extras = network.train()(make_clips()).extras
    assert extras["attributes_id_relevant"].shape == (2, 41)
    assert extras["attributes_id_irrelevant"].shape == (2, 11)


def test_without_enhancement_there_are_no_masks() -> None:
    network = make_network(AsaNet, asre=False)
    assert set(network(make_clips()).extras) == {"pose_and_motion"}


def test_branches_that_are_to_be_fused_must_be_there() -> None:
    with pytest.raises(ConfigError, match=r"branches: expected some of .*fuse_attr"):
        make_network(AsaNet, branches=("identity",))


@pytest.mark.parametrize("settings", [{"fusion": "c"}, {"pool": "max"}, {"non_local": "two"}, {"asre_mask_act": "x"}])
def test_words_that_mean_nothing_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        make_network(AsaNet, **settings)
