"""LSTRL: its counts, and what its equations promise."""

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from video_networks import make_clips, make_network, reorder_frames

from models.reid.networks.lstrl import AppearanceExtractor, Lstrl, MotionEstimator
from models.summary import summarise
from pipeline.core.errors import ConfigError

MAPS = torch.randn(2, 3, 16, 4, 3, generator=torch.Generator().manual_seed(0))
"""B, T, C, H, W."""


@pytest.fixture
def appearance() -> AppearanceExtractor:
    torch.manual_seed(0)
    return AppearanceExtractor(16)


def make_motion(**settings: object) -> MotionEstimator:
    torch.manual_seed(0)
    return MotionEstimator(16, **settings)


def spread_of(attention: torch.Tensor) -> float:
    """Return the entropy of attention as a part of its greatest: 0 for one place, 1 for all alike."""
    attention = attention.detach()
    entropy = -(attention * attention.clamp(min=1e-30).log()).sum(-1).mean()
    return float(entropy / torch.log(torch.tensor(float(attention.shape[-1]))))


def test_with_a_scale_a_place_looks_at_more_than_one_place() -> None:
    maps = 5 * torch.rand(1, 4, 64, 8, 4, generator=torch.Generator().manual_seed(0))
    spreads = {}
    for scale in (1.0, "root", "mean"):
        torch.manual_seed(0)
        spreads[scale] = spread_of(AppearanceExtractor(64, scale=scale).relations(maps)[1])
    assert spreads[1.0] < spreads["root"] < spreads["mean"]
    assert spreads[1.0] < 0.1
    assert spreads["mean"] > 0.3
    torch.manual_seed(0)
    assert spread_of(AppearanceExtractor(64, init_scale=0.1).relations(maps)[1]) > 0.5
    with pytest.raises(ConfigError, match="mae_scale: expected a number, root or mean, got 'sqrt'"):
        AppearanceExtractor(64, scale="sqrt")


@pytest.mark.parametrize(
    ("settings", "parameters", "gmacs"),
    [
        ({"mae": False, "bme": False}, 24_792_128, 4.0866),
        ({"bme": False}, 26_432_448, 4.4221),
        ({}, 29_056_960, 4.9597),
    ],
    ids=["baseline", "mae", "mae_bme"],
)
def test_counts_are_those_of_the_paper(settings: dict[str, bool], parameters: int, gmacs: float) -> None:
    summary = summarise(lambda **given: Lstrl(**given, **settings), num_ids=625, clip_len=8, crop_size_hw=(256, 128))
    assert summary.parameters == parameters
    assert summary.gmacs_per_frame == pytest.approx(gmacs, abs=5e-5)


@pytest.mark.parametrize(("num_ids", "parameters"), [(842, 29_501_376), (150, 28_084_160)])
def test_parameters_grow_with_the_people_of_a_data_set(num_ids: int, parameters: int) -> None:
    assert summarise(Lstrl, num_ids=num_ids, clip_len=8, crop_size_hw=(256, 128)).parameters == parameters


@pytest.mark.parametrize(("channels", "mae", "bme"), [(512, 328_320, 525_312), (1024, 1_312_000, 2_099_200)])
def test_each_block_has_the_parameters_of_the_specification(channels: int, mae: int, bme: int) -> None:
    with torch.device("meta"):
        blocks = AppearanceExtractor(channels), MotionEstimator(channels)
    assert [sum(p.numel() for p in block.parameters()) for block in blocks] == [mae, bme]


def test_every_row_of_every_relation_sums_to_one(appearance: AppearanceExtractor) -> None:
    relations = appearance.relations(MAPS)
    assert [relation.shape[1:] for relation in relations.values()] == [(36, 36), (12, 36), (3, 36), (1, 36)]
    for relation in relations.values():
        torch.testing.assert_close(relation.sum(-1), torch.ones(relation.shape[:2]), atol=1e-5, rtol=0)


def test_what_is_never_held_equals_what_is_written_out(appearance: AppearanceExtractor) -> None:
    places = appearance._project(MAPS)
    rows = places.movedim(2, -1).flatten(1, 3)
    explicit = (appearance.relations(MAPS)[1] @ rows).unflatten(1, (3, 4, 3)).movedim(-1, 2)
    torch.testing.assert_close(appearance.aggregate(places, 1), explicit, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_largest_relation_is_never_held_as_a_whole(
    appearance: AppearanceExtractor, memory_format: torch.memory_format
) -> None:
    maps = MAPS.flatten(0, 1).contiguous(memory_format=memory_format).unflatten(0, (2, 3))
    # This kernel works block by block, and refuses what it cannot do that way.
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        found = appearance(maps)
    torch.testing.assert_close(found, appearance(MAPS), atol=1e-5, rtol=1e-5)


def test_a_frame_is_related_to_all_places_as_a_loop_would_do_it(appearance: AppearanceExtractor) -> None:
    places = torch.randn(1, 2, 4, 3, 3)
    keys = [places[0, t, :, y, x] for t in range(2) for y in range(3) for x in range(3)]
    found = appearance.aggregate(places, 3)
    for t in range(2):
        frame = sum(places[0, t, :, y, x] for y in range(3) for x in range(3)) / 9
        weights = torch.stack([torch.dot(frame, key) for key in keys]).exp()
        expected = sum(w * key for w, key in zip(weights / weights.sum(), keys, strict=True))
        torch.testing.assert_close(found[0, t, :, 1, 2], expected, atol=1e-5, rtol=1e-5)


def test_each_granularity_repeats_where_it_has_no_place_of_its_own(appearance: AppearanceExtractor) -> None:
    places = appearance._project(MAPS)
    over_time, over_space, over_both = (appearance.aggregate(places, g) for g in (2, 3, 4))
    assert over_time.shape == over_space.shape == over_both.shape == places.shape
    assert (over_time == over_time[:, :1]).all()
    assert (over_space == over_space[..., :1, :1]).all()
    assert (over_both == over_both[:, :1, :, :1, :1]).all()


def test_nothing_is_changed_where_all_places_are_the_same(appearance: AppearanceExtractor) -> None:
    places = torch.randn(2, 1, 4, 1, 1).expand(2, 3, 4, 4, 3)
    for granularity in (1, 2, 3, 4):
        torch.testing.assert_close(appearance.aggregate(places, granularity), places, atol=1e-6, rtol=1e-5)


def test_appearance_follows_the_order_of_frames_and_motion_does_not(appearance: AppearanceExtractor) -> None:
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(appearance(MAPS[:, order]), appearance(MAPS)[:, order], atol=1e-5, rtol=1e-5)
    motion = make_motion()
    assert not torch.allclose(motion(MAPS[:, order]), motion(MAPS)[:, order], atol=1e-3)


def test_without_motion_the_order_of_frames_does_not_matter() -> None:
    clips, order = make_clips(), torch.tensor([3, 1, 0, 2])
    still = make_network(Lstrl, bme=False)
    torch.testing.assert_close(still(reorder_frames(clips, order)).vector, still(clips).vector, atol=1e-4, rtol=1e-4)
    moving = make_network(Lstrl)
    assert not torch.allclose(moving(reorder_frames(clips, order)).vector, moving(clips).vector, atol=1e-4)


@pytest.mark.parametrize("boundary", ["replicate", "zero", "circular"])
@pytest.mark.parametrize("mode", ["global", "local"])
def test_projecting_once_or_twice_gives_the_same_motion(mode: str, boundary: str) -> None:
    once = make_motion(mode=mode, boundary=boundary, share_psi=True)
    twice = make_motion(mode=mode, boundary=boundary, share_psi=False)
    torch.testing.assert_close(once(MAPS), twice(MAPS), atol=1e-6, rtol=1e-5)


def test_motion_is_what_a_loop_over_frames_gives() -> None:
    motion = make_motion()
    phi, psi, upsilon = (conv.weight[:, :, 0, 0] for conv in (motion.phi, motion.psi, motion.upsilon))
    out = motion(MAPS)
    for t in range(3):
        asking = phi @ MAPS[0, t].mean((1, 2)) + motion.phi.bias
        later, earlier = MAPS[0, min(t + 1, 2), :, 1, 2], MAPS[0, max(t - 1, 0), :, 1, 2]
        both = torch.cat([asking * (psi @ frame + motion.psi.bias) for frame in (later, earlier)])
        expected = functional.relu(upsilon @ both + motion.upsilon.bias)
        torch.testing.assert_close(out[0, t, :, 1, 2], expected, atol=1e-5, rtol=1e-5)


def test_of_a_single_frame_forward_and_backward_motion_are_the_same() -> None:
    motion = make_motion()
    swapped = make_motion()
    half = 8
    swapped.upsilon.weight.data = motion.upsilon.weight.data.roll(half, dims=1)
    torch.testing.assert_close(motion(MAPS[:, :1]), swapped(MAPS[:, :1]))


@pytest.mark.parametrize("num_frames", [1, 3, 5])
@pytest.mark.parametrize("crop_hw", [(64, 32), (48, 80)])
def test_any_number_of_frames_of_any_size_will_do(num_frames: int, crop_hw: tuple[int, int]) -> None:
    network = make_network(Lstrl)
    assert network(make_clips(2, num_frames, crop_hw=crop_hw)).vector.shape == (2, network.vector_dim)


@pytest.mark.parametrize(
    "settings",
    [
        {"granularities": (2, 3)},
        {"bme_mode": "local"},
        {"bme_direction": "forward"},
        {"bme_boundary": "zero"},
        {"order": "serial"},
        {"insert_after": ("layer1", "layer2")},
    ],
    ids=str,
)
def test_every_switch_of_the_tables_makes_another_network(settings: dict[str, object]) -> None:
    clips = make_clips()
    assert not torch.equal(make_network(Lstrl, **settings)(clips).vector, make_network(Lstrl)(clips).vector)


@pytest.mark.parametrize(
    "settings",
    [{"granularities": ()}, {"granularities": (5,)}, {"bme_mode": "x"}, {"order": "x"}, {"insert_after": ("layer9",)}],
    ids=str,
)
def test_words_that_mean_nothing_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        make_network(Lstrl, **settings)


def test_blocks_that_begin_small_leave_what_the_trunk_has_learnt() -> None:
    clips, vectors = make_clips(), {}
    for scale in (0.0, 0.01, 1.0):
        torch.manual_seed(0)
        vectors[scale] = make_network(Lstrl, init_scale=scale)(clips).vector
    near, far = (torch.cosine_similarity(vectors[0.0], vectors[scale]).mean() for scale in (0.01, 1.0))
    assert near > 0.99
    assert near > far
