"""What the papers compare with: ResNet-50, averaged over each map and over time.

Shape suffixes as in ``models.reid.networks.clip_network``.

Reference:
    Gao and Nevatia, "Revisiting Temporal Modeling for Video-based Person ReID", arXiv:1805.02104 (temporal pooling),
    with the neck of Luo et al., CVPRW 2019. It is the baseline of LSTRL, Table 3.
"""

from torch import nn

from models.reid.networks.backbones import ResNet50
from models.reid.networks.clip_network import BnNeck, Clips, VideoOutput, fold, unfold
from pipeline.core import PoseNeed


class Baseline(nn.Module):
    """ResNet-50 on every frame, global average pooling, temporal average pooling.

    Args:
        num_ids: People of the classifier; 0 leaves it out.
        clip_len: Frames of a clip; any number works.
        crop_size_hw: Height and width of the crops, pixels; any size works.
        width_mult: Scales all channels.
        last_stride: Of the last stage: 1 or 2.
    """

    needs = PoseNeed.NOTHING
    distance = "cosine"
    macs_per_normalised = 4

    def __init__(
        self,
        *,
        num_ids: int,
        clip_len: int,
        crop_size_hw: tuple[int, int],
        width_mult: float = 1.0,
        last_stride: int = 1,
    ) -> None:
        super().__init__()
        self.clip_len, self.crop_size_hw = clip_len, crop_size_hw
        self.trunk = ResNet50(last_stride=last_stride, width_mult=width_mult)
        self.vector_dim = self.trunk.channels[-1]
        self.neck = BnNeck(self.vector_dim, num_ids)

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the vector behind the neck, and the feature before it."""
        num_frames = clips.pixels.shape[1]
        maps_NCHW = self.trunk(fold(clips.pixels))
        feature_BC = unfold(maps_NCHW.mean((2, 3)), num_frames).mean(1)
        vector_BC, logits = self.neck(feature_BC)
        return VideoOutput(vector_BC, (feature_BC,), logits)
