"""RTMPose as an ONNX file, through onnxruntime: keypoints and heat-maps.

Reference:
    Jiang et al., "RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose", 2023. The network answers
    with one distribution over x and one over y for each keypoint (SimCC).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.backends.onnx_runtime import check_device, input_of_crops, open_session
from models.backends.pixels import PixelScaling
from models.pose.crops import Letterbox, letterbox_each
from models.weights.store import locate_weights
from pipeline.core import PoseNeed, Tracklet
from pipeline.core.errors import WeightsError

Marginals = NDArray[np.float32]
"""Shape ``(..., 17, bins)``: how much speaks for each position along one axis of the input."""


class RtmposeOnnxEstimator:
    """Finds keypoints and heat-maps, one tracklet a call of the network.

    The score of a keypoint is the smaller of its two peaks, as in MMPose, cut to [0, 1]. A heat-map is the
    outer product of the two marginals as they are, negative values cut off: RTMPose learns bumps with a peak
    of 1, so no softmax is needed, and an unsure keypoint keeps a low peak, which a softmax would hide. Each
    cell of the map holds the greatest value within it, and the map covers the crop, not the letter-boxed
    input.

    Args:
        weights: Name or path of the ``.onnx`` file with the outputs ``simcc_x`` and ``simcc_y``.
        weights_dir: Where weights are looked for first.
        sha256: Of the file, 64 hex digits; None if it does not matter.
        input_hw: Height and width of the network's input, pixels.
        mean: Of red, green and blue, in the range [0, 255]; subtracted.
        std: Likewise; divided by.
        margin: How much more than the crop the network sees, black: 1 or more. RTMPose learned with 1.25.
        heatmap_hw: Rows and columns of the heat-maps over a crop.
        device: cpu or cuda.
        threads: Of the processor.

    Raises:
        ConfigError: If the device is not there, or the network takes another input.
        WeightsError: If the weights are absent, altered or no such network.
    """

    gives = PoseNeed.HEATMAPS

    def __init__(
        self,
        *,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        input_hw: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        margin: float,
        heatmap_hw: Sequence[int],
        device: str,
        threads: int,
    ) -> None:
        path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
        height, width = input_hw
        rows, columns = heatmap_hw
        self._input_hw = (height, width)
        self._heatmap_hw = (rows, columns)
        self._margin = margin
        self._scaling = PixelScaling(colour_order="rgb", mean=mean, std=std)
        self._session = open_session(path, device=device, threads=threads)
        self._input, self._one_by_one = _check_network(weights, self._session, self._input_hw)

    @staticmethod
    def preflight(
        *, weights: str, weights_dir: str | Path | None, sha256: str | None, device: str, **_: object
    ) -> None:
        """Check, without loading anything, that the constructor will find what it needs.

        Raises:
            ConfigError: If the device is not there.
            WeightsError: If the weights are absent or altered.
        """
        check_device(device)
        locate_weights(weights, weights_dir=weights_dir, sha256=sha256)

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in order, with keypoints and heat-maps; inputs stay as they are."""
        # One call a tracklet: the last bits of a result may depend on the size of the batch.
        return [self._estimate_one(tracklet) for tracklet in tracklets]

    def _estimate_one(self, tracklet: Tracklet) -> Tracklet:
        letterboxes = letterbox_each(tracklet, self._input_hw, margin=self._margin)
        fitted = [box.apply(crop) for box, crop in zip(letterboxes, tracklet.crops, strict=True)]
        simcc_x, simcc_y = self._run(self._scaling(np.stack(fitted)))
        bins_per_px = (simcc_x.shape[2] / self._input_hw[1], simcc_y.shape[2] / self._input_hw[0])
        answers = list(zip(simcc_x, simcc_y, letterboxes, strict=True))
        return replace(
            tracklet,
            keypoints=np.stack([decode_keypoints(x, y, bins_per_px, box) for x, y, box in answers]),
            heatmaps=np.stack([decode_heatmaps(x, y, bins_per_px, box, self._heatmap_hw) for x, y, box in answers]),
        )

    def _run(self, pixels: NDArray[np.float32]) -> tuple[Marginals, Marginals]:
        batches = np.split(pixels, len(pixels)) if self._one_by_one else [pixels]
        answers = [self._session.run(["simcc_x", "simcc_y"], {self._input: batch}) for batch in batches]
        return np.concatenate([x for x, _ in answers]), np.concatenate([y for _, y in answers])


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


def _check_network(weights: str, session: onnxruntime.InferenceSession, input_hw: tuple[int, int]) -> tuple[str, bool]:
    """Return the name of the input, and whether it takes one crop at a time."""
    inputs, outputs = session.get_inputs(), {output.name: output.shape for output in session.get_outputs()}
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not {"simcc_x", "simcc_y"} <= outputs.keys():
        raise WeightsError(
            f"{weights}: expected one input (N, 3, h, w) and the outputs simcc_x and simcc_y, "
            f"got inputs {[(i.name, i.shape) for i in inputs]} and outputs {sorted(outputs)}; "
            "export it with MMDeploy"
        )
    if any(outputs[name][1:2] != [17] for name in ("simcc_x", "simcc_y")):
        raise WeightsError(f"{weights}: expected 17 keypoints (COCO), got {outputs}; use a body model")
    return input_of_crops(session, input_hw, weights=weights, option="input_hw")
