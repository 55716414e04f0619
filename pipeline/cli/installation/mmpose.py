"""``passerby doctor --install mmpose``: MMPose 1.3.2, in the order that it needs, and a run that shows that it works.

MMPose and the packages around it were last released in 2024. Their wheels were built for numpy 1, one of them does not
build by itself, and pip finds no set of versions that satisfies all of them. Each step says why it is as it is.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.errors import ConfigError, MissingDependencyError

MODEL = "body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py"
"""The configuration of MMPose that is tried: its smallest network of COCO's 17 keypoints."""

TRIED_SECONDS = 2.0
"""Seconds of one camera of the demo that are tried; the first part of a track is complete after one second."""

WRITE_RANDOM = """
import sys
import numpy, torch
from models.pose import mmpose
torch.manual_seed(0)
model = mmpose.init_model(sys.argv[1], None, device="cpu")
torch.save({"state_dict": model.state_dict(), "meta": {"dataset_meta": model.dataset_meta}}, sys.argv[2])
"""
"""Writes a checkpoint of random numbers, with the numpy arrays that published ones hold."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of pip.

    Attributes:
        reason: Why it is a step of its own.
        words: What pip is told to install, and how.
    """

    reason: str
    words: tuple[str, ...]


def steps() -> list[Step]:
    """Return the steps in order; the last one depends on which torch is installed by then."""
    alone = ("--no-deps", "--no-build-isolation")
    return [
        Step(
            "tools to build with, and torch",
            ("setuptools==80.10.2", "wheel", "cython==3.3.1", "six", "torch", "safetensors"),
        ),
        Step(
            "xtcocotools from its source: its wheel is made for numpy 1",
            (*alone, "--no-binary", "xtcocotools", "xtcocotools==1.14.3"),
        ),
        Step("chumpy, which MMPose asks for and never imports here", (*alone, "chumpy==0.70")),
        Step(
            "mmcv without operators: no other builds by itself for today's torch",
            ("mmengine==0.10.7", "mmcv-lite==2.1.0", "mmdet==3.3.0", "json_tricks==3.17.3", "munkres==3.0.0"),
        ),
        Step("MMPose", ("--no-deps", "mmpose==1.3.2")),
    ]


def torchvision_step() -> Step:
    """Return the step that installs the torchvision of the installed torch: 0.28 belongs to 2.13."""
    minor = int(metadata.version("torch").split(".")[1])
    return Step("the torchvision of this torch", ("--no-deps", f"torchvision==0.{minor + 15}.*"))


def install() -> None:
    """Install everything into this environment, and run the pipeline with it.

    Raises:
        MissingDependencyError: If a step fails; names it.
        ConfigError: If this environment cannot build what must be built.
    """
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise ConfigError("doctor --install mmpose: expected a C compiler, got none; apt-get install gcc")
    if find_spec("pip") is None:
        raise ConfigError(f"doctor --install mmpose: expected pip in {sys.prefix}, got none; install Passerby with pip")
    print("MMPose needs about 1 GB, and CUDA's libraries besides unless a CPU build of torch is installed", flush=True)
    for step in steps():
        _pip(step)
    _pip(torchvision_step())
    _try()


def _pip(step: Step) -> None:
    print(f"{step.reason}: pip install {' '.join(step.words)}", flush=True)
    _call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *step.words], step.reason)


def _try() -> None:
    """Run two seconds of a camera with random numbers for keypoints."""
    mmpose = metadata.distribution("mmpose")
    config = Path(str(mmpose.locate_file("mmpose/.mim/configs"))) / MODEL
    demo = Path(__file__).resolve().parents[3] / "connectors/synthetic/demo/north.mp4"
    print(f"a run with pose=mmpose pose.model_config={config}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        _call([sys.executable, "-c", WRITE_RANDOM, str(config), str(weights)], "a checkpoint of random numbers")
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        words = [f"site.cameras={{north: {{uri: {demo}, seconds: {TRIED_SECONDS}}}}}", "runtime=inline", "pose=mmpose"]
        words += [f"pose.model_config={config}", f"pose.weights={weights}", f"pose.sha256={sha256}"]
        words += ["pose.gives=keypoints", "embedder=rapa_light", "embedder.weights=random", f"output_dir={folder}/run"]
        _call([sys.executable, "-m", "pipeline.cli.main", "run", *words], "a run with pose=mmpose")
    print("pose=mmpose works here")


def _call(command: Sequence[str], name: str) -> None:
    """Run a command; what it prints is shown only if it fails.

    Raises:
        MissingDependencyError: If it fails.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise MissingDependencyError(f"doctor --install mmpose: {name} failed, see above; mend it and try again")
