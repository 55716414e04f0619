"""A camera may have a detector of its own: a choice, a change of the run's, or a whole one; equal ones are one."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.cameras.changes import plan_addition
from pipeline.config.changed_keys import changed_keys
from pipeline.config.composition import CONFIGS, load_config, load_written, to_yaml
from pipeline.config.plan import check_values, make_plan
from pipeline.core.errors import ConfigError, WeightsError
from pipeline.ledger.cameras.command import CameraCommand, CameraCommandKind
from pipeline.runtime.plan import Detection, Plan

REAL, RENDERED = "opencv_zoo_yolox_nano.onnx", "passerby_detector.onnx"
EAST = "/films/east.mp4"


def own(gate: str, *words: str, run: str = "passerby") -> dict[str, Any]:
    """The detector of a camera gate whose block says this, in a run with that detector and another camera."""
    cameras = f"site.cameras={{east: {EAST}, gate: {{uri: /films/gate.mp4, detector: {gate}}}}}"
    found: dict[str, Any] = load_config([cameras, f"detector={run}", *words]).site.cameras["gate"]["detector"]
    return found


def test_a_text_is_a_choice_with_the_devices_and_folders_of_the_run() -> None:
    found = own("yolox_onnx", "device=cuda", "threads=3", "reproducible=false")
    assert (found["weights"], found["input_hw"]) == (REAL, [416, 416])
    assert (found["device"], found["threads"], found["reproducible"]) == ("cuda", 3, False)
    assert found == load_config(["detector=yolox_onnx", "device=cuda", "threads=3", "reproducible=false"]).detector


def test_keys_change_the_detector_of_the_run_or_that_of_the_choice() -> None:
    changed = own("{min_score: 0.3}")
    assert (changed["weights"], changed["input_hw"], changed["min_score"]) == (RENDERED, [384, 640], 0.3)
    changed = own("{choice: yolox_onnx, min_score: 0.3}")
    assert (changed["weights"], changed["input_hw"], changed["min_score"]) == (REAL, [416, 416], 0.3)
    assert "choice" not in changed


def test_a_key_can_be_set_of_a_detector_that_is_only_named() -> None:
    assert own("yolox_onnx", "site.cameras.gate.detector.min_score=0.3") == own("{choice: yolox_onnx, min_score: 0.3}")


def test_a_block_with_a_class_takes_nothing_from_the_detector_of_the_run() -> None:
    whole = {"_target_": "models.detection.onnx.OnnxDetector", "weights": "/a/fisheye.onnx", "input_hw": [640, 640]}
    assert (
        own("{_target_: models.detection.onnx.OnnxDetector, weights: /a/fisheye.onnx, input_hw: [640, 640]}") == whole
    )


def test_a_choice_of_ones_own_comes_from_the_folders_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "detector").mkdir()
    (tmp_path / "detector/thermal.yaml").write_text("defaults: [onnx, _self_]\nweights: ${oc.env:THERMAL}\n")
    monkeypatch.setenv("THERMAL", "/a/thermal.onnx")
    assert own("thermal", "--config-dir", str(tmp_path))["weights"] == "/a/thermal.onnx"
    monkeypatch.setenv("PASSERBY_CONFIG_DIR", str(tmp_path))
    assert own("thermal")["weights"] == "/a/thermal.onnx"
    monkeypatch.delenv("THERMAL")
    with pytest.raises(ConfigError, match=r"site\.cameras\.gate\.detector\.weights: .*export THERMAL="):
        own("thermal")


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("pasesrby", r"site\.cameras\.gate\.detector: expected one of onnx, .*got pasesrby; did you mean passerby\?"),
        ("3", r"site\.cameras\.gate\.detector: expected a choice of detector, or \{key: value, …\}, got 3"),
        ("[passerby]", r"site\.cameras\.gate\.detector: expected a choice"),
        ("onnx", r"site\.cameras\.gate\.detector\.weights: expected a value, got none"),
    ],
)
def test_what_is_no_detector_is_one_line_that_names_the_camera(gate: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        own(gate)


def plan_of(footage: Path, **detectors: str) -> Plan:
    """The plan of a run with a camera for each detector; the others' is passerby."""
    blocks = (f"{name}: {{uri: {footage}, detector: {detector}}}" for name, detector in detectors.items())
    cameras = ", ".join([f"east: {footage}", *blocks])
    config = load_config([f"site.cameras={{{cameras}}}", "detector=passerby", "embedder=passerby", "sink=[jsonl]"])
    return make_plan(config)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    path = tmp_path / "east.mp4"
    path.touch()
    return path


def test_equal_detectors_are_one_and_that_of_the_run_is_no_other(footage: Path) -> None:
    strict, weak = "{min_score: 0.5}", "{min_score: 0.05}"
    plan = plan_of(footage, gate=strict, yard=weak, lobby=strict, hall="passerby")
    assert set(plan.detections) == {"gate", "yard", "lobby"}
    assert plan.detection("gate") is plan.detection("lobby")
    names = [plan.detection(name).name for name in ("east", "hall", "gate", "yard")]
    assert names[:2] == ["detect", "detect"]
    assert len(set(names)) == 3
    assert all(name.startswith("detect passerby_detector ") for name in names[2:])


def test_the_size_of_each_camera_is_that_of_its_detector(footage: Path) -> None:
    plan = plan_of(footage, gate="{input_hw: [192, 320]}")
    assert [plan.detection(name).input_hw for name in ("east", "gate")] == [(384, 640), (192, 320)]


@pytest.mark.parametrize(
    ("gate", "error", "message"),
    [
        ("{weights: /none.onnx}", WeightsError, r"^site\.cameras\.gate\.detector: .*/none\.onnx"),
        ("{wieghts: a.onnx}", ConfigError, r"^site\.cameras\.gate\.detector: got an unexpected argument 'wieghts'"),
        ("{min_score: high}", ConfigError, r"^site\.cameras\.gate\.detector\.min_score: expected float, got 'high'"),
        ("{input_hw: [640]}", ConfigError, r"^site\.cameras\.gate\.detector\.input_hw: expected height and width"),
        ("{device: tpu}", ConfigError, r"^site\.cameras\.gate\.detector.*device: expected"),
        (
            "{_target_: models.detection.onnx.Detector, input_hw: [64, 64]}",
            ConfigError,
            r"^site\.cameras\.gate\.detector\._target_: there is no class Detector",
        ),
    ],
)
def test_a_detector_that_cannot_be_used_is_one_line_that_names_its_camera(
    footage: Path, gate: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_of(footage, gate=gate)


def test_what_its_constructor_says_names_its_camera(footage: Path) -> None:
    footage.write_bytes(b"no network")
    found: Detection = plan_of(footage, gate=f"{{weights: {footage}}}").detection("gate")
    with pytest.raises(WeightsError, match=r"^site\.cameras\.gate\.detector: .*east\.mp4"):
        found.make()


def test_a_run_writes_the_whole_detector_and_reads_it_again(tmp_path: Path) -> None:
    config = load_config([f"site.cameras={{east: {EAST}, gate: {{uri: {EAST}, detector: yolox_onnx}}}}"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    again = load_written(tmp_path / "config.yaml")
    check_values(again)
    assert again.site.cameras["gate"] == config.site.cameras["gate"]


def test_a_run_that_is_continued_says_that_a_camera_has_another_detector(tmp_path: Path) -> None:
    def config(score: float) -> Any:
        return load_config([f"site.cameras={{gate: {{uri: {EAST}, detector: {{min_score: {score}}}}}}}"])

    (tmp_path / "config.yaml").write_text(to_yaml(config(0.2)))
    assert changed_keys(tmp_path / "config.yaml", config(0.2)) == []
    assert changed_keys(tmp_path / "config.yaml", config(0.3)) == [
        "site.cameras.gate.detector.min_score (0.2, now 0.3)"
    ]


def test_an_added_camera_may_bring_one() -> None:
    clip = CONFIGS.parent / "connectors/synthetic/demo/gate.mp4"
    config = load_config([f"site.cameras={{east: {clip}}}", "detector=passerby"])

    def added(detector: object) -> Detection:
        entry = {"uri": str(clip), "detector": detector}
        command = CameraCommand(CameraCommandKind.ADD, "gate", "ann", 0.0, entry=entry, event_at=1.0)
        larger, planned = plan_addition(config, command, taken=["east"], has_live=False)
        assert larger.site.cameras["gate"]["detector"]["_target_"]
        return planned.detections["gate"]

    assert added({"input_hw": [192, 320]}).input_hw == (192, 320)
    with pytest.raises(ConfigError, match=r"^site\.cameras\.gate\.detector: expected one of"):
        added("fisheye")
    with pytest.raises(WeightsError, match=r"^site\.cameras\.gate\.detector: "):
        added({"weights": "/none.onnx"})
