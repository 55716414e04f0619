"""Open Model Zoo's SSD person detectors through OpenVINO: person-detection-retail-0013 and its kind."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from models.backends import openvino
from models.backends.network import list_ports
from models.backends.network_file import NetworkFile
from models.backends.openvino import OpenVinoNetwork
from models.detection.boxes import check_size, to_frame
from models.detection.nms import suppress
from pipeline.core.errors import WeightsError
from pipeline.core.records.detections import Detections
from pipeline.core.records.frame import LetterboxedFrame

_PICTURE, _LABEL, _SCORE, _BOX = 0, 1, 2, 3


class OpenVinoSsdDetector:
    """Finds people with a network that ends in SSD's DetectionOutput.

    Args:
        input_hw: Height and width of the network's input.
        person_label: The network's number for people.
        min_score: In [0, 1].
        nms_iou: In [0, 1]; of two boxes that overlap by more, the better one stays. The network has done this
            already, at .45: a higher value changes nothing.
        **file: See ``NetworkFile``.
    """

    def __init__(
        self,
        *,
        input_hw: Sequence[int],
        person_label: int,
        min_score: float,
        nms_iou: float,
        **file: Unpack[NetworkFile],
    ) -> None:
        self._reproducible = file.get("reproducible", True)
        self._network = OpenVinoNetwork.load(**file, takes_rgb=True, batch=1 if self._reproducible else -1)
        self.calls = self._network.calls
        self.input_hw = (input_hw[0], input_hw[1])
        self._person_label = person_label
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._sides_xyxy = np.array(self.input_hw[::-1] * 2, np.float32)
        (picture, *_), (rows, *_) = self._network.inputs, self._network.outputs
        if picture.shape[1:] != (*self.input_hw, 3) or len(rows.shape) != 4 or rows.shape[3] != 7:
            raise WeightsError(
                f"{self._network.path}: expected an SSD network from {self.input_hw} to (1, 1, N, 7), got "
                f"{list_ports(self._network.inputs)} to {list_ports(self._network.outputs)}; "
                "set detector.input_hw to what the network takes"
            )

    preflight = staticmethod(openvino.preflight)

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order.

        Raises:
            ShapeError: If a frame was letter-boxed to another size.
        """
        for frame in frames:
            check_size(frame, self.input_hw)
        groups = [[frame] for frame in frames] if self._reproducible else [list(frames)] if frames else []
        return [found for group in groups for found in self._detect_together(group)]

    def _detect_together(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        rows = self._network.run(np.stack([frame.image for frame in frames]))[0].reshape(-1, 7)
        # Rows after the last one found have label 0 and score 0.
        rows = rows[(rows[:, _SCORE] >= self._min_score) & (rows[:, _LABEL] == self._person_label)]
        return [self._read(frame, rows[rows[:, _PICTURE] == number]) for number, frame in enumerate(frames)]

    def _read(self, frame: LetterboxedFrame, rows: NDArray[np.float32]) -> Detections:
        boxes_xyxy, scores = rows[:, _BOX:] * self._sides_xyxy, rows[:, _SCORE]
        best = suppress(boxes_xyxy, scores, max_iou=self._nms_iou)
        return to_frame(frame, boxes_xyxy[best], scores[best])
