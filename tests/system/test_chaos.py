"""A short round of the chaos test, so that it cannot rot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from apache_kafka import kafka_home
from running import ROOT, environment

pytestmark = [pytest.mark.kafka, pytest.mark.nightly, pytest.mark.timeout(600)]


@pytest.mark.skipif(kafka_home() is None, reason="needs Apache Kafka and Java: set KAFKA_HOME")
def test_a_run_on_four_live_cameras_bears_three_faults(tmp_path: Path) -> None:
    words = ["seconds=85", "every=15", "seed=1", "runtime=inline", "turn=24", "undisturbed=2", f"out={tmp_path}"]
    finished = subprocess.run(
        [sys.executable, "tests/benchmarks/chaos.py", *words],
        cwd=ROOT,
        env=environment(PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len((tmp_path / "faults.jsonl").read_text().splitlines()) == 3
    assert json.loads((tmp_path / "figures.json").read_text())["person_seconds_expected"] > 50
    assert (tmp_path / "chaos.png").is_file()
