"""Top-down networks that answer with heat-maps, as ONNX files: passerby, HRNet, SimpleBaseline and similar.

Reference:
    Xiao et al., "Simple Baselines for Human Pose Estimation and Tracking", arXiv:1804.06208: the keypoint lies a
    quarter of a cell from the highest one towards its higher neighbour; cell ``i`` stands for pixel ``i * stride``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import cv2
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

Maps = NDArray[np.float32]
"""Shape ``(17, rows, columns)``, over the network's input."""


class HeatmapOnnxEstimator:
    """Finds keypoints and heat-maps.

    The network has one input, float32 ``(N, 3, h, w)``, and one output, ``(N, 17, h', w')``. N is free, or 1. The
    score of a keypoint is its peak, cut to [0, 1].

    Args:
        input_hw: Height and width of the network's input, pixels.
        colour_order: rgb or bgr, of the network.
        mean: Subtracted, three numbers in that order, in the range [0, 255].
        std: Divided by, likewise.
        margin: Ratio of the region that the network sees to the crop, the rest black; at least 1.
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
        colour_order: str,
        mean: Sequence[float],
        std: Sequence[float],
        margin: float,
        heatmap_hw: Sequence[int],
        **file: Unpack[NetworkFile],
    ) -> None:
        network = OnnxRuntimeNetwork.load(**file)
        (height, width), (rows, columns) = input_hw, heatmap_hw
        self._input_hw, self._heatmap_hw = (height, width), (rows, columns)
        _check_network(file["weights"], network, self._input_hw)
        scaling = PixelScaling(colour_order=colour_order, mean=mean, std=std)
        self._network = LetterboxedNetwork(
            network, input_hw=self._input_hw, margin=margin, scale=scaling, reproducible=file.get("reproducible", True)
        )
        self.calls = self._network.calls

    preflight = staticmethod(onnx_runtime.preflight_scaled)

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in order, with keypoints and heat-maps; inputs stay as they are."""
        found = zip(tracklets, self._network.run(tracklets), strict=True)
        return [self._posed(tracklet, maps, letterboxes) for tracklet, ((maps, *_), letterboxes) in found]

    def _posed(self, tracklet: Tracklet, maps: Maps, letterboxes: Sequence[Letterbox]) -> Tracklet:
        answers = list(zip(maps, letterboxes, strict=True))
        return replace(
            tracklet,
            keypoints=np.stack([self._keypoints(one, box) for one, box in answers]),
            heatmaps=np.stack([self._over_crop(one, box) for one, box in answers]),
        )

    def _keypoints(self, maps: Maps, letterbox: Letterbox) -> NDArray[np.float32]:
        """Return x, y in [0, 1] of the crop and the score of each keypoint, shape ``(17, 3)``."""
        keypoints = np.empty((len(maps), 3), np.float32)
        keypoints[:, :2] = letterbox.to_crop(find_peaks(maps) * self._stride_xy(maps))
        keypoints[:, 2] = np.clip(maps.max(axis=(1, 2)), 0, 1)
        return keypoints

    def _over_crop(self, maps: Maps, letterbox: Letterbox) -> NDArray[np.float32]:
        """Return the maps resampled over the crop, at least 0: ``(17, h', w')``."""
        edges = [letterbox.cells(axis, count) for axis, count in enumerate(self._heatmap_hw)]
        stride_x, stride_y = self._stride_xy(maps)
        rows, columns = ((e[1:] + e[:-1]) / 2 / stride for e, stride in zip(edges, (stride_y, stride_x), strict=True))
        grid_x, grid_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        resampled = [cv2.remap(one, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in maps]
        heatmaps: NDArray[np.float32] = np.maximum(np.stack(resampled), np.float32(0))
        return heatmaps

    def _stride_xy(self, maps: Maps) -> NDArray[np.float32]:
        height, width = self._input_hw
        return np.array([width / maps.shape[2], height / maps.shape[1]], np.float32)


def find_peaks(maps: Maps) -> NDArray[np.float32]:
    """Return x and y of the peak of each map, in cells, shape ``(17, 2)``.

    Example:
        >>> maps = np.zeros((1, 3, 4), np.float32)
        >>> maps[0, 1, 1:3] = 1, 0.5
        >>> find_peaks(maps)
        array([[1.25, 1.  ]], dtype=float32)
    """
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[1:])
    number = np.arange(len(maps))
    slope_x = padded[number, rows + 1, columns + 2] - padded[number, rows + 1, columns]
    slope_y = padded[number, rows + 2, columns + 1] - padded[number, rows, columns + 1]
    peaks: NDArray[np.float32] = np.stack([columns, rows], axis=1).astype(np.float32)
    peaks += np.float32(0.25) * np.sign(np.stack([slope_x, slope_y], axis=1))
    return peaks


def _check_network(weights: str, network: Network, input_hw: tuple[int, int]) -> None:
    inputs, outputs = network.inputs, network.outputs
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or len(outputs) != 1 or len(outputs[0].shape) != 4:
        raise WeightsError(
            f"{weights}: expected one input (N, 3, h, w) and one output (N, 17, h', w'), got inputs "
            f"{list_ports(inputs)} and outputs {list_ports(outputs)}; export the network that way"
        )
    if outputs[0].shape[1] not in (None, 17):
        raise WeightsError(f"{weights}: expected 17 keypoints (COCO), got {outputs[0].shape[1]}; use a body model")
    check_crops(network, input_hw, weights=weights, option="input_hw")
