"""LSTRL: every frame looks at all frames at four granularities, and at its neighbours' motion.

Two pairs of blocks sit inside ResNet-50, behind layer2 and behind layer3: there the maps F become F + F^a + F^m, F^a
of the multi-granularity appearance extractor, F^m of the bi-directional motion estimator; both read the same F.

Shape suffixes as in ``models.reid.networks.clip_network``; L = T * H * W places of a clip, Q and E channels
inside a block.

Reference:
    Liu, Zhang and Lu, "Long Short-Term Representation Learning for Video-based Person Re-identification", 2023,
    Eq. (1), (4), (5). Readings where the paper is silent: "Res2 and Res3" are layer2 and layer3 (512 and 1024
    channels), "dot product" in Eq. (4)-(5) is channel by channel, convolutions have shifts and no normalisation: with
    them come the reported 24.79 and 29.06 million parameters and 4.09, 4.42 and 4.96 GFLOPs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.reid.networks.backbones import STAGES, ResNet50
from models.reid.networks.clip_network import BnNeck, Clips, VideoOutput, fold, initialise_new, unfold
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError

ALL_GRANULARITIES = (1, 2, 3, 4)
_SCALES = {"root": -0.5, "mean": -1.0}
"""By word, the power of the channels that products are multiplied with."""


class AppearanceExtractor(nn.Module):
    """MAE: what is alike anywhere in the clip, for places, maps, frames and the whole.

    Args:
        channels: Of the maps, a multiple of 4.
        granularities: Which of 1 (places), 2 (maps, mean over time), 3 (frames, mean over space), 4 (the clip) are
            used. Table 4 leaves one out.
        scale: Of the products before the softmax. The paper has none (1): then each place looks at one place alone,
            from the first step to the last. root: one over the root of the channels inside; mean: one over them.
        init_scale: What the weights of ``omega1`` are multiplied with at first; products grow with its square.
    """

    def __init__(
        self,
        channels: int,
        *,
        granularities: Sequence[int] = ALL_GRANULARITIES,
        scale: float | str = 1.0,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if not granularities or not set(granularities) <= set(ALL_GRANULARITIES):
            raise ConfigError(f"granularities: expected some of 1, 2, 3, 4, got {list(granularities)}")
        if isinstance(scale, str) and scale not in _SCALES:
            raise ConfigError(f"mae_scale: expected a number, {' or '.join(_SCALES)}, got {scale!r}")
        self.granularities = tuple(granularities)
        self.scale = (channels // 4) ** _SCALES[scale] if isinstance(scale, str) else float(scale)
        self.omega1 = nn.Conv2d(channels, channels // 4, 1)
        self.omega2 = nn.Conv2d(len(self.granularities) * (channels // 4), channels, 1)
        initialise_new(self)
        self.omega1.weight.data.mul_(init_scale)

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        """Return F^a, of the same shape."""
        places_BTQHW = self._project(maps_BTCHW)
        aggregated = [self.aggregate(places_BTQHW, granularity) for granularity in self.granularities]
        # F^a = omega2([A_1, A_2, A_3, A_4])
        return unfold(self.omega2(fold(torch.cat(aggregated, dim=2))), maps_BTCHW.shape[1])

    def aggregate(self, places_BTQHW: Tensor, granularity: int) -> Tensor:
        """Return A_i, repeated to the shape of the places: D^i X_1 without ever holding D^i.

        Args:
            places_BTQHW: What ``omega1`` gave.
            granularity: 1 to 4.
        """
        queries = _summaries(places_BTQHW, granularity)
        keys_BLQ = _as_rows(places_BTQHW)
        # One head. D^1 has (T H W)^2 numbers a clip, 4096^2 behind layer2; this never has them all.
        found = functional.scaled_dot_product_attention(
            _as_rows(queries)[:, None], keys_BLQ[:, None], keys_BLQ[:, None], scale=self.scale
        )
        batch, num_frames, channels, height, width = queries.shape
        maps = found[:, 0].transpose(1, 2).reshape(batch, channels, num_frames, height, width)
        return maps.transpose(1, 2).expand_as(places_BTQHW)

    def relations(self, maps_BTCHW: Tensor) -> dict[int, Tensor]:
        """Return D^i, Eq. (1), for pictures: ``(B, queries, L)`` each; D^1 is large."""
        places = self._project(maps_BTCHW)
        keys_BLQ = _as_rows(places)
        return {
            granularity: torch.softmax(
                _as_rows(_summaries(places, granularity)) @ keys_BLQ.transpose(1, 2) * self.scale, dim=-1
            )
            for granularity in self.granularities
        }

    def _project(self, maps_BTCHW: Tensor) -> Tensor:
        return unfold(self.omega1(fold(maps_BTCHW)), maps_BTCHW.shape[1])


class MotionEstimator(nn.Module):
    """BME: how each frame relates to the one before and the one after.

    Args:
        channels: Of the maps, even.
        mode: global: the mean of a frame asks its neighbour, Eq. (4)-(5); local: every place does, Table 5.
        direction: bi, or forward alone, Table 5.
        boundary: The neighbour that the first and last frames lack: replicate, zero or circular.
        share_psi: Project each frame once for both directions: the same result with fewer operations. The paper's
            count is of two projections.
    """

    def __init__(
        self,
        channels: int,
        *,
        mode: str = "global",
        direction: str = "bi",
        boundary: str = "replicate",
        share_psi: bool = False,
    ) -> None:
        super().__init__()
        for key, value, words in (
            ("mode", mode, ("global", "local")),
            ("direction", direction, ("bi", "forward")),
            ("boundary", boundary, ("replicate", "zero", "circular")),
        ):
            if value not in words:
                raise ConfigError(f"bme.{key}: expected one of {', '.join(words)}, got {value!r}")
        self.mode, self.boundary, self.share_psi = mode, boundary, share_psi
        self.steps = (1, -1) if direction == "bi" else (1,)
        self.phi = nn.Conv2d(channels, channels // 2, 1)
        self.psi = nn.Conv2d(channels, channels // 2, 1)
        self.upsilon = nn.Conv2d(len(self.steps) * (channels // 2), channels, 1)
        initialise_new(self)

    def forward(self, maps_BTCHW: Tensor) -> Tensor:
        """Return F^m, of the same shape."""
        num_frames = maps_BTCHW.shape[1]
        asking = fold(maps_BTCHW.mean((3, 4), keepdim=True) if self.mode == "global" else maps_BTCHW)
        asking_BTEHW = unfold(self.phi(asking), num_frames)
        padded_BTCHW = self._pad(maps_BTCHW)
        if self.share_psi:
            seen_BTEHW = unfold(self.psi(fold(padded_BTCHW)), num_frames + 2)
            neighbours = [seen_BTEHW[:, 1 + step :][:, :num_frames] for step in self.steps]
        else:
            moved = [padded_BTCHW[:, 1 + step :][:, :num_frames] for step in self.steps]
            neighbours = [unfold(self.psi(fold(maps)), num_frames) for maps in moved]
        # Eq. (4), (5)
        motion = [self._relate(asking_BTEHW, neighbour) for neighbour in neighbours]
        # F^m = ReLU(upsilon([M^f, M^b]))
        return functional.relu(unfold(self.upsilon(fold(torch.cat(motion, dim=2))), num_frames))

    def _relate(self, asking_BTEHW: Tensor, neighbour_BTEHW: Tensor) -> Tensor:
        if self.mode == "global":
            return asking_BTEHW * neighbour_BTEHW
        keys_BTLE = neighbour_BTEHW.flatten(3).transpose(2, 3)
        queries_BTLE = asking_BTEHW.flatten(3).transpose(2, 3)
        found = functional.scaled_dot_product_attention(queries_BTLE, keys_BTLE, keys_BTLE, scale=1.0)
        return found.transpose(2, 3).reshape_as(neighbour_BTEHW)

    def _pad(self, maps_BTCHW: Tensor) -> Tensor:
        """Return the maps with a frame more at either end."""
        first, last = maps_BTCHW[:, :1], maps_BTCHW[:, -1:]
        if self.boundary == "zero":
            first = last = torch.zeros_like(first)
        elif self.boundary == "circular":
            first, last = last, first
        return torch.cat([first, maps_BTCHW, last], dim=1)


class Lstrl(nn.Module):
    """ResNet-50 with appearance and motion blocks behind two of its stages.

    Args:
        num_ids: People of the classifier; 0 leaves it out.
        clip_len: Frames of a clip; any number works.
        crop_size_hw: Height and width of the crops, pixels; any size works.
        width_mult: Scales all channels.
        insert_after: Stages that blocks stand behind.
        mae: Appearance blocks, Table 3.
        bme: Motion blocks, Table 3.
        order: parallel: both read F; serial: motion is estimated on F + F^a.
        granularities: Of the appearance blocks, Table 4.
        mae_scale: Of their products: a number, root or mean, as ``AppearanceExtractor`` says.
        mae_init_scale: What the weights that make their products are multiplied with at first.
        bme_mode: global or local, Table 5.
        bme_direction: bi or forward, Table 5.
        bme_boundary: replicate, zero or circular.
        bme_share_psi: As ``MotionEstimator`` says.
        init_scale: What the last weights of all blocks are multiplied with at first. With 1 everything that a trunk
            has learnt before is drowned; 0 would let the motion never wake up.

    Raises:
        ConfigError: If a word is unknown.
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
        insert_after: Sequence[str] = ("layer2", "layer3"),
        mae: bool = True,
        bme: bool = True,
        order: str = "parallel",
        granularities: Sequence[int] = ALL_GRANULARITIES,
        mae_scale: float | str = 1.0,
        mae_init_scale: float = 1.0,
        bme_mode: str = "global",
        bme_direction: str = "bi",
        bme_boundary: str = "replicate",
        bme_share_psi: bool = False,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if order not in ("parallel", "serial") or not set(insert_after) <= set(STAGES):
            raise ConfigError(
                f"order, insert_after: expected parallel or serial, and some of {', '.join(STAGES)}, "
                f"got {order!r} and {list(insert_after)}"
            )
        self.clip_len, self.crop_size_hw, self.is_serial = clip_len, crop_size_hw, order == "serial"
        self.trunk = ResNet50(last_stride=1, width_mult=width_mult)
        self.mae, self.bme = nn.ModuleDict(), nn.ModuleDict()
        for name in insert_after:
            channels = self.trunk.channels[STAGES.index(name)]
            if mae:
                self.mae[name] = AppearanceExtractor(
                    channels, granularities=granularities, scale=mae_scale, init_scale=mae_init_scale
                )
            if bme:
                self.bme[name] = MotionEstimator(
                    channels,
                    mode=bme_mode,
                    direction=bme_direction,
                    boundary=bme_boundary,
                    share_psi=bme_share_psi,
                )
        lasts = [block.omega2 for block in self.mae.values()] + [block.upsilon for block in self.bme.values()]
        for last in lasts:
            last.weight.data.mul_(init_scale)
        self.vector_dim = self.trunk.channels[-1]
        self.neck = BnNeck(self.vector_dim, num_ids)

    def forward(self, clips: Clips) -> VideoOutput:
        """Return the vector behind the neck, and the feature before it."""
        num_frames = clips.pixels.shape[1]
        maps_NCHW = self.trunk.stem(fold(clips.pixels))
        for name in STAGES:
            maps_NCHW = getattr(self.trunk, name)(maps_NCHW)
            maps_NCHW = fold(self._enrich(name, unfold(maps_NCHW, num_frames)))
        feature_BC = unfold(maps_NCHW.mean((2, 3)), num_frames).mean(1)
        vector_BC, logits = self.neck(feature_BC)
        return VideoOutput(vector_BC, (feature_BC,), logits)

    def _enrich(self, name: str, maps_BTCHW: Tensor) -> Tensor:
        enriched = maps_BTCHW
        if name in self.mae:
            enriched = enriched + self.mae[name](maps_BTCHW)
        if name in self.bme:
            enriched = enriched + self.bme[name](enriched if self.is_serial else maps_BTCHW)
        return enriched


def _summaries(places_BTQHW: Tensor, granularity: int) -> Tensor:
    """Return X_i: the places, or their mean over time, over space, over both; five axes still."""
    axes = {1: (), 2: (1,), 3: (3, 4), 4: (1, 3, 4)}[granularity]
    return places_BTQHW.mean(axes, keepdim=True) if axes else places_BTQHW


def _as_rows(places_BTQHW: Tensor) -> Tensor:
    """Return one row a place, ordered by time, row, column: ``(B, L, Q)``."""
    # Rows that are scattered in memory would be multiplied out in full, D^1 and all.
    return places_BTQHW.movedim(2, -1).flatten(1, 3).contiguous()
