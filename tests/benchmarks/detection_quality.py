"""Precision and recall of a detector on the annotated footage of the shared folder."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np

from pipeline.camera.detection import letterbox
from pipeline.core import Detector, Frame, FrameStamp
from pipeline.evaluation.detection import find_hits


def precision_and_recall(
    detector: Detector, shared: Path, *, every: int = 10, min_score: float = 0.3, min_iou: float = 0.5
) -> tuple[float, float]:
    """Return precision and recall on every ``every``-th frame of PETS2009 S2L1, matched greedily by score."""
    truth = _truth(shared / "data" / "pets09" / "PETS2009-S2L1.xml")
    video = cv2.VideoCapture(str(shared / "data" / "pets09" / "vtest.avi"))
    hits = num_found = num_true = index = 0
    while video.grab():
        if index % every == 0:
            image = np.ascontiguousarray(video.retrieve()[1][..., ::-1])
            frame = letterbox(Frame(FrameStamp("east", index, index / 10), image), detector.input_hw)
            found = detector.detect([frame])[0]
            found = found.select(found.scores >= min_score)
            hits += find_hits(found.boxes_xyxy, truth[index], min_iou=min_iou).sum()
            num_found += len(found)
            num_true += len(truth[index])
        index += 1
    video.release()
    return hits / num_found, hits / num_true


def _truth(path: Path) -> dict[int, np.ndarray]:
    return {
        int(frame.attrib["number"]): np.array(
            [[float(box.attrib[key]) for key in ("xc", "yc", "w", "h")] for box in frame.iter("box")], np.float32
        ).reshape(-1, 4)
        @ np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]], np.float32)
        for frame in ElementTree.parse(path).getroot().iter("frame")
    }
