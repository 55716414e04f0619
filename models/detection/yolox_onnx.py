"""YOLOX through onnxruntime.

Reference:
    Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv:2107.08430; weights under Apache-2.0.
"""

from collections.abc import Sequence
from typing import Unpack

import cv2
import numpy as np
from numpy.typing import NDArray

from models.backends import onnx_runtime
from models.backends.network import list_ports
from models.backends.network_file import NetworkFile
from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.detection.boxes import check_size, to_frame
from models.detection.nms import suppress
from pipeline.core.detections import Detections
from pipeline.core.errors import WeightsError
from pipeline.core.frame import LetterboxedFrame

_STRIDES = (8, 16, 32)
_OBJECTNESS, _PERSON = 4, 5


class YoloxOnnxDetector:
    """Finds people with a YOLOX network of COCO's 80 classes.

    Frames go through the network one by one: the public files have a last reshape that mixes the images of a
    batch, and batching gains nothing on a processor.

    Args:
        input_hw: Height and width of the network's input, multiples of 32.
        min_score: In [0, 1]; objectness times class probability.
        nms_iou: In [0, 1]; of two boxes that overlap by more, the better one stays.
        **file: See ``NetworkFile``.
    """

    def __init__(
        self,
        *,
        input_hw: Sequence[int],
        min_score: float,
        nms_iou: float,
        **file: Unpack[NetworkFile],
    ) -> None:
        self.input_hw = (input_hw[0], input_hw[1])
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._network = OnnxRuntimeNetwork.load(**file)
        self._image_1CHW = np.empty((1, 3, *self.input_hw), np.float32)
        self._cells, self._strides = _grid(self.input_hw)
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
        # YOLOX was trained on BGR, 0 to 255.
        for plane, colour in zip(self._image_1CHW[0, ::-1], cv2.split(frame.image), strict=True):
            plane[:] = colour
        (rows,) = self._network.run(self._image_1CHW)[0]
        scores = rows[:, _OBJECTNESS] * rows[:, _PERSON]
        found = np.flatnonzero(scores >= self._min_score)
        scores = scores[found]
        boxes_xyxy = _decode(rows[found, :4], self._cells[found], self._strides[found])
        best = suppress(boxes_xyxy, scores, max_iou=self._nms_iou)
        return to_frame(frame, boxes_xyxy[best], scores[best])

    def _check_network(self) -> None:
        """Check that the network takes this input and has a YOLOX head."""
        (picture, *_), (rows, *_) = self._network.inputs, self._network.outputs
        if not (picture.fits(1, 3, *self.input_hw) and rows.fits(1, len(self._cells), None)):
            raise WeightsError(
                f"{self._network.path}: expected a YOLOX network from {(1, 3, *self.input_hw)} to "
                f"{(1, len(self._cells))} x values, got {list_ports(self._network.inputs)} to "
                f"{list_ports(self._network.outputs)}; set input_hw to what the network takes"
            )


def _grid(input_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the cells of all three levels: x and y, shape ``(A, 2)``, and strides, shape ``(A, 1)``."""
    cells, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: input_hw[0] // stride, : input_hw[1] // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        strides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _decode(rows: NDArray[np.float32], cells: NDArray[np.float32], strides: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boxes in pixels of the input: rows are offset from the cell and log size, in strides."""
    centres = (rows[:, :2] + cells) * strides
    halves = np.exp(rows[:, 2:]) * strides / 2
    boxes_xyxy: NDArray[np.float32] = np.concatenate([centres - halves, centres + halves], axis=1)
    return boxes_xyxy
