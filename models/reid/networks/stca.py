"""STCA: a 2D trunk sees the frames, a 3D trunk the clip, and each tells the other where to look.

Behind layer3 every place of every frame is correlated with every place of the clip. What correlates well as a whole
is stressed in both maps; the sum of the two goes through layer4 of the 2D trunk.

Shape suffixes as in ``models.reid.networks.clip_network``; K = H * W places of a map.

Reference:
    "STCA: Spatio-Temporal Cross Attention for video person re-identification", Image and Vision Computing, 2022,
    Sec. 3.2-3.3. Readings where the paper contradicts itself follow the authors' code: the time
    that is left of the 3D maps is averaged and stands for every frame; layer l is layer3; the softmax has a
    temperature of 0.025 and the kernel generator a reduction of 32, the ones that give the reported 0.002514 million
    parameters. The reported 12.97 GFLOPs are of a clip of one frame.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.networks.backbones import ResNet50, ResNet50In3d, initialise
from models.reid.networks.clip_network import BnNeck, Clips, VideoOutput, fold, in_float32, unfold
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError, ShapeError

STRIDE = 16
"""Pixels to a place, each way."""
MODES = ("2d", "3d", "concat", "stca")


class CrossAttention(nn.Module):
    """CAN, Sec. 3.3: where a frame and its clip agree.

    Args:
        num_places: K, of a map; it is part of the weights.
        reduction: K over the channels between the two layers of the kernel generator.
        temperature: Of the softmax.
    """

    def __init__(self, num_places: int, *, reduction: int = 32, temperature: float = 0.025) -> None:
        super().__init__()
        self.num_places, self.temperature = num_places, temperature
        hidden = max(1, num_places // reduction)
        self.generator = nn.Sequential(
            nn.Conv2d(num_places, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, num_places, 1),
        )
        initialise(self)

    def forward(self, frames_BTCK: Tensor, clip_BCK: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attention over the places of the frames and of the clip, ``(B, T, K)`` each, sums 1.

        Args:
            frames_BTCK: F_S, of the 2D trunk.
            clip_BCK: F_T, of the 3D trunk; the same for all frames.
        """
        # Divided by 0.025, what bfloat16 rounds off would be seen.
        with in_float32(frames_BTCK):
            relation_BTKK = correlate(frames_BTCK.float(), clip_BCK.float())
            return self._attend(relation_BTKK), self._attend(relation_BTKK.transpose(2, 3))

    def _attend(self, relation_BTKK: Tensor) -> Tensor:
        """Return the attention over the rows of a relation."""
        pooled_BK1T = relation_BTKK.mean(2).transpose(1, 2)[:, :, None]
        kernel_BTK = self.generator(pooled_BK1T)[:, :, 0].transpose(1, 2)
        score_BTK = (relation_BTKK @ kernel_BTK[..., None])[..., 0] / self.num_places
        return torch.softmax(score_BTK / self.temperature, dim=-1)


def correlate(frames_BTCK: Tensor, clip_BCK: Tensor) -> Tensor:
    """Return the cosine of every place of a frame with every place of the clip, ``(B, T, K, K)``."""
    return functional.normalize(frames_BTCK, dim=2).transpose(2, 3) @ functional.normalize(clip_BCK, dim=1)[:, None]


class Stca(nn.Module):
    """ResNet-50-IBN-a and 3D ResNet-50 with cross attention between them.

    Args:
        num_ids: People of the classifier; 0 leaves it out.
        clip_len: Frames of a clip; any number works.
        crop_size_hw: Height and width of the crops, pixels; part of the weights of the cross attention.
        width_mult: Scales all channels.
        mode: stca, or of Table 2 one trunk alone (2d, 3d) or the vectors of both side by side (concat).
        temperature: Of the attention.
        reduction: Of its kernel generator.
        fuse_identity: F_S is added once more to what goes into layer4; the text has it not, the authors' code has.
        fuse_l2norm: What goes into layer4 has norm 1 at each place; likewise.

    Raises:
        ConfigError: If there is no such mode.
    """

    needs = PoseNeed.NOTHING
    distance = "cosine"
    macs_per_normalised = 2

    def __init__(
        self,
        *,
        num_ids: int,
        clip_len: int,
        crop_size_hw: tuple[int, int],
        width_mult: float = 1.0,
        mode: str = "stca",
        temperature: float = 0.025,
        reduction: int = 32,
        fuse_identity: bool = True,
        fuse_l2norm: bool = True,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ConfigError(f"mode: expected one of {', '.join(MODES)}, got {mode!r}")
        self.clip_len, self.crop_size_hw, self.mode = clip_len, crop_size_hw, mode
        self.fuse_identity, self.fuse_l2norm = fuse_identity, fuse_l2norm
        self.vector_dim = 0
        if mode != "3d":
            self.trunk_2d = ResNet50(last_stride=1, width_mult=width_mult, is_ibn=True)
            self.vector_dim += self.trunk_2d.channels[-1]
        if mode != "2d":
            self.trunk_3d = ResNet50In3d(last_stage=3 if mode == "stca" else 4, width_mult=width_mult)
        if mode in ("3d", "concat"):
            self.vector_dim += self.trunk_3d.channels[-1]
        if mode == "stca":
            rows, columns = (-(-side // STRIDE) for side in crop_size_hw)
            self.cross = CrossAttention(rows * columns, reduction=reduction, temperature=temperature)
        self.neck = BnNeck(self.vector_dim, num_ids)

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the vector behind the neck, and the feature before it; the attention in ``extras``.

        Raises:
            ShapeError: If the crops are of another size than the weights.
        """
        pixels_BTCHW = clips.pixels
        extras: dict[str, Tensor] = {}
        if tuple(pixels_BTCHW.shape[3:]) != tuple(self.crop_size_hw):
            raise ShapeError(
                f"Stca: expected crops of {self.crop_size_hw}, got {tuple(pixels_BTCHW.shape[3:])}; the size is part "
                "of the weights"
            )
        if self.mode == "stca":
            feature_BC, extras = self._cross(pixels_BTCHW)
        elif self.mode == "2d":
            feature_BC = self._pool(self.trunk_2d(fold(pixels_BTCHW)), pixels_BTCHW)
        elif self.mode == "3d":
            feature_BC = self._pool_3d(pixels_BTCHW)
        else:
            over_frames = self._pool(self.trunk_2d(fold(pixels_BTCHW)), pixels_BTCHW)
            feature_BC = torch.cat([over_frames, self._pool_3d(pixels_BTCHW)], dim=1)
        vector_BC, logits = self.neck(feature_BC)
        return VideoOutput(vector_BC, (feature_BC,), logits, extras)

    def _cross(self, pixels_BTCHW: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        maps_NCHW = self.trunk_2d.stem(fold(pixels_BTCHW))
        maps_NCHW = self.trunk_2d.layer3(self.trunk_2d.layer2(self.trunk_2d.layer1(maps_NCHW)))
        # F_S in R^{b x c x k} for each frame, F_T likewise for the clip.
        frames_BTCK = unfold(maps_NCHW, pixels_BTCHW.shape[1]).flatten(3)
        clip_BCK = self.trunk_3d(pixels_BTCHW.transpose(1, 2)).mean(2).flatten(2)
        in_frames_BTK, in_clip_BTK = self.cross(frames_BTCK, clip_BCK)
        fused_BTCK = self._fuse(frames_BTCK, clip_BCK, in_frames_BTK, in_clip_BTK)
        feature_BC = self._pool(self.trunk_2d.layer4(fold(fused_BTCK).reshape_as(maps_NCHW)), pixels_BTCHW)
        return feature_BC, {"attention_in_frames": in_frames_BTK, "attention_in_clip": in_clip_BTK}

    def _fuse(self, frames_BTCK: Tensor, clip_BCK: Tensor, in_frames_BTK: Tensor, in_clip_BTK: Tensor) -> Tensor:
        """Return F_m: both maps, each with (1 + A) at its places."""
        fused = frames_BTCK * (1 + in_frames_BTK[:, :, None]) + clip_BCK[:, None] * (1 + in_clip_BTK[:, :, None])
        if self.fuse_identity:
            fused = fused + frames_BTCK
        return functional.normalize(fused, dim=2) if self.fuse_l2norm else fused

    def _pool(self, maps_NCHW: Tensor, pixels_BTCHW: Tensor) -> Tensor:
        return unfold(maps_NCHW.mean((2, 3)), pixels_BTCHW.shape[1]).mean(1)

    def _pool_3d(self, pixels_BTCHW: Tensor) -> Tensor:
        pooled: Tensor = self.trunk_3d(pixels_BTCHW.transpose(1, 2)).mean((2, 3, 4))
        return pooled
