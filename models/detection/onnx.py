"""Any person detector in an ONNX file, through ONNX Runtime: the plug-in recognises the head from the outputs."""

import ast
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from models.backends import onnx_runtime
from models.backends.network import Array, Port, list_ports
from models.backends.network_file import NetworkFile
from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.detection.boxes import check_size, to_frame
from models.detection.dense import MAX_SHARE
from models.detection.heads import Head, PixelRange, recognise
from models.detection.nms import suppress
from models.detection.self_test import PADDING, SURE_SCORE, find_pixel_range, load_people
from pipeline.core.errors import ConfigError, WeightsError
from pipeline.core.records.detections import Detections
from pipeline.core.records.frame import LetterboxedFrame

logger = logging.getLogger(__name__)

SAME = 0.05
"""Pixels, and score, by which a find may differ when another picture is there. A larger value trusts more networks."""


class OnnxDetector:
    """Finds people with a network that answers as YOLOX, YOLOv5 to v12, YOLO26, RT-DETR, D-FINE, RF-DETR or RTMDet do.

    While it is loaded the network is run once, on a grey picture; its outputs tell its head. With ``reproducible:
    false`` frames share a call, if the file takes any number of pictures and does not mix them, which is tried first.

    Args:
        input_hw: Height and width of the network's input.
        person_label: The network's number for people; None takes the one that the file's metadata call person, else
            the usual one of its head.
        colour_order: rgb or bgr; None takes the usual one of the head.
        mean: Subtracted from pixels in [0, 255], per channel in that order; None likewise.
        std: What they are divided by then; None likewise.
        min_score: In [0, 1].
        nms_iou: In [0, 1]; of two boxes that overlap by more, the better one stays. Unused by networks that choose
            by themselves.
        **file: See ``NetworkFile``.

    Raises:
        WeightsError: If the file is absent or altered, or its input or head is none that is known.
        ConfigError: If a key does not fit the network.
    """

    def __init__(
        self,
        *,
        input_hw: Sequence[int],
        person_label: int | None = None,
        colour_order: str | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        min_score: float,
        nms_iou: float,
        **file: Unpack[NetworkFile],
    ) -> None:
        self._network = OnnxRuntimeNetwork.load(**file)
        self.input_hw = (input_hw[0], input_hw[1])
        self._check_input()
        self._dtype = np.dtype(self._network.inputs[0].dtype)
        self._others = [_size_input(port, self.input_hw, self._network.path) for port in self._network.inputs[1:]]
        self.head = self._recognise()
        """What it was taken for."""
        usual = self.head.pixels
        pixels = PixelRange(colour_order or usual.colour_order, tuple(mean or usual.mean), tuple(std or usual.std))
        self._scaling = pixels.scaling()
        self._person_label = self._label(person_label)
        self._min_score = min_score
        self._nms_iou = nms_iou
        self._check_pixels(pixels)
        self._shares_calls = not file.get("reproducible", True) and self._can_share_calls()
        self.calls = self._network.calls
        self.calls.clear()  # of the pictures above

    preflight = staticmethod(onnx_runtime.preflight)

    def detect(self, frames: Sequence[LetterboxedFrame]) -> list[Detections]:
        """Return one record a frame, in order.

        Raises:
            ShapeError: If a frame was letter-boxed to another size.
        """
        for frame in frames:
            check_size(frame, self.input_hw)
        if not self._shares_calls or len(frames) < 2:
            return [self._read(frame, self._run(self._scaling(frame.image[None]))) for frame in frames]
        outputs = self._run(self._scaling(np.stack([frame.image for frame in frames])))
        return [self._read(frame, _of_one(outputs, row)) for row, frame in enumerate(frames)]

    def _read(self, frame: LetterboxedFrame, outputs: Mapping[str, Array]) -> Detections:
        boxes_xyxy, scores = self.head.read(outputs, self._person_label, self._min_score)
        if not self.head.is_final:
            best = suppress(boxes_xyxy, scores, max_iou=self._nms_iou)
            boxes_xyxy, scores = boxes_xyxy[best], scores[best]
        return to_frame(frame, boxes_xyxy, scores)

    def _run(self, pixels_NCHW: NDArray[np.float32]) -> dict[str, Array]:
        others = [np.repeat(other, len(pixels_NCHW), axis=0) for other in self._others]
        answers = self._network.run(pixels_NCHW.astype(self._dtype, copy=False), *others)
        ports = self._network.outputs
        return {
            port.name: answer.astype(np.float32, copy=False) if answer.dtype.kind == "f" else answer
            for port, answer in zip(ports, answers, strict=True)
        }

    def _check_input(self) -> None:
        picture = self._network.inputs[0]
        has_size = picture.fits(1, 3, *self.input_hw)
        if has_size and picture.dtype in ("float32", "float16"):
            return
        if has_size:
            remedy = f"export it with an input of float32: {picture.dtype} cannot be scaled to what it was trained with"
        elif picture.fits(1, 3, None, None):
            remedy = f"set 'detector.input_hw={list(picture.shape[2:])}'"
        elif picture.fits(1, None, None, 3):
            remedy = "export it with the colours before height and width"
        else:
            remedy = "export it with a batch of 1"
        raise WeightsError(
            f"{self._network.path}: expected a network of one picture {(1, 3, *self.input_hw)} of float32 or "
            f"float16, got {list_ports(self._network.inputs)}; {remedy}"
        )

    def _recognise(self) -> Head:
        grey = np.full((1, 3, *self.input_hw), PADDING / 255, np.float32)
        outputs = self._run(grey)
        if not all(np.isfinite(array).all() for array in outputs.values()):
            raise WeightsError(
                f"{self._network.path}: expected numbers for a grey picture, got NaN or infinity; export it again, in "
                "float32 if it is in float16"
            )
        is_detr = "RTDETR" in self._network.metadata.get("head", "")
        names = _class_names(self._network.metadata.get("names", ""))
        known = {"num_classes": len(names)} if names else {}
        head = recognise(outputs, self.input_hw, is_detr=is_detr, **known)
        if head is None:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in outputs.items())
            raise WeightsError(
                f"{self._network.path}: expected the outputs of YOLOX, YOLOv5 to v12, YOLO26, RT-DETR, D-FINE, RF-DETR "
                f"or RTMDet for {self.input_hw[0]}x{self.input_hw[1]} pixels, got {shapes}; export it as its authors "
                "do, for detection, with a batch of 1 and boxes in pixels of the input"
            )
        logger.info("%s: taken for a network of %s", self._network.path.name, head.name)
        return head

    def _check_pixels(self, chosen: PixelRange) -> None:
        people = load_people(self.input_hw)
        boxes_xyxy, _ = self.head.read(self._run(chosen.scaling()(people[None])), self._person_label, 0.0)
        if 0 < np.abs(boxes_xyxy).max(initial=0) < MAX_SHARE:
            raise WeightsError(
                f"{self._network.path}: expected boxes in pixels of the input, as networks of {self.head.name} give, "
                f"got none that reaches {MAX_SHARE:g}, so they are in shares of it; export it with boxes in pixels"
            )

        def count(pixels: PixelRange) -> int:
            outputs = self._run(pixels.scaling()(people[None]))
            return len(self.head.read(outputs, self._person_label, SURE_SCORE)[1])

        better = find_pixel_range(count, chosen)
        if better is not None:
            logger.warning(
                "%s: finds nobody in a picture of three people, but %d boxes with detector.colour_order=%s "
                "'detector.mean=%s' 'detector.std=%s'; set these if that is how it was trained",
                self._network.path.name,
                count(better),
                better.colour_order,
                list(better.mean),
                list(better.std),
            )

    def _can_share_calls(self) -> bool:
        """Return whether the network finds the same in a picture when it is given another one with it."""
        if any(port.shape[0] is not None for port in self._network.inputs):
            logger.info("%s takes one picture a call; export it with a free batch axis", self._network.path.name)
            return False
        people, grey = load_people(self.input_hw), np.full((*self.input_hw, 3), PADDING, np.uint8)
        alone, both = (self._run(self._scaling(np.stack(shown))) for shown in ([people], [grey, people]))
        can = all(len(array) == 2 for array in both.values())
        if can:
            boxes, others = (
                self.head.read(outputs, self._person_label, SURE_SCORE) for outputs in (alone, _of_one(both, 1))
            )
            can = all(a.shape == b.shape and np.allclose(a, b, atol=SAME) for a, b in zip(boxes, others, strict=True))
        if not can:
            logger.warning("%s mixes the pictures of a call, so each frame is a call", self._network.path.name)
        return can

    def _label(self, stated: int | None) -> int:
        names = _class_names(self._network.metadata.get("names", ""))
        if stated is None:
            called = [number for number, name in names.items() if name.lower() in ("person", "people", "pedestrian")]
            if names and not called:
                raise ConfigError(
                    f"detector.person_label: expected a class of {self._network.path} that is called person, got "
                    f"{names}; set it to the number of the one that stands for people"
                )
            return called[0] if called else self.head.person_label
        if names and stated not in names:
            raise ConfigError(
                f"detector.person_label: expected one of the classes of {self._network.path}, {names}, got {stated}"
            )
        return stated


def _of_one(outputs: Mapping[str, Array], row: int) -> dict[str, Array]:
    """Return what a network answered to one of several pictures, as if it had been the only one."""
    return {name: array[row : row + 1] for name, array in outputs.items()}


def _size_input(port: Port, input_hw: tuple[int, int], path: Path) -> Array:
    """Return what RT-DETR's kind wants beside the picture: width and height that its boxes shall be in."""
    if not port.fits(1, 2) or np.dtype(port.dtype).kind not in "if":
        raise WeightsError(f"{path}: expected one picture and at most its size (1, 2), got an input {port}")
    return np.array([input_hw[::-1]], port.dtype)


def _class_names(text: str) -> dict[int, str]:
    """Return what the metadata of an export say about classes: number to name; nothing if they say nothing.

    An export of a network whose classes nobody named calls them 0, 1, 2 … or class0, class1, class2 ….
    """
    try:
        names = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {}
    if not isinstance(names, dict):
        return {}
    found = {int(number): str(name) for number, name in names.items()}
    return {} if all(name in (str(number), f"class{number}") for number, name in found.items()) else found
