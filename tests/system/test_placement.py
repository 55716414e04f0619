"""Stages work where the cluster has what they ask for, and are checked there, not where the run is submitted."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_cluster import RAY, cluster_environment, end_node
from rtsp_server import free_port
from running import ROOT, Finished, run

pytestmark = [pytest.mark.shared, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


def start_node(command: list[str], variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start a cluster, and return when it says that it runs."""
    node = subprocess.Popen(
        [RAY, "start", "--head", "--block", "--node-ip-address=127.0.0.1", *command],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert node.stdout is not None
    said = ""
    for line in node.stdout:
        said += line
        if "Ray runtime started" in line:
            return node
    node.communicate()
    raise AssertionError(said)


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """A cluster whose node says that it has a GPU and two lanes; the process that submits a run has neither.

    One node, because Ray takes others only on all network interfaces.
    """
    port = free_port()
    variables = cluster_environment(
        PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests/support"), os.environ.get("PYTHONPATH", "")]),
    )
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:  # paths of sockets must be short
        node = start_node(
            [
                *(f"--port={port}", "--num-cpus=4", "--num-gpus=1", '--resources={"lane": 2}', f"--temp-dir={folder}"),
                *("--include-dashboard=false", f"--dashboard-port={free_port()}"),
                f"--dashboard-agent-listen-port={free_port()}",
            ],
            variables,
        )
        try:
            yield {**variables, "RAY_ADDRESS": f"127.0.0.1:{port}"}
        finally:
            end_node(node)


def run_there(cluster: dict[str, str], clip: Path, folder: Path, *overrides: str) -> Finished:
    words = ["runtime=ray", f"site.cameras={{east: {clip}}}", f"output_dir={folder}", "runtime.place_s=60", *overrides]
    return run(words, timeout_s=400, **cluster)


LANE = ["allow_plugins=[lane_detector]", "detector._target_=lane_detector.LaneDetector"]


def test_a_plug_in_is_checked_where_it_will_work_and_not_on_the_head(
    cluster: dict[str, str], clip: Path, tmp_path: Path
) -> None:
    finished = run_there(cluster, clip, tmp_path / "out", *LANE, "runtime.detect.resources={lane: 1}")
    assert finished.code == 0, finished.err
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["cameras"]["east"]["frames_processed"] == 40


def test_a_plug_in_that_cannot_work_where_it_is_placed_is_one_line(
    cluster: dict[str, str], clip: Path, tmp_path: Path
) -> None:
    finished = run_there(cluster, clip, tmp_path / "out", *LANE)
    assert finished.code == 2
    (line,) = finished.errors
    assert "detector.device: expected a lane" in line
    assert not (tmp_path / "out").exists()


def test_the_device_of_a_plug_in_reserves_a_gpu_and_what_is_missing_is_said_by_its_node(
    cluster: dict[str, str], clip: Path, tmp_path: Path
) -> None:
    """The command of the chart docker/helm: a node that only says it has a GPU has no CUDA."""
    finished = run_there(cluster, clip, tmp_path / "out", "device=cuda", "gallery.device=cpu")
    assert finished.code == 2
    (line,) = finished.errors
    assert "device: expected" in line
    assert "runtime.place_s" not in line


def test_a_run_that_waits_for_what_no_node_has_says_which_and_gives_up(
    cluster: dict[str, str], clip: Path, tmp_path: Path
) -> None:
    finished = run_there(cluster, clip, tmp_path / "out", "runtime.detect.resources={lane: 9}", "runtime.place_s=12")
    assert finished.code == 2
    (line,) = finished.errors
    assert "2 of detect (0 CPU, 0 GPU, 9 lane each) within runtime.place_s = 12 s" in line
    assert "2 lane" in line
