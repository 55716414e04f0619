"""What the video networks share: what goes in, what comes out, and the head of a branch.

Shape suffixes: B clips, T frames of a clip, N pictures (B times T), C channels, H and W rows and columns, D numbers of
a vector, P people.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pipeline.core import PoseNeed
from pipeline.core.errors import ShapeError

NUM_KEYPOINTS = 17


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """A batch of clips and what was found on them.

    Attributes:
        pixels: Shape ``(B, T, 3, H, W)``, float, RGB, scaled as the network was trained.
        keypoints: Shape ``(B, T, 17, 3)``, COCO order: x, y in [0, 1] of the crop, score; or None.
        heatmaps: Shape ``(B, T, 17, h, w)``, raw, aligned with the crop; or None.

    Raises:
        ShapeError: If shapes do not fit together.
    """

    pixels: Tensor
    keypoints: Tensor | None = None
    heatmaps: Tensor | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 5 or self.pixels.shape[2] != 3 or 0 in self.pixels.shape[:2]:
            raise ShapeError(f"pixels: expected (B, T, 3, H, W), got {tuple(self.pixels.shape)}; cut clips first")
        wanted = (*self.pixels.shape[:2], NUM_KEYPOINTS)
        if self.keypoints is not None and tuple(self.keypoints.shape) != (*wanted, 3):
            raise ShapeError(f"keypoints: expected {(*wanted, 3)}, got {tuple(self.keypoints.shape)}; one row a frame")
        if self.heatmaps is not None and (self.heatmaps.ndim != 5 or tuple(self.heatmaps.shape[:3]) != wanted):
            raise ShapeError(
                f"heatmaps: expected {(*wanted, 'h', 'w')}, got {tuple(self.heatmaps.shape)}; one map a frame"
            )


@dataclass(frozen=True, slots=True, eq=False)
class VideoOutput:
    """What a network says of a batch of clips.

    Attributes:
        vector: Shape ``(B, D)``: what people are compared by.
        features: Shape ``(B, d)`` each: a vector a branch, before its neck; the triplet loss sees them.
        logits: Shape ``(B, P)`` each, in the same order; none if the network was built for no people.
        extras: What a network's own losses and pictures need, by name.
    """

    vector: Tensor
    features: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]
    extras: dict[str, Tensor] = field(default_factory=dict)


@runtime_checkable
class VideoNetwork(Protocol):
    """The interface of a video network, besides ``nn.Module``.

    Its constructor takes ``num_ids`` (people of the classifier, 0 for none), ``clip_len``, ``crop_size_hw`` and its
    own settings, all by keyword.
    """

    needs: PoseNeed
    distance: str
    """cosine or euclidean: how vectors are meant to be compared."""
    macs_per_normalised: int
    """What the paper's count of operations adds for each number that a batch normalisation gives out."""
    vector_dim: int

    def __call__(self, clips: Clips) -> VideoOutput:
        """Return the output of a batch; gradients flow if the mode is training."""
        ...


class BnNeck(nn.Module):
    """Batch normalisation without a learnt shift, then a classifier without a bias.

    Args:
        dim: Length of the vectors.
        num_ids: People; 0 leaves the classifier out.

    Reference:
        Luo et al., "Bag of Tricks and A Strong Baseline for Deep Person Re-identification", CVPRW 2019, Fig. 5.
    """

    def __init__(self, dim: int, num_ids: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)
        self.norm.bias.requires_grad_(False)
        self.classifier = nn.Linear(dim, num_ids, bias=False) if num_ids else None
        if self.classifier is not None:
            nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, vectors_BD: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the normalised vectors ``(B, D)``, and the logits ``(B, P)`` or nothing."""
        necked = self.norm(vectors_BD)
        return necked, (() if self.classifier is None else (self.classifier(necked),))


def fold(clips_BTCHW: Tensor) -> Tensor:
    """Return the frames of all clips as one batch, ``(B * T, C, H, W)``."""
    return clips_BTCHW.flatten(0, 1)


def unfold(frames_NC: Tensor, num_frames: int) -> Tensor:
    """Return frames as clips again, ``(B, T, …)``."""
    return frames_NC.unflatten(0, (-1, num_frames))


def in_float32(like: Tensor) -> AbstractContextManager[None]:
    """Return a context in which nothing is rounded to fewer bits; tensors that enter are made ``float()`` first."""
    device = like.device.type
    if not torch.amp.is_autocast_available(device):
        return nullcontext()
    context: AbstractContextManager[None] = torch.autocast(device, enabled=False)
    return context


def prefer_channels_last(network: nn.Module) -> None:
    """Lay out 2D convolutions the way in which processors and GPUs compute them fastest; 3D ones stay as they are."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def initialise_new(module: nn.Module, *, is_pointwise: bool = False) -> None:
    """Set what no checkpoint fills: Kaiming's normal (convolutions fan in, linear fan out), shifts 0.

    Args:
        module: All layers of which are set.
        is_pointwise: Linear layers stand for 1x1 convolutions and begin as these do. By fan out, layers that take
            many numbers to few would make vectors longer than they came: RAPA's 4096 to 1024 by 2.8 times.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            mode = "fan_in" if is_pointwise else "fan_out"
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
