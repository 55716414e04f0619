"""ASA-Net: attributes show where to look; those that say nothing of who it is help to tell pose and motion apart.

The trunk up to layer3 is shared by three stages: one for the identity, one for attributes that belong to a person
(clothes, bag, gender), one for attributes that do not (pose, motion). Each attribute map makes a mask that enhances a
projection of the identity map. Attributes are needed for training alone.

Shape suffixes as in ``models.reid.networks.clip_network``; A channels of an attribute map, E of a projection,
K = H * W places.

Reference:
    "ASA-Net: Attribute Salience Assisted Network for video-based person re-identification", 2021,
    Eq. (1)-(9), Sec. III, on AGW (Ye et al., TPAMI 2021). Readings where printed sizes clash: C = 1024, and the
    linear layers W2 and W4 take an attribute map's mean from C/2 to C/4 before it is called f_attr.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.networks.attribute_groups import (
    GROUPS,
    IRRELEVANT,
    LOGITS,
    POSE_AND_MOTION,
    RELEVANT,
    make_attribute_head,
)
from models.reid.networks.backbones import EXPANSION, ResNet50, initialise, make_stage
from models.reid.networks.clip_network import BnNeck, Clips, VideoOutput, fold, initialise_new, unfold
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError

IDENTITY = "identity"
BRANCHES = (IDENTITY, *GROUPS)
_FUSED = {"a": {RELEVANT}, "b": {RELEVANT, IRRELEVANT}}
"""The attribute vectors that each fusion takes."""
NON_LOCAL_BLOCKS = {"layer2": (2, 3), "layer3": (3, 4, 5)}
"""Blocks of the trunk that a non-local block stands behind, from 0: the last two and the last three."""


class NonLocal(nn.Module):
    """Every place of a map adds what it finds at all places of it; nothing at first.

    Args:
        channels: Of the maps.
        inner: Channels inside.

    Reference:
        Wang et al., "Non-local Neural Networks", CVPR 2018, with the products over the number of places (Eq. 4, 6).
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (nn.Conv2d(channels, inner, 1) for _ in range(3))
        self.W = nn.Sequential(nn.Conv2d(inner, channels, 1), nn.BatchNorm2d(channels))
        initialise_new(self)
        nn.init.zeros_(self.W[1].weight)
        nn.init.zeros_(self.W[1].bias)

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Return maps of the same shape."""
        theta_NIK, phi_NIK, g_NIK = (conv(maps_NCHW).flatten(2) for conv in (self.theta, self.phi, self.g))
        # Without a softmax theta^T (phi g^T) is the same as (theta^T phi) g^T, and K times less work.
        summary_NII = g_NIK @ phi_NIK.transpose(1, 2) / maps_NCHW[0, 0].numel()
        found = (summary_NII @ theta_NIK).unflatten(2, maps_NCHW.shape[2:])
        out: Tensor = maps_NCHW + self.W(found)
        return out


class GemPool(nn.Module):
    """Generalised mean over places, with a learnt exponent.

    Reference:
        Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019, Eq. (3).
    """

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Return ``(N, C)``."""
        mean = maps_NCHW.clamp(min=1e-6).pow(self.p).mean((2, 3))
        return mean.pow(1 / self.p)


class SalienceEnhancement(nn.Module):
    """ASRE: an attribute map tells an identity map where to look.

    Args:
        channels: E, of the identity map.
        attribute_channels: A, of the attribute map.
        mask_act: none, or sigmoid to keep the mask in [0, 1].
    """

    def __init__(self, channels: int, attribute_channels: int, *, mask_act: str = "none") -> None:
        super().__init__()
        if mask_act not in ("none", "sigmoid"):
            raise ConfigError(f"asre_mask_act: expected none or sigmoid, got {mask_act!r}")
        self.has_sigmoid = mask_act == "sigmoid"
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(attribute_channels, channels, 1)
        self.value = nn.Conv2d(attribute_channels, channels, 1)
        self.mask = nn.Sequential(nn.BatchNorm2d(channels), nn.Conv2d(channels, 1, 1))
        self.alpha = nn.Parameter(torch.ones(1))
        initialise_new(self)

    def forward(self, identity_NEHW: Tensor, attribute_NAHW: Tensor) -> tuple[Tensor, Tensor]:
        """Return the enhanced identity map, and the mask ``(N, 1, H, W)``."""
        # Rows are places of the identity, the softmax goes over those of the attribute.
        query_NKE = self.query(identity_NEHW).relu().flatten(2).transpose(1, 2)
        key_NKE = self.key(attribute_NAHW).relu().flatten(2).transpose(1, 2)
        value_NKE = self.value(attribute_NAHW).flatten(2).transpose(1, 2)
        found_NKE = functional.scaled_dot_product_attention(query_NKE[:, None], key_NKE[:, None], value_NKE[:, None])
        # Eq. (9)
        mask = self.mask(found_NKE[:, 0].transpose(1, 2).reshape_as(identity_NEHW))
        mask = mask.sigmoid() if self.has_sigmoid else mask
        # X_I + alpha (M * X_I)
        return identity_NEHW + self.alpha * (mask * identity_NEHW), mask

    def relation(self, identity_NEHW: Tensor, attribute_NAHW: Tensor) -> Tensor:
        """Return the attention, for pictures: ``(N, K, K)``."""
        query_NEK = self.query(identity_NEHW).relu().flatten(2)
        key_NEK = self.key(attribute_NAHW).relu().flatten(2)
        return torch.softmax(query_NEK.transpose(1, 2) @ key_NEK / query_NEK.shape[1] ** 0.5, dim=-1)


class AttributeBranch(nn.Module):
    """A stage behind layer3 that learns attributes, and the enhancement that comes of it.

    Args:
        trunk_channels: C, behind layer3.
        channels: E, of the identity projection and of all vectors.
        attribute_channels: A.
        num_attributes: Classes of all attributes together.
        is_enhancing: False leaves the enhancement out (Table V).
        mask_act: Of the enhancement.
    """

    def __init__(
        self,
        trunk_channels: int,
        channels: int,
        attribute_channels: int,
        *,
        num_attributes: int,
        is_enhancing: bool,
        mask_act: str,
    ) -> None:
        super().__init__()
        self.stage = make_stage(trunk_channels, attribute_channels // EXPANSION, 3, stride=1)
        self.reduce = nn.Linear(attribute_channels, channels)
        self.predict = make_attribute_head(channels, num_attributes)
        self.enhance = SalienceEnhancement(channels, attribute_channels, mask_act=mask_act) if is_enhancing else None
        initialise_new(self.reduce)
        initialise(self.stage)


class AsaNet(nn.Module):
    """ResNet-50 with an identity stage and two attribute stages.

    Args:
        num_ids: People of the classifier; 0 leaves it out.
        clip_len: Frames of a clip; any number works.
        crop_size_hw: Height and width of the crops, pixels; any size works.
        width_mult: Scales all channels.
        num_relevant: Classes of attributes that belong to a person: 41 on MARS, 33 on DukeMTMC-VideoReID.
        num_irrelevant: Classes of pose and motion: 11 on both.
        fusion: a: [f_re_ID, f_ID, f_ir_ID, f_re_attr]; b: the last of both attribute vectors; Table V.
        branches: Some of identity, id_relevant, id_irrelevant; Table IV. A data set that does not say what people do
            takes [identity, id_relevant] and fusion a.
        fuse_attr: False leaves attribute vectors out of the fusion; Table IV.
        asre: Enhance by attributes; Table V.
        asre_mask_act: none as printed, or sigmoid.
        attr_channels: half or quarter of C, of the attribute maps.
        pool: avg or gem.
        non_local: Non-local blocks of AGW in the trunk: one (channel inside, what AGW's code does), half or none.

    Raises:
        ConfigError: If a word is unknown or words contradict each other.
    """

    needs = PoseNeed.NOTHING
    distance = "cosine"
    macs_per_normalised = 0

    def __init__(
        self,
        *,
        num_ids: int,
        clip_len: int,
        crop_size_hw: tuple[int, int],
        width_mult: float = 1.0,
        num_relevant: int = 41,
        num_irrelevant: int = 11,
        fusion: str = "b",
        branches: Sequence[str] = BRANCHES,
        fuse_attr: bool = True,
        asre: bool = True,
        asre_mask_act: str = "none",
        attr_channels: str = "half",
        pool: str = "avg",
        non_local: str = "one",
    ) -> None:
        super().__init__()
        for key, value, words in (
            ("fusion", fusion, ("a", "b")),
            ("attr_channels", attr_channels, ("half", "quarter")),
            ("pool", pool, ("avg", "gem")),
            ("non_local", non_local, ("none", "one", "half")),
        ):
            if value not in words:
                raise ConfigError(f"{key}: expected one of {', '.join(words)}, got {value!r}")
        fused = _FUSED[fusion] if fuse_attr else set()
        if not branches or not fused <= set(branches) <= set(BRANCHES):
            raise ConfigError(
                f"branches: expected some of {', '.join(BRANCHES)}, and those whose attributes fusion {fusion} takes, "
                f"got {list(branches)}; set fuse_attr: false"
            )
        self.clip_len, self.crop_size_hw = clip_len, crop_size_hw
        self.branches, self.fusion, self.fuse_attr = tuple(branches), fusion, fuse_attr
        self.trunk = ResNet50(last_stride=1, width_mult=width_mult)
        stage_channels = dict(zip(("layer1", "layer2", "layer3"), self.trunk.channels, strict=False))
        self.non_local = nn.ModuleDict()
        for stage, blocks in NON_LOCAL_BLOCKS.items() if non_local != "none" else ():
            channels = stage_channels[stage]
            inner = 1 if non_local == "one" else channels // 2
            self.non_local.update({f"{stage}_{block}": NonLocal(channels, inner) for block in blocks})
        _, _, channels, deep_channels = self.trunk.channels
        dim = channels // 4
        # F_re, F_ir, F_ID and W_re, W_ir, W_id; Eq. (6) lacks the last, the text of Sec. III-D has it.
        self.project = nn.ModuleDict({name: nn.Conv2d(deep_channels, dim, 1) for name in self.branches})
        self.linear = nn.ModuleDict({name: nn.Linear(dim, dim) for name in self.branches})
        initialise_new(self.project)
        initialise_new(self.linear)
        self.attribute = nn.ModuleDict()
        classes = {RELEVANT: num_relevant, IRRELEVANT: num_irrelevant}
        self.attribute_classes = {name: count for name, count in classes.items() if name in self.branches}
        """What is to be named of each group while training."""
        for name, num_attributes in self.attribute_classes.items():
            self.attribute[name] = AttributeBranch(
                channels,
                dim,
                channels // (2 if attr_channels == "half" else 4),
                num_attributes=num_attributes,
                is_enhancing=asre,
                mask_act=asre_mask_act,
            )
        if fuse_attr and fusion == "b":
            self.merge = nn.Linear(2 * dim, dim)
            initialise_new(self.merge)
        self.pool = GemPool() if pool == "gem" else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
        self.vector_dim = dim * (len(self.branches) + fuse_attr)
        self.neck = BnNeck(self.vector_dim, num_ids)

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the unit vector behind the neck, and f_final before it.

        ``extras`` hold the masks, f_ir_attr as ``pose_and_motion`` for the PMI loss, and in training the logits of
        attributes.
        """
        num_frames = clips.pixels.shape[1]
        shared_NCHW = self._shared(fold(clips.pixels))
        deep_NCHW = self.trunk.layer4(shared_NCHW)
        of_identity: dict[str, Tensor] = {}
        of_attribute: dict[str, Tensor] = {}
        extras: dict[str, Tensor] = {}
        for name in self.branches:
            maps_NEHW = self.project[name](deep_NCHW)
            if name in self.attribute:
                branch = self.attribute[name]
                attribute_NAHW = branch.stage(shared_NCHW)
                # Eq. (3): W2 and W4 make f_attr, which is what predicts and what is fused.
                of_attribute[name] = branch.reduce(self._mean(attribute_NAHW, num_frames))
                if branch.enhance is not None:
                    maps_NEHW, mask = branch.enhance(maps_NEHW, attribute_NAHW)
                    extras[f"mask_{name}"] = unfold(mask[:, 0], num_frames)
                if self.training:
                    extras[f"{LOGITS}{name}"] = branch.predict(of_attribute[name])
            of_identity[name] = self.linear[name](self._mean(maps_NEHW, num_frames))
        if IRRELEVANT in of_attribute:
            extras[POSE_AND_MOTION] = of_attribute[IRRELEVANT]
        feature_BD = self._fuse(of_identity, of_attribute)
        necked_BD, logits = self.neck(feature_BD)
        return VideoOutput(functional.normalize(necked_BD, dim=1), (feature_BD,), logits, extras)

    def _shared(self, pixels_NCHW: Tensor) -> Tensor:
        """Return X_origin."""
        maps = self.trunk.layer1(self.trunk.stem(pixels_NCHW))
        for stage in ("layer2", "layer3"):
            for number, block in enumerate(getattr(self.trunk, stage)):
                maps = block(maps)
                name = f"{stage}_{number}"
                maps = self.non_local[name](maps) if name in self.non_local else maps
        out: Tensor = maps
        return out

    def _mean(self, maps_NCHW: Tensor, num_frames: int) -> Tensor:
        """Return a vector a clip: pooled over places, then averaged over time."""
        return unfold(self.pool(maps_NCHW), num_frames).mean(1)

    def _fuse(self, of_identity: dict[str, Tensor], of_attribute: dict[str, Tensor]) -> Tensor:
        """Return f_final, Sec. III-D."""
        parts = [of_identity[name] for name in (RELEVANT, IDENTITY, IRRELEVANT) if name in of_identity]
        if self.fuse_attr and self.fusion == "a":
            parts.append(of_attribute[RELEVANT])
        elif self.fuse_attr:
            parts.append(self.merge(torch.cat([of_attribute[RELEVANT], of_attribute[IRRELEVANT]], dim=1)))
        return torch.cat(parts, dim=1)
