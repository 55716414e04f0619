"""MoveNet Lightning through OpenVINO, which reads TFLite files as they are.

Reference:
    TensorFlow Hub, movenet/singlepose/lightning, version 4, int8: 1x192x192x3 RGB in, 17 times y, x and
    score out.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from models.backends import openvino
from models.backends.network import Array, list_ports
from models.backends.network_file import NetworkFile
from models.backends.openvino import OpenVinoNetwork
from models.pose.crops import Letterbox
from models.pose.letterboxed import LetterboxedNetwork
from pipeline.core import PoseNeed, Tracklet
from pipeline.core.errors import WeightsError

_INPUT_HW = (192, 192)


class MovenetEstimator:
    """Finds keypoints one crop at a time; the file takes no more.

    Args:
        margin: Ratio of the region that the network sees to the crop, the rest black; at least 1.
        **file: See ``NetworkFile``.

    Raises:
        ConfigError: If the device is not there.
        WeightsError: If the weights are absent, altered or no such network.
    """

    gives = PoseNeed.KEYPOINTS

    def __init__(
        self,
        *,
        margin: float,
        **file: Unpack[NetworkFile],
    ) -> None:
        network = OpenVinoNetwork.load(**file)
        if network.inputs[0].shape != (1, *_INPUT_HW, 3) or network.outputs[0].shape != (1, 1, 17, 3):
            raise WeightsError(
                f"{file['weights']}: expected MoveNet Lightning, (1, 192, 192, 3) to (1, 1, 17, 3), got "
                f"{list_ports(network.inputs)} to {list_ports(network.outputs)}"
            )
        self._network = LetterboxedNetwork(network, input_hw=_INPUT_HW, margin=margin, scale=None)
        self.calls = self._network.calls

    preflight = staticmethod(openvino.preflight)

    def estimate(self, tracklets: Sequence[Tracklet]) -> list[Tracklet]:
        """Return the same tracklets, in the same order, with keypoints; inputs stay as they are."""
        found = zip(tracklets, self._network.run(tracklets), strict=True)
        return [
            replace(tracklet, keypoints=_keypoints(answers, letterboxes))
            for tracklet, ((answers, *_), letterboxes) in found
        ]


def _keypoints(answers: Array, letterboxes: Sequence[Letterbox]) -> NDArray[np.float32]:
    keypoints = np.empty((len(answers), 17, 3), np.float32)
    for target, answer, letterbox in zip(keypoints, answers, letterboxes, strict=True):
        y, x, score = answer[0].T
        target[:, :2] = letterbox.to_crop(np.stack([x, y], axis=1) * np.float32(_INPUT_HW[0]))
        target[:, 2] = np.clip(score, 0, 1)
    return keypoints
