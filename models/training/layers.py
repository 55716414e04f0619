"""Layers that the three networks share: plain convolutions, fast on a processor forward and backward."""

import torch
from torch import Tensor, nn


def conv_bn_relu(num_in: int, num_out: int, kernel: int = 3, *, stride: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the size (divided by the stride), batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(num_out),
        nn.ReLU(inplace=True),
    )


class Bottleneck(nn.Module):
    """A residual block of a 1x1 and a 3x3 convolution.

    Args:
        width: Channels in and out.
        inner: Channels between.

    Reference:
        Redmon and Farhadi, "YOLOv3: An Incremental Improvement", arXiv:1804.02767 (Darknet-53).
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn_relu(width, inner, 1), conv_bn_relu(inner, width))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        out: Tensor = maps + self.body(maps)
        return out


class PixelNorm(nn.Module):
    """Brings pixels of 0 to 255 to about -2 to 2; grey 114, the padding of letter-boxes, becomes 0."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Return ``(pixels - 114) / 64``."""
        return (pixels - 114.0) * (1 / 64)


def num_parameters(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, *inputs: Tensor) -> int:
    """Return the multiplications of the convolutions and linear layers for these inputs."""
    total = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return total
