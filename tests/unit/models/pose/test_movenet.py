"""MoveNet on real footage."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from factories import make_path, make_tracklet

from models.pose.movenet import MovenetEstimator

NOSE, SHOULDERS, HIPS, ANKLES = [0], [5, 6], [11, 12], [15, 16]


BOX_XYXY = (473, 434, 798, 1304)


@pytest.mark.shared
@pytest.mark.parametrize("margin", [1.0, 1.25])
def test_a_standing_man_has_his_head_above_his_feet(shared: Path, margin: float) -> None:
    _, image_bgr = cv2.VideoCapture(str(shared / "data/pose2sim_single/cam03.mp4")).read()
    left, top, right, bottom = BOX_XYXY
    crop = cv2.cvtColor(cv2.resize(image_bgr[top:bottom, left:right], (128, 256)), cv2.COLOR_BGR2RGB)
    path = make_path(box=BOX_XYXY, frame_hw=image_bgr.shape[:2])
    estimator = MovenetEstimator(
        weights="movenet_lightning_int8_v4.tflite",
        weights_dir=shared / "models",
        sha256=None,
        margin=margin,
        device="cpu",
        threads=1,
    )
    tracklet = replace(make_tracklet(path=path, num_crops=1, crop_hw=(256, 128)), crops=crop[None])
    (posed,) = estimator.estimate([tracklet])
    heights = [posed.keypoints[0, part, 1].mean() for part in (NOSE, SHOULDERS, HIPS, ANKLES)]
    assert heights == sorted(heights)
    assert posed.keypoints[0, SHOULDERS + HIPS, 2].mean() > 0.4
    # From the nose to the ankles it is most of a person.
    assert 0.7 < np.ptp(heights) < 1
