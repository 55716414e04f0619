"""The Python interface: what ``import pipeline`` offers."""

from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from factories import make_sighting
from footage import write_clip

import pipeline
from pipeline.core import Correction, FrameStamp, Sighting
from pipeline.core.errors import ConfigError, ConnectorError, ShapeError, WeightsError
from pipeline.ledger import Ledger

DEMO = Path(__file__).resolve().parents[2] / "connectors/synthetic/demo"
CALIBRATED = [
    f"matcher.calibration.{name}"
    for name in ("same_mean=0.35", "same_std=0.1", "different_mean=0.9", "different_std=0.15")
]


def own(camera_id: str, track: int, at: float, vector: np.ndarray) -> object:
    times = at + np.arange(10) / 10
    boxes = np.tile([100 * track, 50, 100 * track + 40, 150], (10, 1))
    return pipeline.make_embedding(camera_id, track, vector, captured_at=times, boxes_xyxy=boxes, frame_hw=(360, 640))


def test_people_are_matched_by_vectors_of_ones_own() -> None:
    ann, bob = np.random.default_rng(0).normal(size=(2, 64))
    matcher = pipeline.open_matcher(["east", "west"], "matcher.leave_after_s=inf", *CALIBRATED)
    first = matcher.process([own("east", 1, 0.0, ann), own("east", 2, 0.0, bob)])
    later = matcher.process([own("west", 1, 8.0, 3 * bob), own("west", 2, 8.0, ann)])
    numbers = [record.person_id for record in (*first, *later) if isinstance(record, Sighting)]
    assert numbers == [1, 2, 2, 1]


def test_a_vector_of_nothing_is_refused() -> None:
    with pytest.raises(ShapeError, match="east/1: expected boxes and a vector above 0"):
        own("east", 1, 0.0, np.zeros(4))


def test_a_wrong_word_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"matcher\.leave_after: there is no such key"):
        pipeline.open_matcher(["east"], "matcher.leave_after=3")


def test_an_absent_recording_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^site\.cameras\.east: expected a video file, got nothing at "):
        pipeline.Pipeline({"east": str(tmp_path / "absent.mp4")})


@pytest.mark.slow
def test_videos_are_followed_by_iterating(tmp_path: Path) -> None:
    cameras = {name: write_clip(DEMO / f"{name}.mp4", tmp_path / f"{name} (1).mp4", 40) for name in ("north", "west")}
    records = list(pipeline.Pipeline({name: str(clip) for name, clip in cameras.items()}, "detector=passerby"))
    sightings = [record for record in records if isinstance(record, Sighting)]
    assert {sighting.track_id.camera_id for sighting in sightings} <= set(cameras)
    assert len(sightings) > 1
    assert all(isinstance(record, Sighting | Correction) for record in records)
    shown = pipeline.to_supervision(sightings, "north", 10)
    assert isinstance(shown, sv.Detections)
    assert set(shown.tracker_id) <= {sighting.person_id for sighting in sightings}


@pytest.mark.slow
def test_a_rendered_camera_has_the_detector_of_rendered_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PASSERBY_WEIGHTS", raising=False)
    monkeypatch.setenv("PASSERBY_CACHE", str(tmp_path))  # the detector of real pictures is not there
    cameras = {"east": "world://plaza/east?people=1&seconds=0.3"}
    assert [record.person_id for record in pipeline.Pipeline(cameras) if isinstance(record, Sighting)] == [1]


@pytest.mark.slow
def test_a_detector_of_ones_own_takes_the_place_of_the_configured_one(tmp_path: Path) -> None:
    clip = write_clip(DEMO / "north.mp4", tmp_path / "north.mp4", 30)
    seen = []

    def find_people(image: np.ndarray) -> sv.Detections:
        seen.append(image.shape)
        return sv.Detections.empty()

    assert not list(pipeline.Pipeline({"north": str(clip)}, find_people=find_people))
    assert len(seen) == 30


def test_a_detector_of_ones_own_needs_nothing_of_the_configured_one(tmp_path: Path) -> None:
    clip = write_clip(DEMO / "north.mp4", tmp_path / "north.mp4", 3)
    absent = ["detector=onnx", f"detector.weights={tmp_path / 'absent.onnx'}"]
    with pytest.raises(WeightsError, match=r"absent\.onnx"):
        pipeline.Pipeline({"north": str(clip)}, *absent)
    assert not list(pipeline.Pipeline({"north": str(clip)}, *absent, find_people=lambda _: sv.Detections.empty()))


def test_detections_of_supervision_are_people() -> None:
    found = pipeline.from_supervision(sv.Detections(xyxy=np.array([[1.0, 2, 3, 4]])), FrameStamp("east", 0, 0.0))
    assert (found.boxes_xyxy.tolist(), found.scores.tolist()) == ([[1, 2, 3, 4]], [1.0])


def test_a_ledger_is_opened_by_its_folder_or_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.append([make_sighting(7)])
    ledger.close()
    for path in (tmp_path, str(tmp_path / "ledger.sqlite")):
        reader = pipeline.open_ledger(path)
        assert [person.person_id for person in reader.persons()] == [7]
        reader.close()
    with pytest.raises(ConnectorError, match="expected a ledger"):
        pipeline.open_ledger(tmp_path / "absent")


def test_what_is_not_offered_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = pipeline.nothing
