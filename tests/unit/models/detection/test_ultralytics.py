"""The networks have random weights: these tests are about reading them, not about finding people."""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.camera.detection import letterbox
from pipeline.core import Frame, LetterboxedFrame
from pipeline.core.errors import ConfigError, ShapeError, WeightsError

os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_OFFLINE", "true")
ultralytics = pytest.importorskip("ultralytics")

import torch  # noqa: E402
from factories import make_frame, make_stamp  # noqa: E402

from models.detection.ultralytics import UltralyticsDetector  # noqa: E402

INPUT_HW = (256, 320)


@pytest.fixture(scope="module", params=["yolo11n", "yolo26n"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("weights") / f"{request.param}.pt")


@pytest.fixture(scope="module")
def detector(weights: Path) -> UltralyticsDetector:
    return make_detector(weights)


def save_random(path: Path) -> Path:
    torch.manual_seed(0)
    network_class = ultralytics.RTDETR if path.stem.startswith("rtdetr") else ultralytics.YOLO
    model = network_class(f"{path.stem}.yaml")
    with torch.no_grad():
        for name, weight in model.model.named_parameters():
            # Random networks give every box the same score; this makes them differ.
            if "cv3" in name and weight.ndim == 4:
                weight *= 4
            if "dec_score_head" in name and weight.ndim == 1:
                weight[0] = 2  # and this makes RT-DETR choose people
    model.save(str(path))
    return path


def make_detector(weights: Path, **changes: Any) -> UltralyticsDetector:
    arguments: dict[str, Any] = {
        "weights": str(weights),
        "weights_dir": None,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "input_hw": INPUT_HW,
        "person_label": 0,
        "min_score": 0.0,
        "nms_iou": 0.45,
        "device": "cpu",
        "threads": 1,
    }
    return UltralyticsDetector(**arguments | changes)


def make_boxed(seed: int, hw: tuple[int, int] = (480, 640)) -> LetterboxedFrame:
    return letterbox(make_frame(make_stamp(index=seed), hw=hw, seed=seed), INPUT_HW)


def test_no_frames_give_no_detections(detector: UltralyticsDetector) -> None:
    assert detector.detect([]) == []


def test_a_frame_gives_the_same_alone_and_among_others(detector: UltralyticsDetector) -> None:
    frames = [make_boxed(seed) for seed in range(3)]
    for together, frame in zip(detector.detect(frames), frames, strict=True):
        (alone,) = detector.detect([frame])
        assert len(alone) > 0
        assert together.stamp == alone.stamp == frame.stamp
        np.testing.assert_array_equal(together.boxes_xyxy, alone.boxes_xyxy)
        np.testing.assert_array_equal(together.scores, alone.scores)


@pytest.mark.parametrize("hw", [(480, 640), (640, 360), (7, 900)], ids=str)
def test_boxes_lie_inside_the_frame(detector: UltralyticsDetector, hw: tuple[int, int]) -> None:
    (found,) = detector.detect([make_boxed(0, hw)])
    assert (found.boxes_xyxy >= 0).all()
    assert (found.boxes_xyxy <= np.array([hw[1], hw[0], hw[1], hw[0]])).all()
    assert found.scores.dtype == np.float32
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_it_reads_a_network_as_the_package_does(tmp_path: Path) -> None:
    weights = save_random(tmp_path / "yolo26n.pt")
    frame = make_frame(hw=INPUT_HW)
    (found,) = make_detector(weights).detect([letterbox(frame, INPUT_HW)])
    (theirs,) = ultralytics.YOLO(weights).predict(
        np.ascontiguousarray(frame.image[..., ::-1]),
        nms=False, imgsz=list(INPUT_HW), conf=1e-9, classes=[0], rect=False, verbose=False, device="cpu",
    )  # fmt: skip
    inside = (theirs.boxes.xyxy[:, :2] < theirs.boxes.xyxy[:, 2:]).all(dim=1)
    assert len(found) == inside.sum() > 0
    np.testing.assert_allclose(found.boxes_xyxy, theirs.boxes.xyxy[inside], atol=0.05)
    np.testing.assert_allclose(found.scores, theirs.boxes.conf[inside], atol=1e-5)


@pytest.mark.slow
def test_rt_detr_boxes_are_in_pixels(tmp_path: Path) -> None:
    weights = save_random(tmp_path / "rtdetr-l.pt")
    (found,) = make_detector(weights).detect([make_boxed(0)])
    assert len(found) > 0
    assert found.boxes_xyxy.max() > 2


def test_its_licence_is_said(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        make_detector(weights)
    assert sum("AGPL-3.0" in record.message for record in caplog.records) == 1


def test_weights_without_their_digest_are_not_loaded(weights: Path) -> None:
    with pytest.raises(WeightsError, match="sha256"):
        make_detector(weights, sha256=None)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"net\.pt: expected a checkpoint"):
        make_detector(tmp_path / "net.pt")


def test_a_class_that_the_network_does_not_know_is_refused(weights: Path) -> None:
    with pytest.raises(ConfigError, match="person_label"):
        make_detector(weights, person_label=80)


def test_a_frame_of_another_size_is_refused(detector: UltralyticsDetector) -> None:
    with pytest.raises(ShapeError):
        detector.detect([letterbox(Frame(make_stamp(), np.zeros((9, 9, 3), np.uint8)), (64, 64))])
