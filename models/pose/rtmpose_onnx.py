"""RTMPose as an ONNX file, through onnxruntime: keypoints and heat-maps.

Reference:
    Jiang et al., "RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose", 2023. The network answers
    with one distribution over x and one over y for each keypoint (SimCC).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from models.backends import onnx_runtime
from models.backends.network import Network, check_crops, list_ports
from models.backends.network_file import NetworkFile
from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.backends.pixels import PixelScaling
from models.pose.crops import Letterbox
from models.pose.letterboxed import LetterboxedNetwork
from pipeline.core import PoseNeed, Tracklet
from pipeline.core.errors import WeightsError

Marginals = NDArray[np.float32]
"""Shape ``(..., 17, bins)``: how much speaks for each position along one axis of the input."""


class RtmposeOnnxEstimator:
    """Finds keypoints and heat-maps.

    The score of a keypoint is the smaller of its two peaks, as in MMPose, cut to [0, 1]. A heat-map is the
    outer product of the two marginals as they are, negative values cut off: RTMPose learns bumps with a peak
    of 1, so no softmax is needed, and an unsure keypoint keeps a low peak, which a softmax would hide. Each
    cell of the map holds the greatest value within it, and the map covers the crop, not the letter-boxed
    input.

    Args:
        input_hw: Height and width of the network's input, pixels.
        mean: Of red, green and blue, in the range [0, 255]; subtracted.
        std: Likewise; divided by.
        margin: Ratio of the region that the network sees to the crop, the rest black; at least 1. RTMPose was
            trained with 1.25.
        heatmap_hw: Rows and columns of the heat-maps over a crop.
        **file: See ``NetworkFile``.

    Raises:
        ConfigError: If the device is not there, or the network takes another input.
        WeightsError: If the weights are absent, altered or no such network.
    """

    gives = PoseNeed.HEATMAPS

    def __init__(
        self,
        *,
        input_hw: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        margin: float,
        heatmap_hw: Sequence[int],
        **file: Unpack[NetworkFile],
    ) -> None:
        network = OnnxRuntimeNetwork.load(**file)
        (height, width), (rows, columns) = input_hw, heatmap_hw
        self._input_hw, self._heatmap_hw = (height, width), (rows, columns)
        self._x, self._y = _find_outputs(file["weights"], network, self._input_hw)
        scaling = PixelScaling(colour_order="rgb", mean=mean, std=std)
        self._network = LetterboxedNetwork(
            network, input_hw=self._input_hw, margin=margin, scale=scaling, reproducible=file.get("reproducible", True)
        )
        self.calls = self._network.calls

    preflight = staticmethod(onnx_runtime.preflight)

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in order, with keypoints and heat-maps; inputs stay as they are."""
        found = zip(tracklets, self._network.run(tracklets), strict=True)
        return [self._posed(tracklet, outputs, letterboxes) for tracklet, (outputs, letterboxes) in found]

    def _posed(self, tracklet: Tracklet, outputs: Sequence[Marginals], letterboxes: Sequence[Letterbox]) -> Tracklet:
        simcc_x, simcc_y = outputs[self._x], outputs[self._y]
        bins_per_px = (simcc_x.shape[2] / self._input_hw[1], simcc_y.shape[2] / self._input_hw[0])
        answers = list(zip(simcc_x, simcc_y, letterboxes, strict=True))
        return replace(
            tracklet,
            keypoints=np.stack([decode_keypoints(x, y, bins_per_px, box) for x, y, box in answers]),
            heatmaps=np.stack([decode_heatmaps(x, y, bins_per_px, box, self._heatmap_hw) for x, y, box in answers]),
        )


def decode_keypoints(
    simcc_x: Marginals, simcc_y: Marginals, bins_per_px: tuple[float, float], letterbox: Letterbox
) -> NDArray[np.float32]:
    """Return x, y in [0, 1] of the crop and the score of each keypoint, shape ``(17, 3)``."""
    peaks = np.stack([simcc_x.argmax(axis=1), simcc_y.argmax(axis=1)], axis=1)
    keypoints = np.empty((len(peaks), 3), np.float32)
    keypoints[:, :2] = letterbox.to_crop((peaks / np.array(bins_per_px)).astype(np.float32))
    keypoints[:, 2] = np.clip(np.minimum(simcc_x.max(axis=1), simcc_y.max(axis=1)), 0, 1)
    return keypoints


def decode_heatmaps(
    simcc_x: Marginals,
    simcc_y: Marginals,
    bins_per_px: tuple[float, float],
    letterbox: Letterbox,
    heatmap_hw: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the heat-maps over the crop, shape ``(17, h', w')``."""
    # The maximum over a cell of an outer product of numbers of at least 0 is the product of the maxima.
    rows = _cell_maxima(simcc_y, letterbox.cells(0, heatmap_hw[0]) * np.float32(bins_per_px[1]))
    columns = _cell_maxima(simcc_x, letterbox.cells(1, heatmap_hw[1]) * np.float32(bins_per_px[0]))
    heatmaps: NDArray[np.float32] = rows[:, :, None] * columns[:, None, :]
    return heatmaps


def _cell_maxima(marginals: Marginals, edges: NDArray[np.float32]) -> Marginals:
    """Return the greatest value between neighbouring edges (bins), at least 0: ``(17, cells)``."""
    last_bin = marginals.shape[1] - 1
    starts = np.clip(np.floor(edges[:-1]).astype(np.intp), 0, last_bin)
    stops = np.maximum(np.clip(np.ceil(edges[1:]).astype(np.intp), 1, last_bin + 1), starts + 1)
    maxima = [marginals[:, a:b].max(axis=1) for a, b in zip(starts, stops, strict=True)]
    cells: Marginals = np.maximum(np.stack(maxima, axis=1), np.float32(0))
    return cells


def _find_outputs(weights: str, network: Network, input_hw: tuple[int, int]) -> tuple[int, int]:
    """Check the ports of the network; return the positions of ``simcc_x`` and ``simcc_y`` among its outputs."""
    names = [port.name for port in network.outputs]
    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 4 or not {"simcc_x", "simcc_y"} <= set(names):
        raise WeightsError(
            f"{weights}: expected one input (N, 3, h, w) and the outputs simcc_x and simcc_y, got inputs "
            f"{list_ports(network.inputs)} and outputs {list_ports(network.outputs)}; export it with MMDeploy"
        )
    found = names.index("simcc_x"), names.index("simcc_y")
    if any(network.outputs[index].shape[1:2] != (17,) for index in found):
        raise WeightsError(
            f"{weights}: expected 17 keypoints (COCO), got {list_ports(network.outputs)}; use a body model"
        )
    check_crops(network, input_hw, weights=weights, option="input_hw")
    return found
