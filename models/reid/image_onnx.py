"""Re-ID networks of single images as ONNX files (OSNet, fast-reid and others), averaged over a tracklet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.backends.onnx_runtime import check_device, input_of_crops, open_session
from models.backends.pixels import PixelScaling
from models.reid.averaging import CropAverage
from models.reid.space import name_space
from models.weights.store import locate_weights
from pipeline.core import Embedding, PoseNeed, Tracklet
from pipeline.core.errors import WeightsError


class ImageOnnxEmbedder:
    """Embeds each crop with a network of single images and averages over the tracklet.

    The network has one input, float32 ``(N, 3, h, w)``, and one output, ``(N, D)``. N is free, or 1.

    Args:
        name: Of the embedding space, before the checksum of the weights.
        weights: Name or path of the ``.onnx`` file.
        weights_dir: Where weights are looked for first.
        sha256: Of the file, 64 hex digits; None if it is in ``models/weights/catalogue.yaml`` or does not matter.
        clip_len: The number of crops asked for; fewer and more work.
        crop_size_hw: Height and width of the crops, pixels; what the network takes.
        colour_order: rgb or bgr, of the network.
        mean: Subtracted, three numbers in that order, in the range [0, 255].
        std: Divided by, likewise.
        quality_exponent: Crops count with ``quality ** quality_exponent``; 0 lets all count the same.
        flip: Embed each crop mirrored as well; twice the work.
        device: cpu or cuda.
        threads: Of the processor.

    Raises:
        ConfigError: If the device is not there, or the network takes crops of another size.
        WeightsError: If the weights are absent, altered or no such network.
    """

    needs = PoseNeed.NOTHING

    def __init__(
        self,
        *,
        name: str,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        clip_len: int,
        crop_size_hw: Sequence[int],
        colour_order: str,
        mean: Sequence[float],
        std: Sequence[float],
        quality_exponent: float,
        flip: bool,
        device: str,
        threads: int,
    ) -> None:
        path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
        height, width = crop_size_hw
        self.space = name_space(name, path)
        self.clip_len = clip_len
        self.crop_size_hw = (height, width)
        self._scaling = PixelScaling(colour_order=colour_order, mean=mean, std=std)
        self._session = open_session(path, device=device, threads=threads)
        self._input, self._one_by_one = _check_network(weights, self._session, self.crop_size_hw)
        self._average = CropAverage(
            self._embed_crops,
            space=self.space,
            crop_size_hw=self.crop_size_hw,
            quality_exponent=quality_exponent,
            flip=flip,
        )

    @staticmethod
    def preflight(
        *,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        colour_order: str,
        mean: Sequence[float],
        std: Sequence[float],
        device: str,
        **_: object,
    ) -> None:
        """Check, without loading anything, that the constructor will find what it needs.

        Raises:
            ConfigError: If the device is not there, or the scaling makes no sense.
            WeightsError: If the weights are absent or altered.
        """
        check_device(device)
        PixelScaling(colour_order=colour_order, mean=mean, std=std)
        locate_weights(weights, weights_dir=weights_dir, sha256=sha256)

    def embed(self, tracklets: Sequence[Tracklet]) -> list[Embedding]:
        """Return one embedding a tracklet, in the same order; ``[]`` for ``[]``.

        Raises:
            ShapeError: If a tracklet has no crops or crops of another size than ``crop_size_hw``.
            DataError: If the network returns nothing that has a direction.
        """
        return self._average.embed(tracklets)

    def _embed_crops(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels_NCHW = self._scaling(crops)
        batches = np.split(pixels_NCHW, len(pixels_NCHW)) if self._one_by_one else [pixels_NCHW]
        return np.concatenate([self._session.run(None, {self._input: batch})[0] for batch in batches])


def _check_network(
    weights: str, session: onnxruntime.InferenceSession, crop_size_hw: tuple[int, int]
) -> tuple[str, bool]:
    """Return the name of the input, and whether it takes one crop at a time."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        raise WeightsError(
            f"{weights}: expected one input, float32 (N, 3, h, w), and one output, got inputs "
            f"{[(i.name, i.type, i.shape) for i in inputs]} and outputs {[o.name for o in outputs]}; "
            "export the network that way"
        )
    if len(outputs[0].shape) != 2:
        raise WeightsError(f"{weights}: expected an output (N, D), got {outputs[0].shape}; export it flattened")
    return input_of_crops(session, crop_size_hw, weights=weights, option="crop_size_hw")
