"""Hard-example mining: the false boxes of a detector on its training worlds, for further training.

    python -m models.training hard-examples run=outputs/detector data=/a/rendered out=outputs/false_boxes.npy
    python -m models.training train task=detector … 'options={false_boxes: outputs/false_boxes.npy}'

Reference:
    Bootstrapping on false detections: Sung and Poggio, "Example-Based Learning for View-Based Human Face Detection",
    IEEE TPAMI 20(1), 1998.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from models.training.checkpoint import load_mean
from models.training.detector.network import YoloxSmall
from models.training.detector.samples import DetectorSamples
from models.training.detector.task import DetectorTask
from models.training.worlds import World, split_worlds
from pipeline.camera.detection import letterbox
from pipeline.core import Frame, FrameStamp
from pipeline.core.boxes import iou_matrix
from pipeline.core.errors import ConfigError

_FRAME_HW = (384, 640)
_HELD_OUT = 0.1
"""As in training."""
_MAX_IOU = 0.3
"""IoU with a person; a box that overlaps one by more is badly placed rather than false."""


def middle_frames(worlds: list[World]) -> list[int]:
    """Return one frame of each camera, as rows over all worlds: what stands still is in every other one too."""
    rows, first = [], 0
    for world in worlds:
        cameras = world.read("frame_camera")["frame_camera"]
        for camera in np.unique(cameras):
            of_camera = np.flatnonzero(cameras == camera)
            rows.append(first + int(of_camera[len(of_camera) // 2]))
        first += len(cameras)
    return rows


@torch.no_grad()
def find_false_boxes(network: YoloxSmall, worlds: list[World]) -> NDArray[np.float32]:
    """Return ``(M, 5)``: row of the frame, and the box in its pixels, of each false detection."""
    task = DetectorTask([], [], seed=0, device=torch.device("cpu"), max_bytes=0, input_hw=_FRAME_HW)
    samples = DetectorSamples(worlds, input_hw=_FRAME_HW, max_bytes=0)
    found = [np.empty((0, 5), np.float32)]
    for row in track(middle_frames(worlds), "frames"):
        frame = samples.frame(row)
        fitted = letterbox(Frame(FrameStamp("training", row, 0.0), frame.image), _FRAME_HW)
        boxes = (task.find(network, fitted.image) / fitted.scale).astype(np.float32)
        false = boxes[iou_matrix(boxes, frame.boxes_xyxy).max(axis=1, initial=0.0) < _MAX_IOU]
        found.append(np.column_stack([np.full(len(false), row, np.float32), false]))
    return np.concatenate(found).astype(np.float32)


def main(arguments: list[str]) -> None:
    """Write the false boxes of what the command line names."""
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if chosen.keys() != {"run", "data", "out"}:
        raise ConfigError(f"command line: expected run=… data=… out=…, got {' '.join(arguments) or 'nothing'}")
    network = YoloxSmall()
    load_mean(Path(chosen["run"]) / "checkpoint.safetensors", network)
    learned_from, _ = split_worlds(Path(chosen["data"]), held_out=_HELD_OUT)
    false_boxes = find_false_boxes(network.eval(), learned_from)
    np.save(chosen["out"], false_boxes, allow_pickle=False)
    print(f"{len(false_boxes)} false boxes: {chosen['out']}")
