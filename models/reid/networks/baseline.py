"""What the papers compare with: ResNet-50, averaged over each map and over time.

Shape suffixes as in ``models.reid.networks.clip_network``.

Reference:
    Gao and Nevatia, "Revisiting Temporal Modeling for Video-based Person ReID", arXiv:1805.02104 (temporal pooling),
    with the neck of Luo et al., CVPRW 2019. It is the baseline of LSTRL, Table 3.
"""

from torch import nn

from models.reid.networks.attribute_groups import IRRELEVANT, LOGITS, RELEVANT, make_attribute_head
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
        num_relevant: Classes of attributes of a person that a head on the feature learns to name, for training alone;
            0 for none. With it the baseline learns from the same labels as ASA-Net.
        num_irrelevant: Likewise of pose and motion.
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
        num_relevant: int = 0,
        num_irrelevant: int = 0,
    ) -> None:
        super().__init__()
        self.clip_len, self.crop_size_hw = clip_len, crop_size_hw
        self.trunk = ResNet50(last_stride=last_stride, width_mult=width_mult)
        self.vector_dim = self.trunk.channels[-1]
        self.neck = BnNeck(self.vector_dim, num_ids)
        classes = {RELEVANT: num_relevant, IRRELEVANT: num_irrelevant}
        self.attribute_classes = {name: count for name, count in classes.items() if count}
        """What is to be named of each group while training."""
        heads = {name: make_attribute_head(self.vector_dim, count) for name, count in self.attribute_classes.items()}
        self.attribute = nn.ModuleDict(heads)

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the vector behind the neck, and the feature before it; in training the logits of attributes too."""
        num_frames = clips.pixels.shape[1]
        maps_NCHW = self.trunk(fold(clips.pixels))
        feature_BC = unfold(maps_NCHW.mean((2, 3)), num_frames).mean(1)
        vector_BC, logits = self.neck(feature_BC)
        heads = self.attribute.items() if self.training else ()
        return VideoOutput(
            vector_BC, (feature_BC,), logits, {f"{LOGITS}{name}": head(feature_BC) for name, head in heads}
        )
