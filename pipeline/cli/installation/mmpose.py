"""``passerby doctor --install mmpose``: MMPose 1.3.2, in the order that it needs, and a run that shows that it works.

MMPose and the packages around it were last released in 2024. Their wheels were built for numpy 1, one of them does not
build by itself, and pip finds no set of versions that satisfies all of them. Each step says why it is as it is.
"""

import hashlib
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from pipeline.cli.installation.pip_steps import Step, call, check_pip, take, try_run
from pipeline.core.errors import ConfigError

MODEL = "body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py"
"""The configuration of MMPose that is tried: its smallest network of COCO's 17 keypoints."""

WRITE_RANDOM = """
import sys
import numpy, torch
from models.pose import mmpose
torch.manual_seed(0)
model = mmpose.init_model(sys.argv[1], None, device="cpu")
torch.save({"state_dict": model.state_dict(), "meta": {"dataset_meta": model.dataset_meta}}, sys.argv[2])
"""
"""Writes a checkpoint of random numbers, with the numpy arrays that published ones hold."""


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
    check_pip("mmpose")
    print("MMPose needs about 1 GB, and CUDA's libraries besides unless a CPU build of torch is installed", flush=True)
    for step in steps():
        take("mmpose", step)
    take("mmpose", torchvision_step())
    _try()


def _try() -> None:
    """Run two seconds of a camera with random numbers for keypoints."""
    mmpose = metadata.distribution("mmpose")
    config = Path(str(mmpose.locate_file("mmpose/.mim/configs"))) / MODEL
    print(f"a run with pose=mmpose pose.model_config={config}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        call(
            "mmpose", "a checkpoint of random numbers", [sys.executable, "-c", WRITE_RANDOM, str(config), str(weights)]
        )
        sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
        words = ["pose=mmpose", f"pose.model_config={config}", f"pose.weights={weights}", f"pose.sha256={sha256}"]
        words += ["pose.gives=keypoints", "embedder=rapa_light", "embedder.weights=random"]
        try_run("mmpose", *words)
    print("pose=mmpose works here")
