"""The wheel, installed where nothing else is: it brings what the default run needs, and nothing else."""

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from plugins import ROOT

pytestmark = pytest.mark.slow

UNWANTED = {"torch", "torchvision", "pytest", "openvino", "warp_lang", "kafka_python"}
"""Packages that extras and tests need, and the default run does not."""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (made,) = folder.glob("passerby-*.whl")
    return made


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The interpreter of an environment that has the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    constraints = ROOT / "constraints.txt"
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "-c", constraints, wheel, cwd=folder)
    return folder / "bin/python"


def test_the_wheel_holds_code_configurations_the_demo_and_weights(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("pipeline/cli/main.py", "configs/config.yaml", "connectors/synthetic/demo/east.mp4"):
        assert name in names
    assert any(name.startswith("models/weights/") and name.endswith(".onnx") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "docs/", "docker/"))]


@pytest.mark.timeout(1200)
def test_an_empty_environment_runs_the_demo_from_an_empty_folder(python: Path, tmp_path: Path) -> None:
    installed = json.loads(run(python, "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    names = {package["name"].lower().replace("-", "_") for package in installed}
    assert not names & UNWANTED
    assert not [name for name in names if name.startswith("nvidia")]
    passerby = python.with_name("passerby")
    assert run(passerby, "--version", cwd=tmp_path).startswith("passerby ")
    run(passerby, "doctor", cwd=tmp_path)
    run(passerby, "run", "runtime=inline", "source.file.seconds=10", "output_dir=out", cwd=tmp_path)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["sightings"] > 0
    assert summary["quality"]["idf1"] > 0
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]
