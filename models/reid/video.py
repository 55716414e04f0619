"""Networks that look at clips, in the live line: a tracklet is cut into clips, their vectors are averaged."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models._pixels import PixelScaling
from models._weights import locate_weights
from models.reid._averaging import assemble, check_crop_size, normalise
from models.reid._checkpoint import check_fits, load_network
from models.reid._clips import Indices, clip_scheme
from models.reid._space import name_space
from models.reid._video import Clips, prefer_channels_last
from pipeline.core import Embedding, PoseNeed, Tracklet
from pipeline.core.errors import ConfigError, DataError

RANDOM = "random"
_SEED = 0


class VideoEmbedder:
    """Embeds tracklets with a network of clips.

    The vector of a tracklet is the mean of its clips' vectors, brought to L2 norm 1. That is also done to RAPA's,
    which are meant to be compared by their Euclidean distance: everything behind this port compares directions.

    Args:
        network: Makes the network; is given ``num_ids``, ``clip_len`` and ``crop_size_hw``.
        name: Of the embedding space, before the checksum of the weights.
        weights: Name or path of the ``.safetensors`` file; ``random`` for none: to try out, it tells nobody apart.
        weights_dir: Where weights are looked for first.
        sha256: Of the file, 64 hex digits; None if it is in ``models/weights.yaml`` or does not matter.
        clip_len: Crops of a clip.
        crop_size_hw: Height and width of the crops, pixels.
        needs: nothing, keypoints or heatmaps: what the network asks of the pose stage.
        clip_scheme: dense, interleaved, rrs_first or evenly: how clips are cut.
        max_clips: Of a tracklet, spread over all of them.
        mean: Of red, green and blue, in the range [0, 255]; subtracted.
        std: Likewise; divided by.
        precision: float32 or bfloat16, of the convolutions and products.
        device: cpu or cuda.
        threads: Of the processor; torch knows one number for the whole process.

    Raises:
        ConfigError: If the device is not there, or a setting makes no sense.
        WeightsError: If the weights are absent, altered or of another network.
    """

    def __init__(
        self,
        *,
        network: Callable[..., nn.Module],
        name: str,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        clip_len: int,
        crop_size_hw: Sequence[int],
        needs: str,
        clip_scheme: str,
        max_clips: int,
        mean: Sequence[float],
        std: Sequence[float],
        precision: str,
        device: str,
        threads: int,
    ) -> None:
        _check_settings(clip_len=clip_len, max_clips=max_clips, precision=precision, device=device)
        height, width = crop_size_hw
        self.clip_len = clip_len
        self.crop_size_hw = (height, width)
        self.needs = PoseNeed(needs)
        self._cut = _cutter(clip_scheme, clip_len, max_clips)
        self._scaling = PixelScaling(colour_order="rgb", mean=mean, std=std)
        self._device = torch.device(device)
        self._autocast = torch.bfloat16 if precision == "bfloat16" else None
        torch.set_num_threads(threads)
        with torch.random.fork_rng():
            torch.manual_seed(_SEED)
            made = network(num_ids=0, clip_len=clip_len, crop_size_hw=self.crop_size_hw)
        self.space = f"{name}@{RANDOM}"
        if weights != RANDOM:
            path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
            load_network(path, made)
            self.space = name_space(name, path)
        self._network = made.eval().requires_grad_(False).to(self._device)
        prefer_channels_last(self._network)

    @staticmethod
    def preflight(
        *,
        network: Callable[..., nn.Module],
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        clip_len: int,
        crop_size_hw: Sequence[int],
        needs: str,
        clip_scheme: str,
        max_clips: int,
        mean: Sequence[float],
        std: Sequence[float],
        precision: str,
        device: str,
        **_: object,
    ) -> None:
        """Check, without any tensor of the network in memory, that the constructor will find what it needs.

        Raises:
            ConfigError: If the device is not there, or a setting makes no sense.
            WeightsError: If the weights are absent, altered or of another network.
        """
        _check_settings(clip_len=clip_len, max_clips=max_clips, precision=precision, device=device)
        _cutter(clip_scheme, clip_len, max_clips)
        PixelScaling(colour_order="rgb", mean=mean, std=std)
        if len(crop_size_hw) != 2 or min(crop_size_hw) < 1:
            raise ConfigError(f"crop_size_hw: expected height and width, got {list(crop_size_hw)}")
        with torch.device("meta"):
            made = network(num_ids=0, clip_len=clip_len, crop_size_hw=tuple(crop_size_hw))
        if needs != made.needs:
            raise ConfigError(f"needs: expected {made.needs}, as {type(made).__name__} does, got {needs!r}")
        if weights != RANDOM:
            check_fits(locate_weights(weights, weights_dir=weights_dir, sha256=sha256), made)

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order; ``[]`` for ``[]``.

        Raises:
            ShapeError: If a tracklet has no crops or crops of another size than ``crop_size_hw``.
            DataError: If keypoints or heat-maps are missing, or the network returns nothing that has a direction.
        """
        for tracklet in tracklets:
            check_crop_size(tracklet, self.crop_size_hw)
            self._check_pose(tracklet)
        # Each tracklet is a batch of its own: in another batch the last bits of its vector might be others.
        return [assemble(tracklet, self._embed_one(tracklet), self.space) for tracklet in tracklets]

    def _embed_one(self, tracklet: Tracklet) -> NDArray[np.float32]:
        indices = self._cut(len(tracklet))
        clips = Clips(
            self._take(self._scaling(tracklet.crops), indices),
            None if tracklet.keypoints is None else self._take(tracklet.keypoints, indices),
            None if tracklet.heatmaps is None else self._take(tracklet.heatmaps, indices),
        )
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None),
        ):
            vectors_BD: NDArray[np.float32] = self._network(clips).vector.float().cpu().numpy()
        mean = vectors_BD.mean(axis=0, dtype=np.float64, keepdims=True)
        vector: NDArray[np.float32] = normalise(mean)[0].astype(np.float32)
        return vector

    def _take(self, values: NDArray[np.float32], indices: Indices) -> Tensor:
        return torch.from_numpy(values[indices]).to(self._device)

    def _check_pose(self, tracklet: Tracklet) -> None:
        for need, found in ((PoseNeed.KEYPOINTS, tracklet.keypoints), (PoseNeed.HEATMAPS, tracklet.heatmaps)):
            if self.needs is need and found is None:
                raise DataError(f"{tracklet.track_id}: expected {need}, as {self.space} needs, got none; set a pose")


def _cutter(scheme: str, clip_len: int, max_clips: int) -> Callable[[int], Indices]:
    cut = clip_scheme(scheme)

    def cut_some(num_crops: int) -> Indices:
        indices = cut(num_crops, clip_len)
        chosen = np.linspace(0, len(indices) - 1, min(max_clips, len(indices))).round().astype(np.intp)
        return indices[chosen]

    return cut_some


def _check_settings(*, clip_len: int, max_clips: int, precision: str, device: str) -> None:
    if clip_len < 1 or max_clips < 1:
        raise ConfigError(f"clip_len, max_clips: expected 1 or more, got {clip_len} and {max_clips}")
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"precision: expected float32 or bfloat16, got {precision!r}")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(f"device: expected one that torch finds here, got {device!r}; set device: cpu")
