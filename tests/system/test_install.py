"""The wheel, installed where nothing else is: it brings what the default run needs, and each extra what it is for.

The default run and the small extras together are tried by ``make test``. Each extra alone, and each documented line, is
marked ``nightly`` and tried by a job of its own (``pytest -n 0 -rP -m nightly tests/system/test_install.py``).
"""

import json
import os
import re
import subprocess
import sys
import time
import venv
import zipfile
from pathlib import Path

import pytest
from document_blocks import install_lines
from plugins import ROOT

pytestmark = pytest.mark.slow

ALONE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PIP_NO_COMPILE": "1"}
"""The environment of commands. With the checkout on the path, pip takes it for what is installed."""
UNWANTED = {"torch", "torchvision", "pytest", "openvino", "warp_lang", "kafka_python"}
"""Packages that extras and tests need, and the default run does not."""
CONSTRAINTS = ROOT / "constraints.txt"


def run(*command: str | Path, cwd: Path, timeout_s: float = 900) -> str:
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=ALONE, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


def install(python: Path, *what: str | Path) -> None:
    """Install into an environment, and say what it took; ``pytest -rP`` shows it."""
    (site,) = (python.parents[1] / "lib").glob("python*/site-packages")
    began, before = time.monotonic(), megabytes(site)
    run(python, "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS, *what, cwd=site, timeout_s=3000)
    names = " ".join(Path(str(word)).name for word in what)
    print(f"{names}: {megabytes(site) - before:.0f} MB, {time.monotonic() - began:.0f} s")


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (made,) = folder.glob("passerby-*.whl")
    return made


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The interpreter of an environment that has the wheel and what it asks for; nothing else is installed there."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    install(folder / "bin/python", wheel)
    return folder / "bin/python"


@pytest.fixture
def python(tmp_path: Path, base: Path) -> Path:
    """The interpreter of an environment of its own, in which the base is installed already and other extras are not."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    (packages,) = (base.parents[1] / "lib").glob("python*/site-packages")
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "base.pth").write_text(f"{packages}\n")
    return folder / "bin/python"


def passerby(python: Path, *words: str | Path, cwd: Path, timeout_s: float = 900) -> str:
    return run(python, "-m", "pipeline.cli.main", *words, cwd=cwd, timeout_s=timeout_s)


def test_the_wheel_holds_code_configurations_the_demo_and_weights(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("pipeline/cli/main.py", "configs/config.yaml", "connectors/synthetic/demo/east.mp4"):
        assert name in names
    assert any(name.startswith("models/weights/") and name.endswith(".onnx") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "docs/", "docker/"))]


@pytest.mark.timeout(1800)
def test_an_empty_environment_runs_the_demo_from_an_empty_folder(base: Path, tmp_path: Path) -> None:
    installed = json.loads(run(base, "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    names = {package["name"].lower().replace("-", "_") for package in installed}
    assert not names & UNWANTED
    assert not [name for name in names if name.startswith("nvidia")]
    command = base.with_name("passerby")
    assert run(command, "--version", cwd=tmp_path).startswith("passerby ")
    run(command, "doctor", cwd=tmp_path)
    run(command, "run", "runtime=inline", "output_dir=out", cwd=tmp_path)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["sightings"] > 0
    # Measured: .955 and .737.
    assert summary["quality"]["idf1"] > 0.933
    assert summary["quality"]["hota"] > 0.717
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]


EXTRAS = {
    "kafka": "import connectors.sinks.kafka, connectors.sources.kafka, pipeline.cli.publish",
    "objects": "import connectors.sources.object_files, gcsfs, s3fs",
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


LOAD_CUDA_PROVIDER = """
import ctypes, onnxruntime
from pathlib import Path
folder = Path(onnxruntime.__file__).parent / "capi"
onnxruntime.preload_dlls()
ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
try:
    ctypes.CDLL(str(folder / "libonnxruntime_providers_cuda.so"))
except OSError as error:
    print(error)
"""
"""Loads what ``device=cuda`` loads, and prints the library that is missing."""


def with_extras(python: Path, wheel: Path, *extras: str) -> None:
    """Install extras on top of what is there, and look whether ``passerby doctor`` finds them."""
    install(python, f"{wheel}[{','.join(extras)}]")
    found = passerby(python, "doctor", cwd=python.parent)
    for extra in extras:
        assert re.search(rf"^ok +extra {extra} ", found, re.MULTILINE), found


@pytest.mark.timeout(1800)
def test_the_small_extras_bring_what_they_are_for(python: Path, wheel: Path, tmp_path: Path) -> None:
    with_extras(python, wheel, *EXTRAS)
    run(python, "-c", "; ".join(EXTRAS.values()), cwd=tmp_path)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("extra", sorted(EXTRAS | NIGHTLY))
def test_an_extra_alone_brings_what_it_is_for(python: Path, wheel: Path, tmp_path: Path, extra: str) -> None:
    with_extras(python, wheel, extra)
    run(python, "-c", (EXTRAS | NIGHTLY)[extra], cwd=tmp_path)


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
def test_one_command_installs_the_builds_for_gpus_and_runs_them(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", with_pip=True)
    python = tmp_path / "environment/bin/python"
    install(python, wheel)
    printed = passerby(python, "doctor", "--install", "gpu", cwd=tmp_path, timeout_s=3000)
    print(printed)
    assert printed.endswith(("device=cuda works here\n", "they find no GPU here: device=cpu\n"))
    missing = run(python, "-c", LOAD_CUDA_PROVIDER, cwd=tmp_path)
    assert missing == "" or missing.startswith("libcuda.so.1")  # comes with the driver of a GPU


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_one_command_installs_mmpose_and_runs_it(python: Path, tmp_path: Path) -> None:
    printed = passerby(python, "doctor", "--install", "mmpose", cwd=tmp_path, timeout_s=3000)
    print(printed)
    assert printed.endswith("pose=mmpose works here\n")


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_a_network_of_ultralytics_runs_as_it_is_and_as_onnx(python: Path, wheel: Path, tmp_path: Path) -> None:
    with_extras(python, wheel, "ultralytics")
    install(python, "onnx", "onnxslim")
    sha256 = run(python, "-c", EXPORT, cwd=tmp_path).split()[-1]
    usual = ["runtime=inline", "source.file.seconds=1", "detector.input_hw=[384,640]"]
    pt = ["detector=ultralytics", f"detector.weights={tmp_path}/yolo11n.pt", f"detector.sha256={sha256}"]
    onnx = ["detector=onnx", f"detector.weights={tmp_path}/yolo11n.onnx"]
    for name, words in (("pt", pt), ("onnx", onnx)):
        passerby(python, "run", *usual, *words, f"output_dir={name}", cwd=tmp_path)
        assert (tmp_path / name / "summary.json").exists()
