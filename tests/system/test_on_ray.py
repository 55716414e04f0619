"""What only a cluster can show: a submitted job, and processes that die."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ray_cluster import RAY, cluster_environment, end_node
from rtsp_server import free_port
from running import ROOT, run, start

pytestmark = [pytest.mark.shared, pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def cluster() -> Iterator[dict[str, str]]:
    """The environment in which `ray job submit` finds a cluster of this test's own, on loopback."""
    dashboard = free_port()
    variables = cluster_environment()
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:  # paths of sockets must be short
        head = subprocess.Popen(
            [
                *(RAY, "start", "--head", "--block", "--num-cpus=2", f"--port={free_port()}", f"--temp-dir={folder}"),
                *("--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--node-ip-address=127.0.0.1"),
                f"--dashboard-agent-listen-port={free_port()}",  # where jobs arrive; else one for all clusters
            ],
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield {**variables, "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}", "CLUSTER_FOLDER": folder}
        finally:
            end_node(head)


def shipped(cluster: dict[str, str]) -> list[Path]:
    """The files that `ray job submit` brought to the cluster."""
    folder = Path(cluster["CLUSTER_FOLDER"]) / "session_latest/runtime_resources/working_dir_files"
    return [path for path in folder.rglob("*") if path.is_file()]


def submit(cluster: dict[str, str], overrides: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RAY, "job", "submit", "--working-dir", ".", "--", "python", "pipeline/run.py", *overrides],
        cwd=ROOT,
        env=cluster,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.timeout(600)
def test_a_submitted_job_leaves_every_file(cluster: dict[str, str], halves: list[str], tmp_path: Path) -> None:
    deadline = time.monotonic() + 300  # a busy machine takes its time to bring up the agent that runs jobs
    while True:
        finished = submit(cluster, ["runtime=ray", *halves, f"output_dir={tmp_path}"])
        if finished.returncode == 0 or time.monotonic() > deadline or (tmp_path / "config.yaml").exists():
            break
        time.sleep(2)  # the head is still starting
    assert finished.returncode == 0, finished.stdout + finished.stderr
    files = shipped(cluster)
    assert {"run.py", "config.yaml"} <= {path.name for path in files}
    assert not [path for path in files if ".venv" in path.parts or "outputs" in path.parts]
    assert sum(path.stat().st_size for path in files) < 40e6
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {camera["frames_processed"] for camera in summary["cameras"].values()} == {40}
    for name in ("sightings.jsonl", "corrections.jsonl", "alerts.jsonl", "ledger.sqlite", "config.yaml"):
        assert (tmp_path / name).exists()
    assert (tmp_path / "mot/left.txt").read_text()


def actors_below(pid: int, library: str, without: str = "/faiss/") -> list[psutil.Process]:
    """Return the Ray workers of a run that have loaded the one library and not the other: one kind of actor."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        if process.cmdline() and process.cmdline()[0].startswith("ray::"):
            loaded = {mapped.path for mapped in process.memory_maps()}
            if any(library in path for path in loaded) and not any(without in path for path in loaded):
                found.append(process)
    return found


def kill_one(process: subprocess.Popen[str], library: str, sightings: Path, without: str = "/faiss/") -> None:
    deadline = time.monotonic() + 90
    while not (sightings.exists() and sightings.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = actors_below(process.pid, library, without)
    assert found, [p.cmdline()[:1] for p in psutil.Process(process.pid).children(recursive=True)]
    found[0].kill()


APART = [
    *("runtime.cameras_per_process=1", "runtime.detect.beside_cameras=false"),
    "runtime.embed.beside_cameras=false",
]
"""A process for each camera and each network."""
TOGETHER = ["runtime.cameras_per_process=2"]
"""Both cameras and their networks in one process."""


@pytest.mark.parametrize(
    ("library", "without", "places"),
    [
        ("onnxruntime", "/faiss/", APART),
        ("libopenvino", "/faiss/", APART),
        ("/av.libs/", "/faiss/", APART),
        ("/faiss/", "onnxruntime", APART),
        ("/av.libs/", "/faiss/", TOGETHER),
    ],
    ids=["detect", "embed", "camera", "match", "cameras and networks"],
)
def test_a_process_that_is_killed_is_replaced_and_nothing_changes(
    halves: list[str], tmp_path: Path, library: str, without: str, places: list[str]
) -> None:
    expected = run(["runtime=inline", *halves, f"output_dir={tmp_path / 'inline'}"])
    assert expected.code == 0, expected.err
    often = "runtime.checkpoint_every_s=1"
    process = start(["runtime=ray", *halves, f"output_dir={tmp_path / 'ray'}", "replay.speed=0.3", often, *places])
    kill_one(process, library, tmp_path / "ray/sightings.jsonl", without)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    inline, on_ray = (
        json.loads((tmp_path / name / "summary.json").read_text())["result_sha256"] for name in ("inline", "ray")
    )
    assert on_ray == inline, out


def test_a_camera_whose_process_dies_too_often_is_reported_and_the_others_continue(
    shared: Path, halves: list[str], tmp_path: Path
) -> None:
    alone = ["runtime.max_restarts=0", "runtime.cameras_per_process=1"]
    process = start(["runtime=ray", *halves, f"output_dir={tmp_path}", "replay.speed=0.3", *alone])
    kill_one(process, "/av.libs/", tmp_path / "sightings.jsonl")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 1, err
    cameras = json.loads((tmp_path / "summary.json").read_text())["cameras"].values()
    assert sorted(camera["error"] is None for camera in cameras) == [False, True]
    assert max(camera["frames_processed"] for camera in cameras) == 40


def without_repeats(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    assert len(set(lines)) == len(lines)
    return lines


@pytest.mark.timeout(600)
def test_a_match_process_that_is_killed_comes_back_from_the_ledger_and_nothing_changes(
    halves: list[str], tmp_path: Path
) -> None:
    options = [*halves, "matcher.recluster_every_s=1", "sink=[jsonl,mot]"]
    expected = run(["runtime=inline", *options, f"output_dir={tmp_path / 'inline'}"])
    assert expected.code == 0, expected.err
    process = start(["runtime=ray", *options, f"output_dir={tmp_path / 'ray'}", "replay.speed=0.2"])
    for _ in range(2):
        kill_one(process, "/faiss/", tmp_path / "ray/sightings.jsonl", "onnxruntime")
        time.sleep(8)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    inline, on_ray = tmp_path / "inline", tmp_path / "ray"
    digests = [json.loads((folder / "summary.json").read_text())["result_sha256"] for folder in (inline, on_ray)]
    assert digests[0] == digests[1], out
    for name in ("sightings.jsonl", "corrections.jsonl", "alerts.jsonl"):
        assert without_repeats(on_ray / name) == without_repeats(inline / name)
    for name in ("mot/left.txt", "mot/right.txt"):
        assert (on_ray / name).read_text() == (inline / name).read_text()


def test_a_match_process_that_dies_too_often_ends_the_run_with_one_line(halves: list[str], tmp_path: Path) -> None:
    never = "runtime.max_restarts=0"
    process = start(["runtime=ray", *halves, f"output_dir={tmp_path}", "replay.speed=0.3", never])
    kill_one(process, "/faiss/", tmp_path / "sightings.jsonl", "onnxruntime")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    errors = [line for line in err.splitlines() if not line.startswith("{")]
    assert len(errors) == 1, err
    assert errors[0].startswith("error: match:")
