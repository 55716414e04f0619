"""A short form of ``python -m pipeline.evaluation.determinism``, which makes 80 runs."""

import subprocess
import sys

import pytest
from running import ROOT, environment

from pipeline.evaluation.determinism import main


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_there_is_one_result_however_fast_and_however_often_killed() -> None:
    short = ["--seconds", "5", "--repeats", "1", "--workers", "2", "--speeds", "max", "--kills", "2"]
    finished = subprocess.run(
        [sys.executable, "-m", "pipeline.evaluation.determinism", *short],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "6 runs, 6 with one result" in finished.stdout


def test_options_that_cannot_be_end_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--repeats", "often"])
    assert "--repeats" in capsys.readouterr().err
