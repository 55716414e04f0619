from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_quality import precision_and_recall
from factories import make_frame

from models.detection.openvino import OpenVinoSsdDetector
from pipeline.camera.detection import letterbox
from pipeline.core.errors import ConfigError, WeightsError

pytestmark = pytest.mark.shared

NAME = "person-detection-retail-0013.xml"


def make_detector(shared: Path, **changes: Any) -> OpenVinoSsdDetector:
    arguments: dict[str, Any] = {
        "weights": NAME,
        "weights_dir": shared / "models",
        "sha256": None,
        "input_hw": (320, 544),
        "person_label": 1,
        "min_score": 0.1,
        "nms_iou": 0.45,
        "device": "cpu",
        "threads": 1,
    }
    return OpenVinoSsdDetector(**arguments | changes)


def test_the_number_of_threads_changes_nothing(shared: Path) -> None:
    frame = letterbox(make_frame(hw=(300, 500)), (320, 544))
    one, two = (make_detector(shared, min_score=0.02, threads=threads).detect([frame])[0] for threads in (1, 2))
    assert len(one) > 0
    np.testing.assert_array_equal(one.boxes_xyxy, two.boxes_xyxy)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_another_label_finds_no_people(shared: Path) -> None:
    frame = letterbox(make_frame(hw=(300, 500)), (320, 544))
    assert len(make_detector(shared, min_score=0.0, person_label=7).detect([frame])[0]) == 0


def test_a_network_for_another_size_is_refused(shared: Path) -> None:
    with pytest.raises(WeightsError, match=r"set detector\.input_hw"):
        make_detector(shared, input_hw=(544, 320))


def test_a_network_that_finds_nothing_is_refused(shared: Path) -> None:
    with pytest.raises(WeightsError, match="expected an SSD network"):
        make_detector(shared, weights="person-reidentification-retail-0288.xml", input_hw=(256, 128))


def test_a_gpu_of_another_maker_is_refused_before_anything_is_loaded(shared: Path) -> None:
    with pytest.raises(ConfigError, match="device"):
        OpenVinoSsdDetector.preflight(weights=NAME, weights_dir=shared / "models", sha256=None, device="cuda")


@pytest.mark.slow
def test_it_is_as_good_as_its_reference_on_real_footage(shared: Path) -> None:
    precision, recall = precision_and_recall(make_detector(shared, threads=2), shared)
    # Letter-boxed; stretched to the whole input, as the reference does, it has .852 and .874.
    assert precision == pytest.approx(0.822, abs=0.01)
    assert recall == pytest.approx(0.831, abs=0.01)
