"""A network of single crops that starts from features learned on ImageNet.

Reference:
    Inverted residuals: Sandler et al., "MobileNetV2", arXiv:1801.04381. The last stage keeps its stride of 16, so that
    a crop of 128x64 has maps of 8x4: Sun et al., "Beyond Part Models (PCB)", arXiv:1711.09349. Means of stripes of the
    height, into one vector: there too. BNNeck: Luo et al., arXiv:1903.07071.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.checkpoint import read_tensors
from pipeline.core.errors import WeightsError

STRIPES = 4
"""Parts of the height, each with a mean of its own. Where on a body a colour is tells more than that it is there."""
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 1), (6, 320, 1, 1))
"""Expansion, channels, blocks and stride of each stage; the stride of the sixth is 2 in the paper."""
_LAST = 1280
_MEAN = (123.675, 116.28, 103.53)
"""Of ImageNet, RGB, as the published weights expect it."""
_STD = (58.395, 57.12, 57.375)


class InvertedResidual(nn.Module):
    """A pointwise convolution, a depthwise one and another pointwise one, around which a shortcut leads.

    Args:
        num_in: Channels in.
        num_out: Channels out.
        stride: Of the depthwise convolution.
        expansion: Channels between, as a multiple of ``num_in``.
    """

    def __init__(self, num_in: int, num_out: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        inner = num_in * expansion
        entry = [nn.Conv2d(num_in, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6(inplace=True)]
        self.conv = nn.Sequential(
            *(entry if expansion > 1 else []),
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU6(inplace=True),
            nn.Conv2d(inner, num_out, 1, bias=False),
            nn.BatchNorm2d(num_out),
        )
        self.is_residual = stride == 1 and num_in == num_out

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of ``num_out`` channels."""
        return maps + self.conv(maps) if self.is_residual else self.conv(maps)


class MobileReid(nn.Module):
    """Turns a crop into a vector; crops of one person point the same way. Layers are named as in published weights.

    Args:
        frozen: First so many of the nineteen blocks stay as they are learned on ImageNet; training skips them.
        dim: Length of the vector.
    """

    convolutions = ("features",)

    def __init__(self, *, frozen: int = 0, dim: int = 256) -> None:
        super().__init__()
        self.dim = dim
        self._frozen = frozen
        layers: list[nn.Module] = [_pointwise(3, 32, kernel=3, stride=2)]
        width = 32
        for expansion, channels, count, stride in _STAGES:
            for block in range(count):
                step = stride if block == 0 else 1
                layers.append(InvertedResidual(width, channels, stride=step, expansion=expansion))
                width = channels
        layers.append(_pointwise(width, _LAST, kernel=1, stride=1))
        self.features = nn.Sequential(*layers)
        self.embed = nn.Linear(STRIPES * width + _LAST, dim, bias=False)
        self.neck = nn.BatchNorm1d(dim)
        self.neck.bias.requires_grad_(False)
        self.features[:frozen].requires_grad_(False)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None], persistent=False)

    def load_imagenet(self, path: Path) -> None:
        """Take over published convolutions.

        Raises:
            WeightsError: If the file is absent, damaged or of another network.
        """
        tensors = read_tensors(path)
        own = self.features.state_dict()
        try:
            self.features.load_state_dict({name: tensors[f"features.{name}"] for name in own})
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"{path}: expected weights of MobileNetV2 at full width, got others: {error}") from error

    def train(self, mode: bool = True) -> "MobileReid":
        """As of any module; frozen blocks keep the statistics of ImageNet."""
        super().train(mode)
        self.features[: self._frozen].eval()
        return self

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors before and behind the neck.

        Args:
            pixels: Shape ``(N, 3, h, w)``, float, BGR, 0 to 255.

        Returns:
            Twice ``(N, dim)``: for distances between crops, and for the classifier and for use.
        """
        maps = self.features[self._frozen : -1](self.features[: self._frozen]((pixels.flip(1) - self.mean) / self.std))
        stripes = functional.adaptive_avg_pool2d(maps, (STRIPES, 1)).flatten(1)
        whole = self.features[-1](maps).mean((2, 3))
        vectors = self.embed(torch.cat([stripes, whole], dim=1))
        return vectors, self.neck(vectors)


def _pointwise(num_in: int, num_out: int, *, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(num_out),
        nn.ReLU6(inplace=True),
    )
