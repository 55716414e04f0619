"""A narrow YOLOX of one class.

Reference:
    Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430 (anchor-free, decoupled head); feature
    pyramid: Lin et al., arXiv:1612.03144; pooling pyramid: He et al., arXiv:1406.4729.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.layers import Bottleneck, PixelNorm, conv_bn_relu

STRIDES = (8, 16, 32)
_PRIOR = 0.01


class PoolingPyramid(nn.Module):
    """Adds what is around, near and far, to every place: three max poolings in a row.

    Args:
        width: Channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = conv_bn_relu(width, width // 2, 1)
        self.merge = conv_bn_relu(width * 2, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        pyramid = [self.squeeze(maps)]
        for _ in range(3):
            pyramid.append(functional.max_pool2d(pyramid[-1], 5, 1, 2))
        out: Tensor = self.merge(torch.cat(pyramid, dim=1))
        return out


class YoloxSmall(nn.Module):
    """Finds people of any size at three strides.

    Args:
        widths: Channels after strides 2, 4, 8, 16 and 32.
        neck: Channels of the pyramid and of the head, which all strides share.
    """

    def __init__(self, *, widths: tuple[int, int, int, int, int] = (16, 32, 48, 96, 160), neck: int = 48) -> None:
        super().__init__()
        s2, s4, s8, s16, s32 = widths
        self.scale = PixelNorm()
        self.stride8 = nn.Sequential(
            conv_bn_relu(3, s2, stride=2),
            conv_bn_relu(s2, s4, stride=2),
            conv_bn_relu(s4, s8, stride=2),
            Bottleneck(s8, s8 // 2),
        )
        self.stride16 = nn.Sequential(
            conv_bn_relu(s8, s16, stride=2), Bottleneck(s16, s16 // 2), Bottleneck(s16, s16 // 2)
        )
        self.stride32 = nn.Sequential(
            conv_bn_relu(s16, s32, stride=2), Bottleneck(s32, s32 // 2), PoolingPyramid(s32), Bottleneck(s32, s32 // 2)
        )
        self.lateral = nn.ModuleList(conv_bn_relu(width, neck, 1) for width in (s8, s16, s32))
        self.smooth = nn.ModuleList(conv_bn_relu(neck, neck) for _ in (s16, s32))
        self.score_branch = conv_bn_relu(neck, neck)
        self.box_branch = conv_bn_relu(neck, neck)
        self.person = nn.Conv2d(neck, 1, 1)
        self.box = nn.Conv2d(neck, 5, 1)
        self.size = nn.Parameter(torch.zeros(len(STRIDES)))
        for layer, places in ((self.person, slice(0, 1)), (self.box, slice(4, 5))):
            assert layer.bias is not None
            layer.bias.data[places] = -math.log((1 - _PRIOR) / _PRIOR)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return what every place says.

        Args:
            pixels: Shape ``(N, 3, H, W)``, float, BGR, 0 to 255; H and W multiples of 32.

        Returns:
            Shape ``(N, A, 6)``: centre x and y as offset from the cell, log width and height, both in strides,
            and the logits of an object and of a person; rows of stride 8 first, each by rows of the picture.
        """
        maps8 = self.stride8(self.scale(pixels))
        maps16 = self.stride16(maps8)
        maps32 = self.stride32(maps16)
        top = self.lateral[2](maps32)
        middle = self.smooth[1](self.lateral[1](maps16) + functional.interpolate(top, scale_factor=2.0))
        bottom = self.smooth[0](self.lateral[0](maps8) + functional.interpolate(middle, scale_factor=2.0))
        rows = [self._head(maps, level) for level, maps in enumerate((bottom, middle, top))]
        return torch.cat(rows, dim=1)

    def _head(self, maps: Tensor, level: int) -> Tensor:
        person = self.person(self.score_branch(maps))
        offset, size, objectness = self.box(self.box_branch(maps)).split([2, 2, 1], dim=1)
        return torch.cat([offset, size + self.size[level], objectness, person], dim=1).flatten(2).transpose(1, 2)


class ExportedYolox(nn.Module):
    """The network as detectors take it: scores in [0, 1] instead of logits.

    Args:
        network: Trained.
    """

    def __init__(self, network: YoloxSmall) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the rows ``(N, A, 6)`` with two scores at the end."""
        rows = self.network(pixels)
        return torch.cat([rows[..., :4], rows[..., 4:].sigmoid()], dim=-1)
