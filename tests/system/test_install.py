"""The wheel, installed where nothing else is: it brings what the default run needs, and each extra what it is for.

The default run and the small extras are tried by ``make test``. The extras with torch or warp take gigabytes: they are
marked ``nightly`` and tried by a job of their own (``pytest -m nightly``).
"""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from document_blocks import install_lines
from plugins import ROOT

pytestmark = pytest.mark.slow

ALONE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""The environment of commands. With the checkout on the path, pip takes it for what is installed."""
UNWANTED = {"torch", "torchvision", "pytest", "openvino", "warp_lang", "kafka_python"}
"""Packages that extras and tests need, and the default run does not."""


def run(*command: str | Path, cwd: Path, timeout_s: float = 900) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=ALONE, capture_output=True, text=True, timeout=timeout_s, check=False
    )
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
    assert summary["quality"]["idf1"] > 0.8  # of the ten seconds, not of the whole demo
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


EXTRAS = {
    "kafka": "import connectors.sinks.kafka, connectors.sources.kafka, pipeline.cli.publish",
    "parquet": "import pyarrow.parquet",
    "traces": "import connectors.sinks.open_telemetry",
    "mqtt": "import connectors.sinks.mqtt",
    "apprise": "import connectors.sinks.apprise",
    "openvino": "import models.detection.openvino, models.pose.movenet, models.reid.image_openvino",
}
"""Small extras, and what works only with them."""

NIGHTLY = {
    "video": "import models.reid.video",
    "world": "import connectors.synthetic.source",
    "train": "import models.training.train",
}
"""Extras of gigabytes, and what works only with them."""

EXPORT = """
import hashlib, sys
from ultralytics import YOLO
network = YOLO("yolo11n.yaml")
network.save("yolo11n.pt")
network.export(format="onnx", imgsz=(384, 640), dynamic=False)
print(hashlib.sha256(open("yolo11n.pt", "rb").read()).hexdigest())
"""
"""A network of random weights as both files that people have. It finds nobody, which is no matter here."""


def with_extra(python: Path, wheel: Path, extra: str, folder: Path) -> None:
    """Install an extra on top of what is there, and look whether ``passerby doctor`` finds it."""
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "--quiet", "-c", constraints, f"{wheel}[{extra}]", cwd=folder)
    (line,) = [
        line
        for line in run(python.with_name("passerby"), "doctor", cwd=folder).splitlines()
        if f"extra {extra} " in line
    ]
    assert line.startswith("ok")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_a_small_extra_brings_what_it_is_for(python: Path, wheel: Path, tmp_path: Path, extra: str) -> None:
    with_extra(python, wheel, extra, tmp_path)
    run(python, "-c", EXTRAS[extra], cwd=tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("extra", sorted(NIGHTLY))
def test_a_large_extra_brings_what_it_is_for(python: Path, wheel: Path, tmp_path: Path, extra: str) -> None:
    with_extra(python, wheel, extra, tmp_path)
    run(python, "-c", NIGHTLY[extra], cwd=tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("line", install_lines())
def test_a_documented_line_installs_what_it_names(wheel: Path, tmp_path: Path, line: str) -> None:
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True)
    if "passerby[" in line:  # an extra of what is installed
        run(folder / "bin/pip", "install", "--quiet", wheel, cwd=ROOT)
    if line.startswith(("pipx", "uv")):
        run(folder / "bin/pip", "install", "--quiet", line.split()[0], cwd=ROOT)
    here = {
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "PIPX_HOME": f"{tmp_path}/pipx",
        "UV_TOOL_DIR": f"{tmp_path}/uv",
    }
    here |= {"PIPX_BIN_DIR": f"{folder}/bin", "UV_TOOL_BIN_DIR": f"{folder}/bin"}
    command = re.sub(r"(?<=[ '])(\.|dist/passerby-\*\.whl)(?=[\['\s]|$)", str(wheel), line)
    done = subprocess.run(command, shell=True, cwd=ROOT, env=ALONE | here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
    found = run(folder / "bin/passerby", "doctor", cwd=tmp_path)
    for extra in re.findall(r"\w+", "".join(re.findall(r"\[(.*)\]", line))):
        assert re.search(rf"^ok +extra {extra} ", found, re.MULTILINE), found


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_one_command_installs_mmpose_and_runs_it(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", with_pip=True)
    python = tmp_path / "environment/bin/python"
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    printed = run(python.with_name("passerby"), "doctor", "--install", "mmpose", cwd=tmp_path, timeout_s=3000)
    assert printed.endswith("pose=mmpose works here\n")


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_network_of_ultralytics_runs_as_it_is_and_as_onnx(python: Path, wheel: Path, tmp_path: Path) -> None:
    with_extra(python, wheel, "ultralytics", tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", "onnx", "onnxslim", cwd=tmp_path)
    sha256 = run(python, "-c", EXPORT, cwd=tmp_path).split()[-1]
    usual = ["runtime=inline", "source.file.seconds=1", "detector.input_hw=[384,640]"]
    pt = ["detector=ultralytics", f"detector.weights={tmp_path}/yolo11n.pt", f"detector.sha256={sha256}"]
    onnx = ["detector=onnx", f"detector.weights={tmp_path}/yolo11n.onnx"]
    for name, words in (("pt", pt), ("onnx", onnx)):
        run(python.with_name("passerby"), "run", *usual, *words, f"output_dir={name}", cwd=tmp_path)
        assert (tmp_path / name / "summary.json").exists()
