"""Trunks of the video networks: counts, sizes and the names of published checkpoints."""

import os
import subprocess
import sys

import pytest
import torch
from plugins import ROOT
from torch import nn

from models.reid.networks.backbones import ResNet50, ResNet50In3d, load_pretrained, scale_width
from models.summary import count_macs
from pipeline.core.errors import ConfigError, WeightsError

STAGES = ["layer1", "layer2", "layer3", "layer4"]


def num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("is_ibn", [False, True], ids=["resnet50", "ibn_a"])
def test_the_trunk_has_the_published_number_of_parameters_stage_by_stage(is_ibn: bool) -> None:
    with torch.device("meta"):
        trunk = ResNet50(last_stride=1, is_ibn=is_ibn)
    assert num_parameters(trunk.conv1) + num_parameters(trunk.bn1) == 9_536
    assert [num_parameters(getattr(trunk, name)) for name in STAGES] == [215_808, 1_219_584, 7_098_368, 14_964_736]
    assert num_parameters(trunk) == 23_508_032


def test_the_3d_trunk_has_the_published_number_of_parameters_stage_by_stage() -> None:
    with torch.device("meta"):
        trunk = ResNet50In3d(last_stage=4)
        cut = ResNet50In3d(last_stage=3)
    assert num_parameters(trunk.conv1) + num_parameters(trunk.bn1) == 65_984
    assert [num_parameters(getattr(trunk, name)) for name in STAGES] == [436_992, 2_399_232, 14_176_256, 29_120_512]
    assert num_parameters(trunk) == 46_198_976
    assert num_parameters(cut) == 17_078_464


@pytest.mark.parametrize(
    ("hw", "last_stride", "gmacs"),
    [((256, 128), 1, 4.0533), ((256, 128), 2, 2.6692), ((384, 128), 1, 6.0799), ((384, 128), 2, 4.0037)],
)
def test_a_picture_costs_as_many_multiplications_as_it_should(
    hw: tuple[int, int], last_stride: int, gmacs: float
) -> None:
    with torch.device("meta"):
        macs = count_macs(ResNet50(last_stride=last_stride).eval(), torch.empty(1, 3, *hw))
    # The figures have four digits behind the point.
    assert macs / 1e9 == pytest.approx(gmacs, abs=1e-4)


@pytest.mark.parametrize(("last_stride", "grid"), [(1, (16, 8)), (2, (8, 4))])
def test_the_last_stage_keeps_the_grid_or_halves_it(last_stride: int, grid: tuple[int, int]) -> None:
    with torch.device("meta"):
        maps = ResNet50(last_stride=last_stride)(torch.empty(2, 3, 256, 128))
    assert maps.shape == (2, 2048, *grid)


@pytest.mark.parametrize(("num_frames", "left"), [(1, 1), (2, 1), (4, 1), (6, 1), (8, 1), (10, 2), (12, 2)])
def test_time_shrinks_as_space_does(num_frames: int, left: int) -> None:
    with torch.device("meta"):
        maps = ResNet50In3d(last_stage=3)(torch.empty(1, 3, num_frames, 384, 128))
    assert maps.shape == (1, 1024, left, 24, 8)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(
    "trunk",
    [
        ResNet50(last_stride=1, width_mult=1 / 16),
        ResNet50(last_stride=1, width_mult=1 / 16, is_ibn=True),
        ResNet50In3d(last_stage=3, width_mult=1 / 16),
    ],
    ids=["resnet50", "ibn_a", "3d"],
)
def test_a_published_checkpoint_fills_every_tensor(trunk: nn.Module, prefix: str) -> None:
    published = {f"{prefix}{name}": torch.full_like(tensor, 3) for name, tensor in trunk.state_dict().items()}
    published |= {f"{prefix}fc.weight": torch.ones(1000, 8), f"{prefix}layer4.9.conv1.weight": torch.ones(1)}
    load_pretrained(trunk, published)
    assert all((tensor == 3).all() for tensor in trunk.state_dict().values())


@pytest.mark.slow
def test_names_are_those_of_torchvision_ibn_net_and_3d_resnets() -> None:
    with torch.device("meta"):
        plain, ibn, in_3d = (
            set(trunk.state_dict())
            for trunk in (ResNet50(last_stride=1), ResNet50(last_stride=1, is_ibn=True), ResNet50In3d(last_stage=4))
        )
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.downsample.1.bias", "layer4.2.bn3.weight"} <= plain & in_3d
    assert {"layer3.5.bn1.IN.weight", "layer3.5.bn1.BN.running_var", "layer4.0.bn1.weight"} <= ibn


def test_instance_normalisation_comes_first_and_has_no_running_statistics() -> None:
    split = ResNet50(last_stride=1, width_mult=1 / 8, is_ibn=True).layer2[1].bn1
    maps = torch.randn(2, 16, 6, 5) * 7 + 3
    out = split.eval()(maps)
    torch.testing.assert_close(out[:, :8].mean((2, 3)), torch.zeros(2, 8), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[:, 8:], maps[:, 8:], atol=1e-3, rtol=1e-4)


def test_a_3d_trunk_begins_with_flat_kernels_and_sees_in_a_still_what_the_flat_one_sees() -> None:
    torch.manual_seed(0)
    flat, deep = ResNet50(last_stride=2, width_mult=0.125).eval(), ResNet50In3d(last_stage=3, width_mult=0.125).eval()
    load_pretrained(deep, {f"trunk.{name}": tensor for name, tensor in flat.state_dict().items()})
    torch.testing.assert_close(deep.layer1[0].conv2.weight.sum(2), flat.layer1[0].conv2.weight)
    # Beyond the ends of a clip there is nothing, so only the stem's middle frame is that of a still.
    still = torch.randn(1, 3, 1, 64, 32)
    stems = deep.conv1(still.expand(-1, -1, 9, -1, -1))[:, :, 4], flat.conv1(still[:, :, 0])
    torch.testing.assert_close(*stems, atol=1e-4, rtol=1e-4)


def test_a_trunk_with_split_norms_begins_with_plain_ones() -> None:
    plain, split = (ResNet50(last_stride=1, width_mult=0.125, is_ibn=is_ibn) for is_ibn in (False, True))
    torch.nn.init.uniform_(plain.layer2[1].bn1.weight)
    plain.layer2[1].bn1.running_mean.uniform_()
    load_pretrained(split, plain.state_dict())
    norm = split.layer2[1].bn1
    torch.testing.assert_close(torch.cat([norm.IN.weight, norm.BN.weight]), plain.layer2[1].bn1.weight)
    torch.testing.assert_close(norm.BN.running_mean, plain.layer2[1].bn1.running_mean[norm.half :])


def test_weights_of_another_trunk_are_refused_with_their_names() -> None:
    trunk = ResNet50(last_stride=1, width_mult=1 / 16)
    wider = ResNet50(last_stride=1, width_mult=1 / 8).state_dict()
    del wider["conv1.weight"]
    with pytest.raises(WeightsError, match=r"1 missing \['conv1.weight'\].*of another shape"):
        load_pretrained(trunk, wider)


@pytest.mark.parametrize("width_mult", [0.0, 1 / 64, 0.01])
def test_a_width_without_two_channels_is_refused(width_mult: float) -> None:
    with pytest.raises(ConfigError, match="width_mult"):
        scale_width(width_mult)


def test_on_a_processor_slopes_of_3d_kernels_are_those_of_float32() -> None:
    trunk = ResNet50In3d(last_stage=3, width_mult=0.0625).train()
    clip = torch.randn(2, 3, 4, 32, 16, generator=torch.Generator().manual_seed(0))

    def slopes(*, bfloat16: bool) -> list[torch.Tensor]:
        trunk.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            trunk(clip).square().mean().backward()
        return [parameter.grad.clone() for parameter in trunk.parameters() if parameter.grad is not None]

    assert all(map(torch.equal, slopes(bfloat16=True), slopes(bfloat16=False)))


WASTE_AND_CONVOLVE = """
import torch
from models.reid.networks.backbones import Bottleneck
block = Bottleneck(64, 64, stride=2)
for size_hw in [(4, 2), (8, 2), (4, 1)] * 20:
    wasted = [torch.full((2**power,), float("nan"), dtype=torch.bfloat16) for power in range(6, 22)]
    del wasted
    with torch.autocast("cpu", torch.bfloat16):
        assert block(torch.randn(16, 64, *size_hw)).isfinite().all(), size_hw
"""


def test_bfloat16_maps_one_column_wide_hold_no_memory_of_others() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ONEDNN_MAX_CPU_ISA"}
    subprocess.run([sys.executable, "-c", WASTE_AND_CONVOLVE], cwd=ROOT, env=environment, check=True)
