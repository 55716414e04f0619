"""YOLO networks that ultralytics exported to ONNX, through onnxruntime: YOLOv8, YOLO11, YOLO26 and their kin.

The package itself is not needed: ``yolo export model=yolo11n.pt format=onnx`` anywhere, and take the file here. Its
licence, AGPL-3.0 for the public weights, stays with the file.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.backends import onnx_runtime
from models.backends.network import list_ports
from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.detection.boxes import check_size, to_frame
from models.detection.nms import suppress
from pipeline.core.detections import Detections
from pipeline.core.errors import WeightsError
from pipeline.core.frame import LetterboxedFrame

_SCORE, _LABEL, _LISTED = 4, 5, 6


class YoloOnnxDetector:
    """Finds people with an exported YOLO network.

    Two kinds of output are read: one column an anchor, box then class scores, of shape ``(1, 4 + classes, anchors)``;
    or one row a find, box, score and class, of shape ``(1, N, 6)``, of networks that need no suppression. Frames go
    through the network one by one, so that neighbours in a batch cannot change a result.

    Args:
        weights: Path of the ``.onnx`` file, or its name in ``weights_dir``.
        weights_dir: Where to look first.
        sha256: Digest of the file; None checks nothing.
        input_hw: Height and width of the network's input, multiples of 32.
        person_label: The network's number for people; 0 in COCO.
        min_score: In [0, 1].
        nms_iou: In [0, 1]; of two boxes that overlap by more, the better one stays. Unused by the second kind.
        device: cpu or cuda.
        threads: Processor threads.

    Raises:
        WeightsError: If the file is no such network, or takes another size.
    """

    def __init__(
        self,
        *,
        weights: str,
        weights_dir: str | Path | None,
        sha256: str | None,
        input_hw: Sequence[int],
        person_label: int,
        min_score: float,
        nms_iou: float,
        device: str,
        threads: int,
    ) -> None:
        self.input_hw = (input_hw[0], input_hw[1])
        self._person_label = person_label
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._network = OnnxRuntimeNetwork.load(
            weights, weights_dir=weights_dir, sha256=sha256, device=device, threads=threads
        )
        self._image_1CHW = np.zeros((1, 3, *self.input_hw), np.float32)
        self._is_listed = self._network.outputs[0].shape[-1:] == (_LISTED,)
        self._check_network()

    preflight = staticmethod(onnx_runtime.preflight)

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order.

        Raises:
            ShapeError: If a frame was letter-boxed to another size.
        """
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: LetterboxedFrame) -> Detections:
        check_size(frame, self.input_hw)
        for plane, colour in zip(self._image_1CHW[0], cv2.split(frame.image), strict=True):
            np.divide(colour, np.float32(255), out=plane)
        found = self._network.run(self._image_1CHW)[0][0]
        boxes_xyxy, scores = self._listed(found) if self._is_listed else self._anchored(found)
        return to_frame(frame, boxes_xyxy, scores)

    def _listed(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = rows[(rows[:, _SCORE] >= self._min_score) & (rows[:, _LABEL] == self._person_label)]
        return rows[:, :4], rows[:, _SCORE]

    def _anchored(self, columns: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scores = columns[4 + self._person_label]
        found = np.flatnonzero(scores >= self._min_score)
        centres, halves = columns[:2, found].T, columns[2:4, found].T / 2
        boxes_xyxy = np.concatenate([centres - halves, centres + halves], axis=1)
        best = suppress(boxes_xyxy, scores[found], max_iou=self._nms_iou)
        return boxes_xyxy[best], scores[found][best]

    def _check_network(self) -> None:
        """Check that the network takes this input and that its output is of one of the two kinds."""
        picture, found = self._network.inputs[0], self._network.outputs[0]
        num_rows = (found.shape[1] or 0) if len(found.shape) == 3 else 0
        is_yolo = len(found.shape) == 3 and (self._is_listed or num_rows > 4 + self._person_label)
        if not (picture.fits(1, 3, *self.input_hw) and is_yolo):
            raise WeightsError(
                f"{self._network.path}: expected a YOLO network from {(1, 3, *self.input_hw)} to boxes, got "
                f"{list_ports(self._network.inputs)} to {list_ports(self._network.outputs)}; set input_hw to what the "
                "network takes, and person_label to its number for people"
            )
