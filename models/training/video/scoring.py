"""From tracklets to vectors to figures: what training and evaluation share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.reid.clips import clip_scheme
from models.reid.networks.clip_network import Clips
from models.training.video.posed import draw_heatmaps, grid_of
from models.training.video.sources import ClipSource
from pipeline.config.plugins import attribute

_CLIPS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What an embedder's configuration says of its network's input.

    Attributes:
        make_network: Takes ``num_ids``, ``clip_len`` and ``crop_size_hw``.
        clip_len: Frames of a clip.
        crop_hw: Height and width of crops, pixels.
        scheme: How a tracklet is cut into clips.
        max_clips: Of a tracklet.
        mean: Of red, green and blue.
        std: Likewise.
    """

    make_network: Callable[..., nn.Module]
    clip_len: int
    crop_hw: tuple[int, int]
    scheme: str
    max_clips: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, embedder: Callable[[], Any]) -> "NetworkInput":
        """Return the settings of a factory of ``VideoEmbedder``."""
        setting = partial(attribute, embedder)
        height, width = setting("crop_size_hw")
        return cls(
            make_network=setting("network"),
            clip_len=setting("clip_len"),
            crop_hw=(height, width),
            scheme=setting("clip_scheme"),
            max_clips=setting("max_clips"),
            mean=setting("mean"),
            std=setting("std"),
        )

    def make(self, num_ids: int) -> nn.Module:
        """Return a network for so many people."""
        return self.make_network(num_ids=num_ids, clip_len=self.clip_len, crop_size_hw=self.crop_hw)

    def clips(self, pixels_BTHWC: Tensor, keypoints_BTK3: Tensor) -> Clips:
        """Return clips as the network takes them, with heat-maps drawn of their keypoints.

        Args:
            pixels_BTHWC: uint8, RGB.
            keypoints_BTK3: x, y in [0, 1] of the crop, score.
        """
        mean, std = (torch.tensor(values, device=pixels_BTHWC.device) for values in (self.mean, self.std))
        pixels_BTCHW = ((pixels_BTHWC.float() - mean) / std).permute(0, 1, 4, 2, 3)
        return Clips(pixels_BTCHW, keypoints_BTK3, draw_heatmaps(keypoints_BTK3, grid_of(self.crop_hw)))


@torch.no_grad()
def embed_tracklets(network: nn.Module, source: ClipSource, settings: NetworkInput, device: torch.device) -> Tensor:
    """Return a vector a tracklet, the mean of its clips' vectors; of norm 1 where cosines are compared.

    Args:
        network: In evaluation mode, on the device.
        source: Of the tracklets; at least one.
        settings: Of the network's input.
        device: To compute on.
    """
    cut = clip_scheme(settings.scheme)
    vectors = []
    for row, length in enumerate(source.lengths.tolist()):
        indices = cut(length, settings.clip_len)
        spread = np.linspace(0, len(indices) - 1, min(settings.max_clips, len(indices))).round().astype(np.intp)
        found = []
        for start in range(0, len(spread), _CLIPS_AT_ONCE):
            images, keypoints = source.clip(row, indices[spread[start : start + _CLIPS_AT_ONCE]].ravel())
            shape = (-1, settings.clip_len)
            clips = settings.clips(
                torch.from_numpy(np.ascontiguousarray(images)).unflatten(0, shape).to(device),
                torch.from_numpy(keypoints).unflatten(0, shape).to(device),
            )
            found.append(network(clips).vector.float())
        vectors.append(torch.cat(found).mean(0))
    stacked = torch.stack(vectors)
    return functional.normalize(stacked, dim=1) if network.distance == "cosine" else stacked


def distances_between(queries: Tensor, gallery: Tensor) -> NDArray[np.float32]:
    """Return Euclidean distances, shape ``(Q, G)``; of vectors of norm 1 their order is that of cosines."""
    exact = "donot_use_mm_for_euclid_dist"
    distances: NDArray[np.float32] = torch.cdist(queries, gallery, compute_mode=exact).cpu().numpy()
    return distances
