"""Re-ID networks of single images as ONNX files (OSNet, fast-reid and others), averaged over a tracklet."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from models.backends import onnx_runtime
from models.backends.network import Network, check_crops, list_ports, run_crops
from models.backends.network_file import NetworkFile
from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.backends.pixels import PixelScaling
from models.reid.averaging import CropAverage
from models.reid.space import name_space
from pipeline.core import PoseNeed
from pipeline.core.errors import WeightsError


class ImageOnnxEmbedder:
    """Embeds each crop with a network of single images and averages over the tracklet.

    The network has one input, float32 ``(N, 3, h, w)``, and one output, ``(N, D)``. N is free, or 1.

    Args:
        name: Name of the embedding space; the checksum of the weights is appended.
        clip_len: The number of crops asked for; fewer and more work.
        crop_size_hw: Height and width of the crops, pixels; what the network takes.
        colour_order: rgb or bgr, of the network.
        mean: Subtracted, three numbers in that order, in the range [0, 255].
        std: Divided by, likewise.
        quality_exponent: Exponent of the weights ``quality ** quality_exponent``; 0 for equal weights.
        flip: Embed each crop mirrored as well, at twice the cost.
        **file: See ``NetworkFile``.

    Raises:
        ConfigError: If the device is not there, or the network takes crops of another size.
        WeightsError: If the weights are absent, altered or no such network.
    """

    needs = PoseNeed.NOTHING

    def __init__(
        self,
        *,
        name: str,
        clip_len: int,
        crop_size_hw: Sequence[int],
        colour_order: str,
        mean: Sequence[float],
        std: Sequence[float],
        quality_exponent: float,
        flip: bool,
        **file: Unpack[NetworkFile],
    ) -> None:
        self._network = OnnxRuntimeNetwork.load(**file)
        height, width = crop_size_hw
        self.space = name_space(name, self._network.path)
        self.clip_len = clip_len
        self.crop_size_hw = (height, width)
        self._scaling = PixelScaling(colour_order=colour_order, mean=mean, std=std)
        _check_network(file["weights"], self._network, self.crop_size_hw)
        self.embed = CropAverage(
            self._embed_crops,
            space=self.space,
            crop_size_hw=self.crop_size_hw,
            quality_exponent=quality_exponent,
            flip=flip,
            reproducible=file.get("reproducible", True),
        ).embed
        self.calls = self._network.calls

    preflight = staticmethod(onnx_runtime.preflight_scaled)

    def _embed_crops(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return run_crops(self._network, self._scaling(crops))[0]


def _check_network(weights: str, network: Network, crop_size_hw: tuple[int, int]) -> None:
    inputs, outputs = network.inputs, network.outputs
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].dtype != "float32" or len(inputs[0].shape) != 4:
        raise WeightsError(
            f"{weights}: expected one input, float32 (N, 3, h, w), and one output, got inputs {list_ports(inputs)} "
            f"and outputs {list_ports(outputs)}; export the network that way"
        )
    if len(outputs[0].shape) != 2:
        raise WeightsError(f"{weights}: expected an output (N, D), got {outputs[0]}; export it flattened")
    check_crops(network, crop_size_hw, weights=weights, option="crop_size_hw")
