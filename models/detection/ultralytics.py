"""YOLO11, YOLO26 and RT-DETR through the ultralytics package, which is AGPL-3.0.

Only the package's networks are used. Its ``predict`` needs torchvision's operators, which many builds lack, and
mixes the pictures of a batch; letter-boxing and suppression are done here.
"""

import logging
import os
import pickle
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.backends.import_settings import import_settings
from models.detection.boxes import check_size, to_frame
from models.detection.heads import Columns, Listed
from models.detection.nms import suppress
from models.weights.store import locate_weights
from pipeline.core.errors import ConfigError, WeightsError
from pipeline.core.records.detections import Detections
from pipeline.core.records.frame import LetterboxedFrame

# The package must neither install packages nor report.
with import_settings(os.environ, YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true"):
    from ultralytics.nn.modules import RTDETRDecoder
    from ultralytics.nn.tasks import load_checkpoint

logger = logging.getLogger(__name__)

_LOAD_ERRORS = (RuntimeError, TypeError, AttributeError, ImportError, EOFError, pickle.UnpicklingError)
_FOUND = "found"


class UltralyticsDetector:
    """Finds people with a network that ultralytics trained or can train.

    Args:
        weights: Path or name of a ``.pt`` file. Loading it runs code from it.
        weights_dir: Where to look first.
        sha256: Of the file; needed, because of what loading it does.
        input_hw: Height and width of the network's input, multiples of 32.
        person_label: The network's number for people; 0 in COCO.
        min_score: In [0, 1].
        nms_iou: In [0, 1]; of two boxes that overlap by more, the better one stays. Unused by networks that
            need no suppression (YOLO26, RT-DETR).
        device: cpu or cuda.
        threads: Processor threads, for all of torch in this process.
        reproducible: See ``NetworkFile``.
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
        reproducible: bool = True,
    ) -> None:
        _check_device(device)
        path = locate_weights(weights, weights_dir=weights_dir, sha256=sha256)
        logger.warning("ultralytics is AGPL-3.0: who offers this as a service owes its users the source")
        self.input_hw = (input_hw[0], input_hw[1])
        self._min_score = min_score
        self._nms_iou = nms_iou
        torch.set_num_threads(threads)
        self._network = _load(path, device)
        self._person_label = person_label
        if not 0 <= person_label < len(self._network.names):
            raise ConfigError(
                f"person_label: expected one of the classes of {path}, {self._network.names}, got {person_label}"
            )
        is_normalised = isinstance(self._network.model[-1], RTDETRDecoder)
        self._listed = Listed(_FOUND, self.input_hw if is_normalised else None)
        self._reproducible = reproducible
        self.calls: Counter[int] = Counter()
        self._device = device

    @staticmethod
    def preflight(
        *, weights: str, weights_dir: str | Path | None, sha256: str | None, device: str, **_: object
    ) -> None:
        """Raise what the constructor would, without loading the network.

        Raises:
            WeightsError: If the weights are absent, altered, or given without their digest.
            ConfigError: If the device is not there.
        """
        _check_device(device)
        locate_weights(weights, weights_dir=weights_dir, sha256=sha256)

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order.

        Raises:
            ShapeError: If a frame was letter-boxed to another size.
        """
        for frame in frames:
            check_size(frame, self.input_hw)
        groups = [[frame] for frame in frames] if self._reproducible else [list(frames)] if frames else []
        return [
            self._read(frame, found) for group in groups for frame, found in zip(group, self._run(group), strict=True)
        ]

    def _run(self, frames: Sequence[LetterboxedFrame]) -> NDArray[np.float32]:
        """Return what the network answers to each of these frames."""
        images_NCHW = np.empty((len(frames), 3, *self.input_hw), np.float32)
        for image_CHW, frame in zip(images_NCHW, frames, strict=True):
            for plane, colour in zip(image_CHW, cv2.split(frame.image), strict=True):
                np.divide(colour, np.float32(255), out=plane)
        self.calls[len(frames)] += 1
        with torch.inference_mode():
            found: NDArray[np.float32] = self._network(torch.from_numpy(images_NCHW).to(self._device))[0].cpu().numpy()
        return found

    def _read(self, frame: LetterboxedFrame, found: NDArray[np.float32]) -> Detections:
        outputs = {_FOUND: found[None]}
        if found.shape[1] == 6:  # the network has chosen already
            return to_frame(frame, *self._listed.read(outputs, self._person_label, self._min_score))
        boxes_xyxy, scores = Columns(_FOUND).read(outputs, self._person_label, self._min_score)
        best = suppress(boxes_xyxy, scores, max_iou=self._nms_iou)
        return to_frame(frame, boxes_xyxy[best], scores[best])


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"device: expected cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: expected a torch that finds a GPU for cuda, got one without; set device: cpu")


def _load(path: Path, device: str) -> Any:
    try:
        network, _ = load_checkpoint(path, device=device)
    except _LOAD_ERRORS as error:
        reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: expected a checkpoint of ultralytics, got: {reason}") from error
    head = network.model[-1]
    if getattr(head, "one2one_cv2", None) is not None:
        # Fusing keeps one of its two heads; this is the one that needs no suppression.
        network.end2end = True
    return network.fuse(verbose=False).eval()
