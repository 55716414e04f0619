"""The Open Model Zoo's re-ID network on real footage."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
import pytest
from factories import make_tracklet

from models.reid.image_openvino import ImageOpenVinoEmbedder
from pipeline.core.errors import ConfigError
from pipeline.evaluation.retrieval import LabelledVectors, score_retrieval
from pipeline.evaluation.truth import read_pets

CROP_HW = (256, 128)


def _arguments(shared: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "omz_0288",
        "weights": "person-reidentification-retail-0288.xml",
        "weights_dir": shared / "models",
        "sha256": None,
        "clip_len": 8,
        "crop_size_hw": CROP_HW,
        "quality_exponent": 1.0,
        "flip": False,
        "device": "cpu",
        "threads": 1,
    } | changes


@pytest.mark.shared
def test_the_space_is_that_of_the_numbers(shared: Path) -> None:
    assert ImageOpenVinoEmbedder(**_arguments(shared)).space == "omz_0288@56df7b"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("changes", "names"),
    [({"crop_size_hw": (128, 128)}, "crop_size_hw"), ({"device": "cuda"}, "device")],
    ids=["size", "device"],
)
def test_what_it_cannot_do_is_refused(shared: Path, changes: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        ImageOpenVinoEmbedder(**_arguments(shared, **changes))


@pytest.mark.shared
def test_it_computes_what_the_bare_network_does_on_bgr_pictures(shared: Path) -> None:
    tracklet = make_tracklet(num_crops=1, crop_hw=CROP_HW)
    (embedding,) = ImageOpenVinoEmbedder(**_arguments(shared)).embed([tracklet])
    path = shared / "models/person-reidentification-retail-0288.xml"
    network = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = network([tracklet.crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)])[0][0]
    np.testing.assert_allclose(embedding.vector, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.shared
@pytest.mark.slow
def test_it_finds_people_again_in_the_other_half_of_the_picture(shared: Path) -> None:
    truth = read_pets(shared / "data/pets09/PETS2009-S2L1.xml")
    rows_by_frame = truth.rows_by_frame()
    video = cv2.VideoCapture(str(shared / "data/pets09/vtest.avi"))
    crops, rows = [], []
    for index in range(0, 795, 10):
        video.set(cv2.CAP_PROP_POS_FRAMES, index)
        _, image_bgr = video.read()
        for row in rows_by_frame.get(index, ()):
            left, top, right, bottom = np.maximum(np.rint(truth.boxes_xyxy[row]), 0).astype(int)
            crop = cv2.resize(image_bgr[top:bottom, left:right], CROP_HW[::-1])
            crops.append(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB))
            rows.append(row)
    tracklets = [replace(make_tracklet(num_crops=1, crop_hw=CROP_HW), crops=crop[None]) for crop in crops]
    embeddings = ImageOpenVinoEmbedder(**_arguments(shared)).embed(tracklets)
    boxes_xyxy = truth.boxes_xyxy[rows]
    cameras = (boxes_xyxy[:, [0, 2]].mean(axis=1) >= 384).astype(np.int64)
    halves = [
        LabelledVectors(
            np.stack([embedding.vector for embedding in embeddings])[cameras == camera],
            truth.ids[rows][cameras == camera],
            cameras[cameras == camera],
        )
        for camera in (0, 1)
    ]
    # Measured .587.
    assert score_retrieval(*halves).mean_ap > 0.57
