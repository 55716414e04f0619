"""What every video network must do, on narrow ones."""

import importlib
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from video_networks import NUM_IDS, embedder_yaml, make_clips, make_network, settings_of, video_names

from models.reid.networks.clip_network import Clips, VideoNetwork, VideoOutput
from pipeline.core import PoseNeed
from pipeline.core.errors import DataError

PAPERS = [name for name in video_names() if not name.endswith(("_light", "_literal"))]


def kind_of(name: str) -> Any:
    module, _, kind = embedder_yaml(name)["network"]["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), kind)


@pytest.fixture(params=PAPERS)
def kind(request: pytest.FixtureRequest) -> Any:
    return kind_of(request.param)


@pytest.fixture
def network(kind: Any) -> nn.Module:
    return make_network(kind)


def loss_of(output: VideoOutput) -> torch.Tensor:
    """Anything that everything a network gives out is part of."""
    labels = torch.arange(len(output.vector)) % NUM_IDS
    total = output.vector.float().square().mean()
    for feature, logits in zip(output.features, output.logits, strict=True):
        total = total + feature.float().square().mean() + functional.cross_entropy(logits.float(), labels)
    for extra in output.extras.values():
        if extra.is_floating_point():
            total = total + extra.float().square().mean()
    return total


def pick(clips: Clips, which: list[int]) -> Clips:
    parts = (clips.pixels, clips.keypoints, clips.heatmaps)
    return Clips(*(None if part is None else part[which] for part in parts))


@pytest.mark.parametrize("name", PAPERS)
def test_the_yaml_of_a_paper_says_what_the_constructor_takes_for_granted(name: str) -> None:
    given = {key: value for key, value in embedder_yaml(name)["network"].items() if key != "_target_"}
    taken = {
        key: list(value) if isinstance(value, tuple) else value for key, value in settings_of(kind_of(name)).items()
    }
    assert given == taken


@pytest.mark.parametrize("name", video_names())
def test_the_yaml_says_what_the_network_needs(name: str) -> None:
    assert embedder_yaml(name)["needs"] == kind_of(name).needs
    assert set(embedder_yaml(name)["network"]) == {"_target_", *settings_of(kind_of(name))}


def test_each_network_has_the_interface_of_a_video_network(network: nn.Module) -> None:
    assert isinstance(network, VideoNetwork)


def test_a_clip_becomes_a_vector_and_each_branch_has_its_logits(network: nn.Module) -> None:
    output = network(make_clips(needs=network.needs))
    assert output.vector.shape == (2, network.vector_dim)
    assert len(output.features) == len(output.logits) >= 1
    assert all(logits.shape == (2, NUM_IDS) for logits in output.logits)
    assert all(feature.shape[0] == 2 for feature in output.features)


def test_without_people_there_are_no_logits(kind: Any) -> None:
    assert make_network(kind, num_ids=0)(make_clips(needs=kind.needs)).logits == ()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_every_parameter_gets_a_finite_gradient(network: nn.Module, dtype: torch.dtype) -> None:
    network.train()
    with torch.autocast("cpu", dtype, enabled=dtype is torch.bfloat16):
        output = network(make_clips(4, needs=network.needs))
        loss = loss_of(output)
    loss.backward()
    assert torch.isfinite(loss)
    missing = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    wild = [name for name, p in network.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    assert (missing, wild) == ([], [])


def test_two_clips_that_are_the_same_give_finite_gradients(network: nn.Module) -> None:
    network.train()
    loss_of(network(pick(make_clips(needs=network.needs), [0, 1, 0, 0]))).backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_the_same_clips_give_the_same_vectors(network: nn.Module) -> None:
    clips = make_clips(needs=network.needs)
    torch.testing.assert_close(network(clips).vector, network(clips).vector, atol=0, rtol=0)


def test_it_does_not_matter_who_else_is_in_the_batch(network: nn.Module) -> None:
    clips = make_clips(3, needs=network.needs)
    order = [2, 0, 1]
    # Kernels may add in another order.
    torch.testing.assert_close(network(pick(clips, order)).vector, network(clips).vector[order], atol=1e-5, rtol=1e-4)


def test_bfloat16_gives_nearly_the_same_direction(kind: Any) -> None:
    # Which frame is RAPA's reference is a leap.
    network = make_network(kind, **({"qe": False} if "qe" in settings_of(kind) else {}))
    clips = make_clips(needs=network.needs)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(clips).vector.float()
    # Eight bits a number, in fifty layers.
    assert functional.cosine_similarity(rough, network(clips).vector).min() > 0.98


def test_pose_that_is_needed_and_not_there_is_named(network: nn.Module) -> None:
    clips = make_clips(needs=PoseNeed.NOTHING)
    if network.needs is PoseNeed.NOTHING:
        assert network(clips).vector.isfinite().all()
    else:
        with pytest.raises(DataError, match=f"{type(network).__name__}.*{network.needs}"):
            network(clips)


def test_all_widths_follow_from_one(kind: Any) -> None:
    with torch.device("meta"):
        sizes = [kind(num_ids=0, clip_len=4, crop_size_hw=(64, 32), width_mult=width) for width in (1 / 8, 1 / 4, 1)]
    assert [network.vector_dim * 8 // sizes[0].vector_dim for network in sizes] == [8, 16, 64]
