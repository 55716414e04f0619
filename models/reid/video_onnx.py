"""Networks of clips as ONNX files, as ``models.training.video.export`` writes them: on a processor twice as fast."""

from pathlib import Path
from typing import Any, Unpack

import numpy as np

from models.backends import onnx_runtime
from models.backends.network import Network, list_ports
from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.reid.clip_average import ClipAverage, ClipOptions, Values, check_clips
from models.reid.space import name_space
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError, WeightsError


class VideoOnnxEmbedder:
    """Embeds tracklets with a network of clips, one clip a call where the file takes no more.

    The network has an input ``pixels``, float32 ``(B, T, 3, h, w)``, perhaps ``keypoints`` ``(B, T, 17, 3)`` or
    ``heatmaps`` ``(B, T, 17, h', w')``, and one output, ``(B, D)``. B is free, or 1.

    Args:
        name: Name of the embedding space; the checksum of the weights is appended.
        weights: Name or path of the ``.onnx`` file.
        weights_dir: Where weights are looked for first.
        sha256: Digest of the file, 64 hex digits; None takes that of the catalogue, if there is one.
        device: cpu or cuda.
        threads: Processor threads.
        reproducible: See ``NetworkFile``.
        **clips: See ``ClipOptions``.

    Raises:
        ConfigError: If the device is not there, or the network takes other clips.
        WeightsError: If the weights are absent, altered or no such network.
    """

    def __init__(
        self,
        *,
        name: str,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        device: str,
        threads: int,
        reproducible: bool = True,
        **clips: Unpack[ClipOptions],
    ) -> None:
        self._network = OnnxRuntimeNetwork.load(
            weights=weights, weights_dir=weights_dir, sha256=sha256, device=device, threads=threads
        )
        self.space = name_space(name, self._network.path)
        average = ClipAverage(self._embed_clips, space=self.space, clips=clips, reproducible=reproducible)
        self.calls = self._network.calls
        self._is_free = not reproducible and all(port.shape[0] is None for port in self._network.inputs)
        self.clip_len, self.crop_size_hw = clips["clip_len"], average.crop_size_hw
        self.needs, self.embed = average.needs, average.embed
        _check_network(weights, self._network, (self.clip_len, 3, *self.crop_size_hw), self.needs)

    @staticmethod
    def preflight(
        *,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        device: str,
        **settings: Any,
    ) -> None:
        """Check, without loading anything, that the constructor will find what it needs.

        Raises:
            ConfigError: If the device is not there, or a setting makes no sense.
            WeightsError: If the weights are absent or altered.
        """
        check_clips(settings)
        onnx_runtime.preflight(weights=weights, weights_dir=weights_dir, sha256=sha256, device=device)

    def _embed_clips(self, pixels: Values, pose: Values | None) -> Values:
        given = {"pixels": pixels} | ({} if pose is None else {str(self.needs): pose})
        inputs = [given[port.name] for port in self._network.inputs]
        if self._is_free:
            return self._network.run(*inputs)[0]
        clips = range(len(pixels))
        return np.concatenate([self._network.run(*(array[clip, None] for array in inputs))[0] for clip in clips])


def _check_network(weights: str, network: Network, clip: tuple[int, ...], needs: PoseNeed) -> None:
    inputs = {port.name: port for port in network.inputs}
    wanted = {"pixels"} | ({str(needs)} if needs is not PoseNeed.NOTHING else set())
    if inputs.keys() != wanted or len(network.outputs) != 1:
        raise WeightsError(
            f"{weights}: expected the inputs {sorted(wanted)} and one output, got inputs {list_ports(network.inputs)} "
            f"and outputs {list_ports(network.outputs)}; set needs to what it takes, or export the network again"
        )
    if not any(inputs["pixels"].shape == (size, *clip) for size in (1, None)):
        raise ConfigError(
            f"embedder.clip_len, embedder.crop_size_hw: expected what {weights} takes, "
            f"{list(inputs['pixels'].shape)} (1, T, 3, h, w), got {[1, *clip]}"
        )
