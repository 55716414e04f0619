"""From footage to every file that a user is promised, the same on every runtime."""

import json
import re
import sqlite3
from pathlib import Path

import jsonschema
import pytest
from running import ROOT, run

pytestmark = [pytest.mark.shared, pytest.mark.slow]

MOT_LINE = re.compile(r"^\d+,\d+,-?[\d.]+,-?[\d.]+,[\d.]+,[\d.]+,[\d.]+,-1,-1,-1$")

PUBLIC = ["detector=yolox_onnx", "embedder=omz_0288"]
"""What the figures in the README are of."""


def result(folder: Path) -> str:
    return json.loads((folder / "summary.json").read_text())["result_sha256"]


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The output of one inline run of both halves."""
    clip, shared = request.getfixturevalue("clip"), request.getfixturevalue("shared")
    folder = tmp_path_factory.mktemp("inline")
    halves = ", ".join(
        f"{name}: {{uri: {clip}, crop_xyxy: {box}}}"
        for name, box in (("left", [0, 0, 384, 576]), ("right", [384, 0, 768, 576]))
    )
    finished = run(
        [
            "runtime=inline",
            f"site.cameras={{{halves}}}",
            f"weights_dir={shared / 'models'}",
            f"output_dir={folder}",
            *PUBLIC,
        ]
    )
    assert finished.code == 0, finished.err
    assert str(folder) in finished.out.replace("\n", "")
    return folder


@pytest.mark.parametrize("name", ["sighting", "correction", "alert"])
def test_every_event_is_as_its_schema_says(inline: Path, name: str) -> None:
    schema = json.loads((ROOT / f"connectors/schemas/{name}.schema.json").read_text())
    events = [json.loads(line) for line in (inline / f"{name}s.jsonl").read_text().splitlines()]
    for event in events:
        jsonschema.validate(event, schema)
    assert events or name != "sighting"


def test_the_summary_says_what_the_interface_promises(inline: Path) -> None:
    summary = json.loads((inline / "summary.json").read_text())
    assert set(summary["cameras"]) == {"left", "right"}
    for camera in summary["cameras"].values():
        assert camera["frames_read"] == camera["frames_processed"] == 40
        assert camera["frames_dropped"] == 0
    assert {"schema", "identities", "sightings", "alerts", "wall_s", "frames_per_s", "versions"} <= set(summary)
    assert set(summary["latency_s"]) == {"p50", "p95", "p99"}
    assert re.fullmatch("[0-9a-f]{64}", summary["result_sha256"])
    assert "quality" not in summary


def test_there_is_mot_text_of_every_camera(inline: Path) -> None:
    for camera_id in ("left", "right"):
        lines = (inline / f"mot/{camera_id}.txt").read_text().splitlines()
        assert lines
        assert all(MOT_LINE.match(line) for line in lines)
        assert min(int(line.split(",")[0]) for line in lines) >= 1
        assert max(int(line.split(",")[0]) for line in lines) <= 40


def test_the_ledger_holds_every_event_once(inline: Path) -> None:
    with sqlite3.connect(inline / "ledger.sqlite") as ledger:
        counts = dict(ledger.execute("SELECT kind, count(*) FROM events GROUP BY kind"))
    for kind in ("sighting", "correction", "alert"):
        assert counts.get(kind, 0) == len((inline / f"{kind}s.jsonl").read_text().splitlines())


@pytest.mark.parametrize("override", ["replay.speed=4", "flow.max_inflight_frames=1", "detect_replicas=1"])
def test_the_result_does_not_depend_on_speed_or_workers(
    inline: Path, halves: list[str], tmp_path: Path, override: str
) -> None:
    override = override.replace("detect_replicas", "runtime.detect.replicas")
    finished = run(["runtime=inline", *halves, f"output_dir={tmp_path}", override])
    assert finished.code == 0, finished.err
    assert result(tmp_path) == result(inline)


@pytest.mark.ray
@pytest.mark.parametrize("replicas", [1, 2])
def test_the_result_is_the_same_on_ray(inline: Path, halves: list[str], tmp_path: Path, replicas: int) -> None:
    finished = run(
        ["runtime=ray", *halves, f"output_dir={tmp_path}", f"runtime.detect.replicas={replicas}"], timeout_s=240
    )
    assert finished.code == 0, finished.err
    assert result(tmp_path) == result(inline)
    for name in ("sightings.jsonl", "corrections.jsonl", "mot/left.txt", "mot/right.txt"):
        assert (tmp_path / name).read_bytes() == (inline / name).read_bytes()


def test_secrets_do_not_reach_the_written_configuration(halves: list[str], tmp_path: Path) -> None:
    finished = run(
        [*halves, "runtime=inline", f"output_dir={tmp_path}", "sink=[jsonl,webhook]", "alerts=[]"],
        PASSERBY_WEBHOOK_URL="http://somebody:hunter2@127.0.0.1:9/hook?token=opensesame",
    )
    assert finished.code == 0, finished.err
    written = (tmp_path / "config.yaml").read_text() + finished.out + finished.err
    assert "hunter2" not in written
    assert "opensesame" not in written


@pytest.fixture(scope="module")
def whole(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one inline run of all 795 frames of both halves."""
    folder = tmp_path_factory.mktemp("whole")
    finished = run(
        ["runtime=inline", *PUBLIC, "site=pets_halves", f"output_dir={folder}"],
        timeout_s=600,
    )
    assert finished.code == 0, finished.err
    return folder


def test_a_person_who_walks_from_one_half_to_the_other_keeps_the_number(whole: Path) -> None:
    quality = json.loads((whole / "summary.json").read_text())["quality"]
    # Measured: .865 and .627. Offline clustering with the best threshold reaches .61.
    assert quality["idf1"] > 0.845
    assert quality["hota"] > 0.607


@pytest.mark.ray
def test_a_long_recording_gives_the_same_on_ray(whole: Path, tmp_path: Path) -> None:
    finished = run(
        ["runtime=ray", *PUBLIC, "site=pets_halves", f"output_dir={tmp_path}"],
        timeout_s=600,
    )
    assert finished.code == 0, finished.err
    assert result(tmp_path) == result(whole)
    for name in ("sightings.jsonl", "corrections.jsonl", "alerts.jsonl", "mot/left.txt", "mot/right.txt"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
