"""Video networks in the pipeline: a tracklet is cut into clips, and their vectors are averaged."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import nn

from models.reid.checkpoint import check_fits, load_network
from models.reid.clip_average import ClipAverage, ClipOptions, Values, check_clips
from models.reid.networks.clip_network import Clips, prefer_channels_last
from models.reid.space import name_space
from models.weights.store import locate_weights
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError

RANDOM = "random"
_SEED = 0


class VideoEmbedder:
    """Embeds tracklets with a network of clips.

    The vector of a tracklet is the mean of its clips' vectors, brought to L2 norm 1. That is also done to RAPA's,
    which are meant to be compared by their Euclidean distance: everything behind this port compares directions.

    Args:
        network: Makes the network; is given ``num_ids``, ``clip_len`` and ``crop_size_hw``.
        name: Name of the embedding space; the checksum of the weights is appended.
        weights: Name or path of the ``.safetensors`` file; ``random`` for random initialisation, to try out only.
        weights_dir: Where weights are looked for first.
        sha256: Digest of the file, 64 hex digits; None takes that of the catalogue, if there is one.
        precision: float32 or bfloat16, of the convolutions and products.
        device: cpu or cuda.
        threads: Processor threads; torch has one number for the whole process.
        reproducible: See ``NetworkFile``.
        **clips: See ``ClipOptions``.

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
        precision: str,
        device: str,
        threads: int,
        reproducible: bool = True,
        **clips: Unpack[ClipOptions],
    ) -> None:
        _check_device(precision=precision, device=device)
        self._device = torch.device(device)
        self._autocast = torch.bfloat16 if precision == "bfloat16" else None
        torch.set_num_threads(threads)
        with torch.random.fork_rng():
            torch.manual_seed(_SEED)
            made = network(num_ids=0, clip_len=clips["clip_len"], crop_size_hw=tuple(clips["crop_size_hw"]))
        self.space = f"{name}@{RANDOM}"
        if weights != RANDOM:
            path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
            load_network(path, made)
            self.space = name_space(name, path)
        self._network = made.eval().requires_grad_(False).to(self._device)
        prefer_channels_last(self._network)
        average = ClipAverage(self._embed_clips, space=self.space, clips=clips, reproducible=reproducible)
        self.calls: Counter[int] = Counter()
        self.clip_len, self.crop_size_hw = clips["clip_len"], average.crop_size_hw
        self.needs, self.embed = average.needs, average.embed

    @staticmethod
    def preflight(
        *,
        network: Callable[..., nn.Module],
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        precision: str,
        device: str,
        **clips: Any,
    ) -> None:
        """Check, without any tensor of the network in memory, that the constructor will find what it needs.

        Raises:
            ConfigError: If the device is not there, or a setting makes no sense.
            WeightsError: If the weights are absent, altered or of another network.
        """
        _check_device(precision=precision, device=device)
        check_clips(clips)
        with torch.device("meta"):
            made = network(num_ids=0, clip_len=clips["clip_len"], crop_size_hw=tuple(clips["crop_size_hw"]))
        if clips["needs"] != made.needs:
            raise ConfigError(f"needs: expected {made.needs}, as {type(made).__name__} does, got {clips['needs']!r}")
        if weights != RANDOM:
            check_fits(locate_weights(weights, weights_dir=weights_dir, sha256=sha256), made)

    def _embed_clips(self, pixels: Values, pose: Values | None) -> Values:
        found = None if pose is None else torch.from_numpy(pose).to(self._device)
        clips = Clips(
            torch.from_numpy(pixels).to(self._device),
            keypoints=found if self.needs is PoseNeed.KEYPOINTS else None,
            heatmaps=found if self.needs is PoseNeed.HEATMAPS else None,
        )
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None),
        ):
            self.calls[len(pixels)] += 1
            vectors: Values = self._network(clips).vector.float().cpu().numpy()
        return vectors


def _check_device(*, precision: str, device: str) -> None:
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"precision: expected float32 or bfloat16, got {precision!r}")
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(f"device: expected one that torch finds here, got {device!r}; set device: cpu")
