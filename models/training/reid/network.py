"""A narrow network of single crops that looks at several scales at once.

Reference:
    Blocks of streams with growing receptive field and a shared gate: Zhou et al., "Omni-Scale Feature Learning for
    Person Re-Identification", arXiv:1905.00953, here with plain narrow convolutions, which train faster on a
    processor than depthwise ones. Means of stripes of the height: Sun et al., "Beyond Part Models (PCB)",
    arXiv:1711.09349, here into one vector. Instance normalisation inside the early blocks, against the look of one
    camera: Pan et al., "Two at Once (IBN-Net)", arXiv:1807.09441. BNNeck: Luo et al., arXiv:1903.07071.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.layers import PixelNorm, conv_bn_relu

WIDTHS = (96, 160, 224)
_STRIPES = 4


class HalfInstanceNorm(nn.Module):
    """Instance normalisation of the first half of the channels, batch normalisation of the rest.

    Args:
        width: Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.split = [width // 2, width - width // 2]
        self.instance = nn.InstanceNorm2d(self.split[0], affine=True)
        self.batch = nn.BatchNorm2d(self.split[1])

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape."""
        first, second = maps.split(self.split, dim=1)
        return torch.cat([self.instance(first), self.batch(second)], dim=1)


class OmniBlock(nn.Module):
    """Residual block of three streams that see 3, 5 and 7 pixels, weighed channel by channel by one gate.

    Args:
        num_in: Channels in.
        num_out: Channels out.
        half_instance: Use ``HalfInstanceNorm`` at the entry.
    """

    def __init__(self, num_in: int, num_out: int, *, half_instance: bool) -> None:
        super().__init__()
        inner = num_out // 4
        norm = HalfInstanceNorm(inner) if half_instance else nn.BatchNorm2d(inner)
        self.entry = nn.Sequential(nn.Conv2d(num_in, inner, 1, bias=False), norm, nn.ReLU(inplace=True))
        # One chain of three convolutions: its three stages are the three streams.
        self.streams = nn.ModuleList(conv_bn_relu(inner, inner) for _ in range(3))
        self.gate = nn.Sequential(nn.Linear(inner, inner // 4), nn.ReLU(inplace=True), nn.Linear(inner // 4, inner))
        self.exit = nn.Sequential(nn.Conv2d(inner, num_out, 1, bias=False), nn.BatchNorm2d(num_out))
        self.shortcut = (
            nn.Identity()
            if num_in == num_out
            else nn.Sequential(nn.Conv2d(num_in, num_out, 1, bias=False), nn.BatchNorm2d(num_out))
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same size."""
        stream = self.entry(maps)
        total = torch.zeros_like(stream)
        for stage in self.streams:
            stream = stage(stream)
            weight = self.gate(stream.mean((2, 3))).sigmoid()[:, :, None, None]
            total = total + stream * weight
        return functional.relu(self.exit(total) + self.shortcut(maps))


class OmniSmall(nn.Module):
    """Turns a crop into a vector; crops of one person point the same way.

    Args:
        widths: Channels at strides 4, 8 and 16.
        dim: Length of the vector.
    """

    convolutions = ("stem", "blocks")

    def __init__(self, *, widths: tuple[int, int, int] = WIDTHS, dim: int = 256) -> None:
        super().__init__()
        narrow, middle, wide = widths
        self.dim = dim
        self.scale = PixelNorm()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 5, 2, 2, bias=False),
            nn.InstanceNorm2d(32, affine=True),
            nn.ReLU(inplace=True),
            conv_bn_relu(32, 32, stride=2),
        )
        self.blocks = nn.Sequential(
            OmniBlock(32, narrow, half_instance=True),
            OmniBlock(narrow, narrow, half_instance=True),
            nn.AvgPool2d(2),
            OmniBlock(narrow, middle, half_instance=True),
            OmniBlock(middle, middle, half_instance=False),
            nn.AvgPool2d(2),
            OmniBlock(middle, wide, half_instance=False),
            OmniBlock(wide, wide, half_instance=False),
        )
        # Where on a body a colour is tells more than that it is there.
        self.embed = nn.Linear((_STRIPES + 1) * wide, dim, bias=False)
        self.neck = nn.BatchNorm1d(dim)
        self.neck.bias.requires_grad_(False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vectors before and behind the neck.

        Args:
            pixels: Shape ``(N, 3, h, w)``, float, BGR, 0 to 255.

        Returns:
            Twice ``(N, dim)``: for distances between crops, and for the classifier and for use.
        """
        maps = self.blocks(self.stem(self.scale(pixels)))
        stripes = functional.adaptive_avg_pool2d(maps, (_STRIPES, 1)).flatten(1)
        vectors = self.embed(torch.cat([stripes, maps.amax((2, 3))], dim=1))
        return vectors, self.neck(vectors)


class ExportedReid(nn.Module):
    """The network as embedders take it: one vector a crop.

    Args:
        network: Trained.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Return vectors of L2 norm 1, ``(N, dim)``."""
        _, vectors = self.network(pixels)
        return functional.normalize(vectors, dim=1)
