"""The trunks that the video networks are built on: ResNet-50, ResNet-50-IBN-a and 3D ResNet-50.

Modules are named as in the published checkpoints, so that ImageNet, IBN-a and Kinetics weights load. Shape suffixes:
N pictures, B clips, C channels, T time, H and W rows and columns of a map.

Reference:
    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1, with the stride in the 3x3
    convolution. Pan et al., "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net", ECCV 2018,
    IBN-Net50-a. Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?", CVPR 2018,
    shortcut B.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from models.reid.networks.clip_network import in_float32
from pipeline.core.errors import ConfigError, WeightsError

EXPANSION = 4
STAGES = ("layer1", "layer2", "layer3", "layer4")
_BLOCKS = (3, 4, 6, 3)
_BASE = 64
_STRIDE = 16
"""Pixels to a cell behind layer3, each way."""


class SplitNorm(nn.Module):
    """IBN-a: instance normalisation of the first half of the channels, batch normalisation of the rest.

    Args:
        channels: Of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.half)

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Return maps of the same shape."""
        first, rest = maps_NCHW[:, : self.half], maps_NCHW[:, self.half :]
        return torch.cat([self.IN(first), self.BN(rest)], dim=1)


class Bottleneck(nn.Module):
    """Residual block of a 1x1, a 3x3 and a 1x1 convolution.

    Args:
        channels_in: Of the maps that come in.
        planes: Channels in the middle; four times as many leave.
        stride: Of the 3x3 convolution, and of the projection.
        is_ibn: The first normalisation is ``SplitNorm``.
        is_3d: Convolutions, strides and all go over time too.
    """

    def __init__(
        self, channels_in: int, planes: int, *, stride: int = 1, is_ibn: bool = False, is_3d: bool = False
    ) -> None:
        super().__init__()
        conv, norm = (nn.Conv3d, nn.BatchNorm3d) if is_3d else (nn.Conv2d, nn.BatchNorm2d)
        self.conv1 = conv(channels_in, planes, 1, bias=False)
        self.bn1 = SplitNorm(planes) if is_ibn else norm(planes)
        self.conv2 = conv(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = norm(planes)
        self.conv3 = conv(planes, EXPANSION * planes, 1, bias=False)
        self.bn3 = norm(EXPANSION * planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != EXPANSION * planes:
            self.downsample = nn.Sequential(
                conv(channels_in, EXPANSION * planes, 1, stride, bias=False), norm(EXPANSION * planes)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of ``4 * planes`` channels, smaller by the stride."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.relu(self.bn1(self.conv1(maps)))
        out = self.relu(self.bn2(self._spatial(out)))
        out = self.bn3(self.conv3(out))
        merged: Tensor = self.relu(out + shortcut)
        return merged

    def _spatial(self, maps: Tensor) -> Tensor:
        """Return what the 3x3 convolution makes of maps."""
        # On processors torch 2.13 reads uninitialised memory where a bfloat16 stride leaves maps one column wide.
        is_narrow = self.conv2.stride[-1] > 1 and maps.shape[-1] <= 2
        if is_narrow and maps.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with in_float32(maps):
                return cast(Tensor, self.conv2(maps.float()))
        return cast(Tensor, self.conv2(maps))


class ResNet50(nn.Module):
    """ResNet-50 without its classifier: ``stem``, then ``layer1`` to ``layer4``.

    Args:
        last_stride: Of layer4: 2 as published, 1 for the finer maps that re-ID prefers.
        width_mult: Scales the number of channels; 1 is the published network.
        is_ibn: Build IBN-Net50-a: layer1 to layer3 begin their blocks with ``SplitNorm``.
    """

    def __init__(self, *, last_stride: int, width_mult: float = 1.0, is_ibn: bool = False) -> None:
        super().__init__()
        base = scale_width(width_mult)
        self.channels = tuple(EXPANSION * base * 2**stage for stage in range(4))
        """Channels behind layer1, 2, 3 and 4."""
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = make_stage(base, base, 3, stride=1, is_ibn=is_ibn)
        self.layer2 = make_stage(self.channels[0], 2 * base, 4, stride=2, is_ibn=is_ibn)
        self.layer3 = make_stage(self.channels[1], 4 * base, 6, stride=2, is_ibn=is_ibn)
        self.layer4 = make_stage(self.channels[2], 8 * base, 3, stride=last_stride)
        initialise(self)

    def stem(self, pixels_NCHW: Tensor) -> Tensor:
        """Return maps of a quarter of the height and width."""
        maps: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(pixels_NCHW))))
        return maps

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        """Return the maps of layer4, ``(N, C, H, W)``."""
        maps = self.stem(pixels_NCHW)
        for name in STAGES:
            maps = getattr(self, name)(maps)
        return maps


class ResNet50In3d(nn.Module):
    """3D ResNet-50 without its classifier; strides go over time as over space.

    Args:
        last_stage: The last stage that is built, 3 or 4.
        width_mult: Scales the number of channels; 1 is the published network.
    """

    def __init__(self, *, last_stage: int, width_mult: float = 1.0) -> None:
        super().__init__()
        base = scale_width(width_mult)
        self.channels = tuple(EXPANSION * base * 2**stage for stage in range(last_stage))
        self.conv1 = nn.Conv3d(3, base, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(base)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        self.stages = STAGES[:last_stage]
        channels_in = base
        for stage, name in enumerate(self.stages):
            planes = base * 2**stage
            blocks = make_stage(channels_in, planes, _BLOCKS[stage], stride=1 if stage == 0 else 2, is_3d=True)
            self.add_module(name, blocks)
            channels_in = EXPANSION * planes
        initialise(self)

    def forward(self, pixels_BCTHW: Tensor) -> Tensor:
        """Return the maps of the last stage, ``(B, C, t, H, W)``; t is 1 behind layer3 for T up to 8."""
        # On processors torch 2.13 computes bfloat16 gradients of 3D kernels from uninitialised memory.
        is_unsafe = pixels_BCTHW.device.type == "cpu" and torch.is_grad_enabled()
        with in_float32(pixels_BCTHW) if is_unsafe else nullcontext():
            return self._maps(pixels_BCTHW)

    def _maps(self, pixels_BCTHW: Tensor) -> Tensor:
        maps = self.conv1(pixels_BCTHW)
        maps = self.maxpool(self.relu(self.bn1(maps)))
        for name in self.stages:
            maps = getattr(self, name)(maps)
        out: Tensor = maps
        return out


def make_stage(
    channels_in: int, planes: int, num_blocks: int, *, stride: int, is_ibn: bool = False, is_3d: bool = False
) -> nn.Sequential:
    """Return blocks in a row; the first has the stride and a projection."""
    first = Bottleneck(channels_in, planes, stride=stride, is_ibn=is_ibn, is_3d=is_3d)
    rest = [Bottleneck(EXPANSION * planes, planes, is_ibn=is_ibn, is_3d=is_3d) for _ in range(num_blocks - 1)]
    return nn.Sequential(first, *rest)


def map_hw(crop_hw: tuple[int, int], *, last_stride: int) -> tuple[int, int]:
    """Return the rows and columns of the maps behind the last stage.

    Example:
        >>> map_hw((128, 64), last_stride=1)
        (8, 4)
    """
    rows, columns = (-(-side // (_STRIDE * last_stride)) for side in crop_hw)
    return rows, columns


def scale_width(width_mult: float) -> int:
    """Return the channels of the stem.

    Raises:
        ConfigError: If it is no even number of 2 or more.

    Example:
        >>> scale_width(0.25)
        16
    """
    base = round(_BASE * width_mult)
    if base < 2 or base % 2:
        raise ConfigError(f"width_mult: expected an even number of channels in 64 times it, got {width_mult}")
    return base


def initialise(trunk: nn.Module) -> None:
    """Set convolutions to Kaiming's normal (fan out) and normalisations to the identity."""
    for layer in trunk.modules():
        if isinstance(layer, (nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, (nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm2d)):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)


def load_pretrained(trunk: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Fill a trunk with a published checkpoint, or with the trunk of one of our networks.

    Its classifier, and stages that the trunk lacks, are left out. A trunk in 3D also takes flat kernels, which are
    repeated over time and divided by how often; one with ``SplitNorm`` also takes plain normalisations, halved.

    Args:
        trunk: Of this module.
        weights: By name, as ``torchvision``, IBN-Net or 3D-ResNets-PyTorch call them, ``module.`` before or not, or
            ``trunk.`` as in our networks.

    Raises:
        WeightsError: If a tensor of the trunk is absent or of another shape.

    Reference:
        Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, Sec. 2.2.
    """
    named = {name.removeprefix("module.").removeprefix("trunk."): tensor for name, tensor in weights.items()}
    wanted = trunk.state_dict()
    named |= _inflated(named, wanted) | _split(named, wanted)
    # Checkpoints older than torch 0.4.1 do not count batches.
    missing = [name for name in wanted if name not in named and not name.endswith("num_batches_tracked")]
    unfit = [name for name in wanted if name in named and named[name].shape != wanted[name].shape]
    if missing or unfit:
        raise WeightsError(
            f"pretrained weights: expected all tensors of {type(trunk).__name__}, got {len(missing)} missing "
            f"{missing[:3]} and {len(unfit)} of another shape {unfit[:3]}; use width_mult: 1 and weights of this trunk"
        )
    trunk.load_state_dict({name: named[name] for name in wanted if name in named}, strict=False)


def _inflated(named: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the flat kernels that are wanted in 3D."""
    flat = {
        name: tensor for name, tensor in named.items() if tensor.ndim == 4 and name in wanted and wanted[name].ndim == 5
    }
    return {
        name: tensor[:, :, None].expand(-1, -1, frames := wanted[name].shape[2], -1, -1) / frames
        for name, tensor in flat.items()
    }


def _split(named: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the plain normalisations that are wanted in two halves."""
    halves = {}
    for name in wanted.keys() - named.keys():
        whole = named.get(name.replace(".IN.", ".").replace(".BN.", "."))
        if whole is not None and whole.ndim:
            halves[name] = whole[: len(whole) // 2] if ".IN." in name else whole[len(whole) // 2 :]
    return halves
