"""A small network of crops that answers with a heat-map for each keypoint.

Reference:
    Heat-maps by regression: Xiao et al., "Simple Baselines for Human Pose Estimation and Tracking",
    arXiv:1804.06208; here with a feature pyramid (Lin et al., arXiv:1612.03144) in place of deconvolutions.
"""

from torch import Tensor, nn
from torch.nn import functional

from models.training.layers import Bottleneck, PixelNorm, conv_bn_relu

NUM_KEYPOINTS = 17
STRIDE = 4


class HeatmapSmall(nn.Module):
    """Finds the 17 COCO keypoints of one person.

    Args:
        widths: Channels after strides 2, 4, 8, 16 and 32.
        neck: Channels on the way back up.
    """

    def __init__(self, *, widths: tuple[int, int, int, int, int] = (24, 48, 96, 160, 224), neck: int = 64) -> None:
        super().__init__()
        s2, s4, s8, s16, s32 = widths
        self.scale = PixelNorm()
        self.down = nn.ModuleList(
            [
                nn.Sequential(conv_bn_relu(3, s2, stride=2), conv_bn_relu(s2, s4, stride=2), Bottleneck(s4, s4 // 2)),
                nn.Sequential(conv_bn_relu(s4, s8, stride=2), Bottleneck(s8, s8 // 2), Bottleneck(s8, s8 // 2)),
                nn.Sequential(conv_bn_relu(s8, s16, stride=2), Bottleneck(s16, s16 // 2), Bottleneck(s16, s16 // 2)),
                nn.Sequential(conv_bn_relu(s16, s32, stride=2), Bottleneck(s32, s32 // 2)),
            ]
        )
        self.lateral = nn.ModuleList(conv_bn_relu(width, neck, 1) for width in (s4, s8, s16, s32))
        self.smooth = nn.ModuleList(conv_bn_relu(neck, neck) for _ in (s4, s8, s16))
        self.heatmaps = nn.Conv2d(neck, NUM_KEYPOINTS, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return heat-maps, ``(N, 17, h / 4, w / 4)``: bumps with a peak of 1 where a keypoint surely is.

        Args:
            pixels: Shape ``(N, 3, h, w)``, float, BGR, 0 to 255; h and w multiples of 32.
        """
        maps = self.scale(pixels)
        levels = []
        for down in self.down:
            maps = down(maps)
            levels.append(maps)
        maps = self.lateral[3](levels[3])
        for level in (2, 1, 0):
            maps = functional.interpolate(maps, scale_factor=2.0)
            maps = self.smooth[level](maps + self.lateral[level](levels[level]))
        return self.heatmaps(maps)
