"""Heads of detectors: what the outputs of a network mean, recognised from their shapes, names and values.

References, for the layouts:
    YOLOX: Ge et al., arXiv:2107.08430, and its ONNX demo. YOLOv5 to YOLOv12, YOLO26, RT-DETR: exports of ultralytics.
    YOLOv6, YOLOv7: exports of their repositories. RT-DETR, D-FINE, DEIM: their ``tools/deployment/export_onnx.py``.
    RF-DETR: ``rfdetr`` 1.2 ``export()``. RTMDet: MMDeploy's end-to-end export.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.backends.pixels import PixelScaling
from models.detection.dense import Grid

Array = NDArray[Any]
Rows = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Boxes, shape ``(N, 4)``, left, top, right, bottom in pixels of the input; scores, shape ``(N,)``, in [0, 1]."""

Read = Callable[[Mapping[str, Array], int, float], Rows]
"""From outputs by name, the number of the wanted class and the least score, to rows of that class."""

_LISTED_SIDES = 1.5
"""A listed box whose numbers all stay below this is in shares of the input, not in pixels."""

_COCO = 80
"""Classes of the data set that networks are usually trained with."""

_NUM_QUERIES = range(50, 1001)
"""DETR's kind answers with 100 to 900 rows; a grid of an input of 256 pixels has 1,344."""


@dataclass(frozen=True, slots=True)
class PixelRange:
    """The colour order and the range of numbers that a network was trained with; as ``PixelScaling``."""

    colour_order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def scaling(self) -> PixelScaling:
        """Return what brings pictures into it."""
        return PixelScaling(colour_order=self.colour_order, mean=self.mean, std=self.std)


BGR_255 = PixelRange("bgr", (0, 0, 0), (1, 1, 1))
RGB_1 = PixelRange("rgb", (0, 0, 0), (255, 255, 255))
RGB_IMAGENET = PixelRange("rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
BGR_IMAGENET = PixelRange("bgr", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))


@dataclass(frozen=True, slots=True)
class Head:
    """One way to answer.

    Attributes:
        name: As messages call it.
        pixels: What its networks are usually trained with.
        is_final: The network has chosen one box a person; else suppression must.
        person_label: The usual number of the class of people.
        read: From outputs to boxes.
    """

    name: str
    pixels: PixelRange
    is_final: bool
    read: Read
    person_label: int = 0


def recognise(
    outputs: Mapping[str, Array], input_hw: tuple[int, int], *, is_detr: bool = False, num_classes: int = _COCO
) -> Head | None:
    """Return the head whose layout the outputs have; None if it is none that is known.

    Args:
        outputs: Of a run on one picture, by name, in the network's order.
        input_hw: Height and width of that picture.
        is_detr: The file's own metadata say that it is of DETR's kind.
        num_classes: How many classes the file's own metadata name, if they do.
    """
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return _recognise_single(name, array, input_hw, is_detr=is_detr, num_classes=num_classes)
    if {"labels", "boxes", "scores"} <= outputs.keys():
        return Head("RT-DETR, D-FINE or DEIM", RGB_1, is_final=True, read=_read_selected)
    if len(outputs) == 2:
        return _recognise_pair(outputs, input_hw)
    return None


def _recognise_single(
    name: str, array: Array, input_hw: tuple[int, int], *, is_detr: bool, num_classes: int
) -> Head | None:
    if array.ndim == 2 and array.shape[1] == 7:
        return Head("YOLOv7 with suppression inside", RGB_1, is_final=True, read=_Batched(name).read)
    if array.ndim != 3 or array.shape[0] != 1:
        return None
    rows, values = array.shape[1:]
    for strides in ((8, 16, 32), (8, 16, 32, 64)):
        grid = Grid.of(input_hw, strides)
        if values == len(grid) and rows >= 5:
            read = Columns(name).read
            return Head("YOLOv8 to YOLOv12 or YOLO26, without suppression", RGB_1, is_final=False, read=read)
        if rows == 3 * len(grid) and values >= 6:
            return Head("YOLOv5 or YOLOv7", RGB_1, is_final=False, read=_Anchors(name, None).read)
        if rows == len(grid) and values >= 6:
            if grid.is_in_shares(array[0], input_hw):
                return None
            if grid.is_decoded(array[0]):
                return _recognise_decoded(name, array[0], num_classes)
            return Head("YOLOX", BGR_255, is_final=False, read=_Anchors(name, grid).read)
    if values == 6:
        # Rows of zeros are padding: they say nothing.
        if is_detr or 0 < np.abs(array[0, :, :4]).max(initial=0) < _LISTED_SIDES:
            return Head("RT-DETR", RGB_1, is_final=True, read=Listed(name, input_hw).read)
        return Head("YOLOv10 or YOLO26, chosen inside", RGB_1, is_final=True, read=Listed(name, None).read)
    if values > 6 and rows in _NUM_QUERIES and _are_shares(array):
        return Head("RT-DETR", RGB_1, is_final=True, read=_Queries(name, name, input_hw).read)
    return None


def _recognise_decoded(name: str, rows: Array, num_classes: int) -> Head | None:
    """Return the head of decoded rows, one a cell: with a column of objectness, or YOLOv8's turned round.

    The fifth number is small on a grey picture in both, so only the number of classes tells, or that YOLOv6 writes the
    same objectness into all rows.
    """
    if rows.shape[1] == 4 + num_classes:
        turned = "YOLOv8 to YOLOv12 or YOLO26, without suppression, one row an anchor"
        return Head(turned, RGB_1, is_final=False, read=Columns(name, is_turned=True).read)
    if rows.shape[1] == 5 + num_classes or (rows[0, 4] > 0 and np.ptp(rows[:, 4]) == 0):
        return Head("YOLOv6", RGB_1, is_final=False, read=_Anchors(name, None).read)
    return None


def _are_shares(array: Array) -> bool:
    """Return whether rows begin with a box in shares of the input, and go on with scores of classes."""
    return bool(
        (np.abs(array[0, :, :4]) < _LISTED_SIDES).all() and ((array[0, :, 4:] >= 0) & (array[0, :, 4:] <= 1)).all()
    )


def _recognise_pair(outputs: Mapping[str, Array], input_hw: tuple[int, int]) -> Head | None:
    shapes = {name: array.shape for name, array in outputs.items()}
    boxes = next((name for name, shape in shapes.items() if len(shape) == 3 and shape[2] in (4, 5)), None)
    if boxes is None:
        return None
    (classes,) = outputs.keys() - {boxes}
    if shapes[boxes][2] == 5 and shapes[classes] == shapes[boxes][:2]:
        return Head("RTMDet", BGR_IMAGENET, is_final=True, read=_Labelled(boxes, classes).read)
    if shapes[boxes][2] == 4 and len(shapes[classes]) == 3 and shapes[classes][1] == shapes[boxes][1]:
        read = _Queries(boxes, classes, input_hw).read
        return Head("RF-DETR or DETR", RGB_IMAGENET, is_final=True, read=read, person_label=1)
    return None


@dataclass(frozen=True, slots=True)
class _Anchors:
    """One row an anchor: box, objectness, classes. With a grid the box is an offset from its cell, in strides."""

    name: str
    grid: Grid | None

    def read(self, outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
        (rows,) = outputs[self.name]
        scores = rows[:, 4] * rows[:, 5 + label]
        found = np.flatnonzero(scores >= min_score)
        boxes = rows[found, :4]
        return (to_xyxy(boxes) if self.grid is None else self.grid.decode(boxes, found)), scores[found]


@dataclass(frozen=True, slots=True)
class Columns:
    """One column an anchor: box, then classes. Turned round it is one row an anchor."""

    name: str
    is_turned: bool = False

    def read(self, outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
        """Return the rows of one class, as ``Read``."""
        (columns,) = outputs[self.name]
        if self.is_turned:
            columns = columns.T
        scores = columns[4 + label]
        found = np.flatnonzero(scores >= min_score)
        return to_xyxy(columns[:4, found].T), scores[found]


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of box, score and class. With a size the box is centre and size, in shares of it."""

    name: str
    input_hw: tuple[int, int] | None

    def read(self, outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
        """Return the rows of one class, as ``Read``."""
        (rows,) = outputs[self.name]
        rows = rows[(rows[:, 4] >= min_score) & (rows[:, 5] == label)]
        return (rows[:, :4] if self.input_hw is None else _from_shares(rows[:, :4], self.input_hw)), rows[:, 4]


@dataclass(frozen=True, slots=True)
class _Batched:
    """Rows of picture, box, class and score."""

    name: str

    def read(self, outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
        rows = outputs[self.name]
        rows = rows[(rows[:, 6] >= min_score) & (rows[:, 5] == label)]
        return rows[:, 1:5], rows[:, 6]


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Rows of box and score; classes apart."""

    boxes: str
    labels: str

    def read(self, outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
        rows = outputs[self.boxes][0]
        rows = rows[(rows[:, 4] >= min_score) & (outputs[self.labels][0] == label)]
        return rows[:, :4], rows[:, 4]


@dataclass(frozen=True, slots=True)
class _Queries:
    """One row a query: centre and size in shares of the input; classes in the same row, or as logits apart."""

    boxes: str
    classes: str
    input_hw: tuple[int, int]

    def read(self, outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
        boxes = outputs[self.boxes][0][:, :4]
        if self.boxes == self.classes:
            scores = outputs[self.classes][0][:, 4 + label]
        else:
            scores = 1 / (1 + np.exp(-outputs[self.classes][0][:, label]))
        found = np.flatnonzero(scores >= min_score)
        return _from_shares(boxes[found], self.input_hw), scores[found]


def _read_selected(outputs: Mapping[str, Array], label: int, min_score: float) -> Rows:
    """Boxes in pixels, classes and scores in outputs of their own."""
    scores = outputs["scores"][0]
    found = np.flatnonzero((scores >= min_score) & (outputs["labels"][0] == label))
    return outputs["boxes"][0][found], scores[found]


def to_xyxy(boxes_cxcywh: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return left, top, right and bottom of boxes given by centre and size, shape ``(N, 4)``."""
    halves = boxes_cxcywh[:, 2:] / 2
    return np.concatenate([boxes_cxcywh[:, :2] - halves, boxes_cxcywh[:, :2] + halves], axis=1)


def _from_shares(boxes_cxcywh: NDArray[np.float32], input_hw: tuple[int, int]) -> NDArray[np.float32]:
    return to_xyxy(boxes_cxcywh) * np.array(input_hw[::-1] * 2, np.float32)
