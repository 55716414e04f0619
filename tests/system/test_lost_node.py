"""A machine of the cluster that is lost takes its processes along, and not the run."""

import json
import time
from contextlib import closing
from pathlib import Path

import pytest
from ray_cluster import TwoNodes
from running import run, start

pytestmark = [pytest.mark.shared, pytest.mark.ray, pytest.mark.slow]


@pytest.mark.timeout(600)
def test_a_run_goes_on_with_the_same_result_when_one_of_two_nodes_is_lost(halves: list[str], tmp_path: Path) -> None:
    expected = run(["runtime=inline", *halves, f"output_dir={tmp_path / 'inline'}"])
    assert expected.code == 0, expected.err
    apart = ["runtime.cameras_per_process=1", "runtime.detect.beside_cameras=false", "runtime.checkpoint_every_s=1"]
    with closing(TwoNodes()) as cluster:
        process = start(
            ["runtime=ray", *halves, f"output_dir={tmp_path / 'ray'}", "replay.speed=0.3", *apart], **cluster.variables
        )
        sightings = tmp_path / "ray/sightings.jsonl"
        deadline = time.monotonic() + 120
        while not (sightings.exists() and sightings.read_text()):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no sighting"
            time.sleep(0.1)
        assert cluster.lose_node() > 0, "nothing of the run was there"
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    inline, on_ray = (
        json.loads((tmp_path / name / "summary.json").read_text())["result_sha256"] for name in ("inline", "ray")
    )
    assert on_ray == inline, out
