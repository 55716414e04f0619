"""The Python interface: what ``import pipeline`` offers."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv
from factories import make_sighting
from footage import write_clip

import pipeline
from pipeline.core import Correction, FrameStamp, Sighting
from pipeline.core.errors import ConfigError, ConnectorError, DataError, ReidError, ShapeError, WeightsError
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
    with pytest.raises(ShapeError, match=r"^vector: expected one above 0, got 4 numbers of norm 0"):
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


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("camera_id", ""),
        ("camera_id", 3),
        ("camera_id", None),
        ("track", "1"),
        ("track", -1),
        ("track", 1.5),
        ("track", True),
        ("part", -1),
        ("part", "x"),
        ("vector", np.zeros((1, 4))),
        ("vector", np.zeros((2, 4))),
        ("vector", []),
        ("vector", [1.0, np.nan]),
        ("vector", [1.0, np.inf]),
        ("vector", "vector"),
        ("vector", None),
        ("vector", 3.0),
        ("captured_at", [1.0, 0.0]),
        ("captured_at", [0.0, np.nan]),
        ("captured_at", 0.0),
        ("captured_at", []),
        ("captured_at", ["now", "then"]),
        ("boxes_xyxy", [[50, 20, 10, 140]] * 2),
        ("boxes_xyxy", [[10, 140, 50, 20]] * 2),
        ("boxes_xyxy", [[10, 20, 10, 140]] * 2),
        ("boxes_xyxy", [[10, 20, 50, np.nan]] * 2),
        ("boxes_xyxy", [[10, 20, 50, 140]]),
        ("boxes_xyxy", [10, 20, 50, 140]),
        ("boxes_xyxy", [[10, 20, 50]] * 2),
        ("boxes_xyxy", [[10, 20, 50], [1]]),
        ("frame_hw", (0, 0)),
        ("frame_hw", 640),
        ("frame_hw", (360, 640, 3)),
        ("frame_hw", (360.5, 640)),
        ("frame_hw", None),
        ("quality", 7),
        ("quality", 0),
        ("quality", np.nan),
        ("quality", "good"),
        ("space", ""),
        ("space", None),
    ],
    ids=repr,
)
def test_nonsense_is_refused_where_it_is_given(argument: str, value: object) -> None:
    given: dict[str, Any] = {
        "camera_id": "east",
        "track": 1,
        "vector": [1.0, 0.0],
        "captured_at": [0.0, 0.1],
        "boxes_xyxy": [[10, 20, 50, 140]] * 2,
        "frame_hw": (360, 640),
    }
    pipeline.make_embedding(**given)
    with pytest.raises(ReidError, match=rf"^{argument}: expected [^\n]+$"):
        pipeline.make_embedding(**given | {argument: value})


def test_numbers_of_numpy_are_numbers() -> None:
    seen = pipeline.make_embedding(
        "east",
        np.int64(3),  # type: ignore[arg-type]
        np.ones(4, np.float32),
        captured_at=np.array([0.0]),  # type: ignore[arg-type]
        boxes_xyxy=np.array([[0, 0, 4, 8]]),
        frame_hw=np.zeros((8, 8)).shape,  # type: ignore[arg-type]
        quality=np.float32(0.5),  # type: ignore[arg-type]
    )
    assert (seen.track_id.number, seen.quality, seen.vector.tolist()) == (3, 0.5, [0.5] * 4)


@pytest.mark.parametrize("cameras", ["east", [], None, 3, [""], ["east", "east"], ["east", 3]], ids=repr)
def test_a_matcher_is_of_named_cameras(cameras: Any) -> None:
    with pytest.raises(ConfigError, match=r"^cameras: expected "):
        pipeline.open_matcher(cameras)


@pytest.mark.parametrize("cameras", ["/x.mp4", [], {}, None, [("east", 3)], {3: "/x.mp4"}, {"": "/x.mp4"}], ids=repr)
def test_a_pipeline_is_of_named_cameras(cameras: Any) -> None:
    with pytest.raises(ConfigError, match=r"^cameras: expected "):
        pipeline.Pipeline(cameras)


def test_a_number_out_of_range_is_refused_by_a_matcher() -> None:
    with pytest.raises(ConfigError, match=r"^matcher\.leave_after_s: expected .*, got -1; correct it"):
        pipeline.open_matcher(["east"], "matcher.leave_after_s=-1")


@pytest.mark.parametrize("address", ["", "  ", {"uri": ""}], ids=repr)
def test_an_empty_address_is_no_camera(address: object) -> None:
    with pytest.raises(ConfigError, match=r"^site\.cameras\.west: expected an address, .*got an empty text"):
        pipeline.Pipeline({"west": address}, "detector=yolox_onnx", find_people=lambda _: sv.Detections.empty())


def test_what_a_matcher_refuses_leaves_no_trace() -> None:
    ann, bob = np.random.default_rng(0).normal(size=(2, 64))
    matcher = pipeline.open_matcher(["east", "west"], "matcher.leave_after_s=inf", *CALIBRATED)
    first = matcher.process([own("east", 1, 0.0, ann)])
    refused: dict[str, Any] = {
        "batch: expected a list of embeddings, got Embedding": own("east", 2, 3.0, bob),
        "batch: expected embeddings, as make_embedding makes them, got int": [own("east", 2, 3.0, bob), 1],
        "batch: expected embeddings of the cameras east, west, got one of north": [own("north", 1, 3.0, bob)],
        "track east/0/2, part 0: expected a vector of 64 numbers, as those before it, got 32": [
            own("east", 2, 3.0, bob[:32])
        ],
    }
    for why, batch in refused.items():
        with pytest.raises(DataError, match=f"^{why}"):
            matcher.process(batch)
    later = matcher.process([own("west", 1, 8.0, bob), own("west", 2, 8.0, ann)])
    numbers = [record.person_id for record in (*first, *later) if isinstance(record, Sighting)]
    assert numbers == [1, 2, 1]


def test_a_track_that_goes_back_in_time_is_an_error_for_a_caller() -> None:
    matcher = pipeline.open_matcher(["east"])
    boxes: dict[str, Any] = {"boxes_xyxy": [[10, 20, 50, 140]], "frame_hw": (360, 640)}
    matcher.process([pipeline.make_embedding("east", 1, [1.0, 0.0], captured_at=[9.0], is_last=False, **boxes)])
    with pytest.raises(DataError, match=r"^track east/0/1, part 1: expected a sound embedding, got .* back in time"):
        matcher.process([pipeline.make_embedding("east", 1, [1.0, 0.0], captured_at=[1.0], part=1, **boxes)])


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("path", lambda: pipeline.open_ledger(None)),  # type: ignore[arg-type]
        ("overrides", lambda: pipeline.open_matcher(["east"], 3)),  # type: ignore[arg-type]
        ("find_people", lambda: pipeline.Pipeline({"east": "/x.mp4"}, find_people=3)),  # type: ignore[arg-type]
        ("index", lambda: pipeline.to_supervision([], "east", "x")),  # type: ignore[arg-type]
        ("index", lambda: pipeline.to_supervision([], "east", -1)),
        ("camera_id", lambda: pipeline.to_supervision([], 3, 1)),  # type: ignore[arg-type]
        ("sightings", lambda: pipeline.to_supervision([1], "east", 1)),  # type: ignore[list-item]
        ("sightings", lambda: pipeline.to_supervision(None, "east", 1)),  # type: ignore[arg-type]
        ("detections", lambda: pipeline.from_supervision(None, FrameStamp("east", 0, 0.0))),  # type: ignore[arg-type]
        ("stamp", lambda: pipeline.from_supervision(sv.Detections.empty(), 3)),  # type: ignore[arg-type]
    ],
)
def test_the_argument_that_is_nonsense_is_named(argument: str, call: Callable[[], object]) -> None:
    with pytest.raises(ReidError, match=rf"^{argument}: expected "):
        call()


@pytest.mark.parametrize(
    ("what", "box", "confidence"),
    [
        ("confidence", [1, 2, 3, 4], 90),
        ("confidence", [1, 2, 3, 4], np.nan),
        ("xyxy", [3, 2, 1, 4], 0.5),
    ],
)
def test_detections_that_cannot_be_are_refused(what: str, box: list[float], confidence: float) -> None:
    found = sv.Detections(xyxy=np.array([box], float), confidence=np.array([confidence]))
    with pytest.raises(DataError, match=rf"^detections\.{what}: expected "):
        pipeline.from_supervision(found, FrameStamp("east", 0, 0.0))


def test_nobody_is_no_nonsense() -> None:
    assert len(pipeline.from_supervision(sv.Detections.empty(), FrameStamp("east", 0, 0.0))) == 0


@pytest.mark.parametrize("answer", [None, np.zeros((1, 4)), []], ids=repr)
def test_find_people_that_returns_something_else_is_told_so(tmp_path: Path, answer: Any) -> None:
    clip = write_clip(DEMO / "north.mp4", tmp_path / "north.mp4", 1)
    with pytest.raises(DataError, match=r"^find_people: expected it to return supervision\.Detections, got "):
        list(pipeline.Pipeline({"north": clip}, find_people=lambda _: answer))


def test_several_threads_may_open_at_once() -> None:
    failed: list[BaseException] = []

    def opened() -> None:
        try:
            pipeline.open_matcher(["east"])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=opened) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_program_that_uses_hydra_itself_keeps_its_own() -> None:
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(Path(pipeline.__file__).parents[1] / "configs/runtime"), version_base="1.3"):
        pipeline.open_matcher(["east"])
        assert "threads" in compose("inline")
