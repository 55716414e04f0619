"""Open Model Zoo's SSD person detectors through OpenVINO: person-detection-retail-0013 and its kind."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.backends.openvino import check_device, compile_bgr_model
from models.detection.boxes import check_size, to_frame
from models.detection.nms import suppress
from models.weights.store import locate_weights
from pipeline.core.detections import Detections
from pipeline.core.errors import WeightsError
from pipeline.core.frame import LetterboxedFrame

_LABEL, _SCORE, _BOX = 1, 2, 3


class OpenVinoSsdDetector:
    """Finds people with a network that ends in SSD's DetectionOutput.

    Args:
        weights: File name in ``models/weights/catalogue.yaml``, or a path to an ``.xml`` with its ``.bin`` beside it.
        weights_dir: Where to look first.
        sha256: Of the file; None takes the one in ``models/weights/catalogue.yaml``.
        input_hw: Height and width of the network's input.
        person_label: The network's number for people.
        min_score: In [0, 1].
        nms_iou: In [0, 1]; of two boxes that overlap by more, the better one stays. The network has done this
            already, at .45: a higher value changes nothing.
        device: cpu or gpu (of Intel).
        threads: Of the processor.
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
        path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
        network = compile_bgr_model(path, device=device, threads=threads)
        self.input_hw = (input_hw[0], input_hw[1])
        self._person_label = person_label
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._sides_xyxy = np.array(self.input_hw[::-1] * 2, np.float32)
        expected = f"[1,{self.input_hw[0]},{self.input_hw[1]},3]"
        got_in, got_out = (port.get_partial_shape() for port in (network.input(), network.output(0)))
        if str(got_in) != expected or len(got_out) != 4 or str(got_out[3]) != "7":
            raise WeightsError(
                f"{path}: expected an SSD network from {expected} to [1,1,N,7], got {got_in} to {got_out}; "
                "set input_hw to what the network takes"
            )
        self._request = network.create_infer_request()

    @staticmethod
    def preflight(
        *, weights: str, weights_dir: str | Path | None, sha256: str | None, device: str, **_: object
    ) -> None:
        """Raise what the constructor would, without loading the network.

        Raises:
            WeightsError: If the weights are absent or altered.
            ConfigError: If the device is not there.
        """
        check_device(device)
        locate_weights(weights, weights_dir=weights_dir, sha256=sha256)

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order.

        Raises:
            ShapeError: If a frame was letter-boxed to another size.
        """
        return [self._detect_one(frame) for frame in frames]

    def _detect_one(self, frame: LetterboxedFrame) -> Detections:
        check_size(frame, self.input_hw)
        rows = self._request.infer([frame.image[None]], share_inputs=True)[0].reshape(-1, 7)
        # Rows after the last one found have label 0 and score 0.
        rows = rows[(rows[:, _SCORE] >= self._min_score) & (rows[:, _LABEL] == self._person_label)]
        boxes_xyxy, scores = rows[:, _BOX:] * self._sides_xyxy, rows[:, _SCORE]
        best = suppress(boxes_xyxy, scores, max_iou=self._nms_iou)
        return to_frame(frame, boxes_xyxy[best], scores[best])
