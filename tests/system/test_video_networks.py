"""Every video network works in a pipeline: from footage through keypoints and heat-maps to sightings."""

import json
from pathlib import Path

import pytest
from running import run
from tiny_networks import write_heatmap_onnx
from video_networks import embedder_yaml, video_names

pytestmark = [pytest.mark.shared, pytest.mark.slow]

LIGHT = [name for name in video_names() if name.endswith("_light")]


def overrides(name: str, folder: Path, halves: list[str]) -> list[str]:
    """A run with a light network without weights, and with the pose that it needs."""
    pose = {
        "nothing": [],
        "keypoints": ["pose=movenet"],
        "heatmaps": ["pose=passerby", f"pose.weights={folder / 'pose.onnx'}"],
    }[embedder_yaml(name)["needs"]]
    write_heatmap_onnx(folder / "pose.onnx")
    options = [*halves, f"embedder={name}", "embedder.weights=random", "embedder.network.width_mult=0.125"]
    return [*options, *pose, f"output_dir={folder / 'out'}"]


def check(folder: Path) -> str:
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert {camera["frames_processed"] for camera in summary["cameras"].values()} == {40}
    assert summary["sightings"] > 0
    return str(summary["result_sha256"])


def sightings_of(name: str, folder: Path, halves: list[str], runtime: str) -> str:
    folder.mkdir()
    finished = run([f"runtime={runtime}", *overrides(name, folder, halves)])
    assert finished.code == 0, finished.err
    return check(folder)


@pytest.mark.parametrize("name", LIGHT)
def test_footage_becomes_sightings(name: str, halves: list[str], tmp_path: Path) -> None:
    sightings_of(name, tmp_path / "inline", halves, "inline")


@pytest.mark.ray
def test_footage_becomes_the_same_sightings_on_both_runtimes(halves: list[str], tmp_path: Path) -> None:
    name = "ctl_light"  # of all networks the one with the most to hand on: clips, keypoints and heat-maps
    results = {sightings_of(name, tmp_path / runtime, halves, runtime) for runtime in ("inline", "ray")}
    assert len(results) == 1


def test_a_pose_without_the_heat_maps_that_are_needed_is_refused_before_the_start(
    halves: list[str], tmp_path: Path
) -> None:
    options = [
        *halves,
        "embedder=ctl_light",
        "embedder.weights=random",
        "pose=movenet",
        f"output_dir={tmp_path / 'out'}",
    ]
    finished = run(["runtime=inline", *options])
    assert finished.code == 2
    assert "heat-maps" in finished.errors[0]


def test_weights_that_are_missing_are_named(halves: list[str], tmp_path: Path) -> None:
    options = [*halves, "embedder=lstrl", "embedder.weights=nowhere.safetensors", f"output_dir={tmp_path / 'out'}"]
    finished = run(["runtime=inline", *options])
    assert finished.code == 2
    assert "nowhere.safetensors" in finished.errors[0]
    assert not (tmp_path / "out").exists()
