"""Re-ID networks of single images of the Open Model Zoo, through OpenVINO, averaged over a tracklet.

Reference:
    Open Model Zoo, person-reidentification-retail-0288: 1x3x256x128 BGR in [0, 255] in, 256 numbers out.
"""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from models.backends import openvino
from models.backends.network_file import NetworkFile
from models.backends.openvino import OpenVinoNetwork
from models.reid.averaging import CropAverage
from models.reid.space import name_space
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError


class ImageOpenVinoEmbedder:
    """Embeds each crop with an Open Model Zoo network and averages over the tracklet.

    Args:
        name: Name of the embedding space; the checksum of the weights is appended.
        clip_len: The number of crops asked for; fewer and more work.
        crop_size_hw: Height and width of the crops, pixels; the network's own.
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
        quality_exponent: float,
        flip: bool,
        **file: Unpack[NetworkFile],
    ) -> None:
        self._network = OpenVinoNetwork.load(
            **file,
            batch=-1,
            takes_rgb=True,
        )
        height, width = crop_size_hw
        (taken, *_) = self._network.inputs
        if taken.shape != (None, height, width, 3):
            raise ConfigError(
                f"embedder.crop_size_hw: expected the size that {file['weights']} takes, {taken}, got {height}x{width}"
            )
        # Of an IR file the weights are in the .bin.
        self.space = name_space(name, self._network.path.with_suffix(".bin"))
        self.clip_len = clip_len
        self.crop_size_hw = (height, width)
        self.embed = CropAverage(
            self._embed_crops,
            space=self.space,
            crop_size_hw=self.crop_size_hw,
            quality_exponent=quality_exponent,
            flip=flip,
            reproducible=file.get("reproducible", True),
        ).embed
        self.calls = self._network.calls

    preflight = staticmethod(openvino.preflight)

    def _embed_crops(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._network.run(crops)[0]
