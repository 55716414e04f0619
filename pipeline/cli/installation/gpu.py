"""``passerby doctor --install gpu``: the builds of ONNX Runtime and FAISS for GPUs, in place of those for processors.

Both builds of a library are one Python package under two names on PyPI. Installed together, the files of one lie over
those of the other, and taking either away leaves the other without files. pip knows nothing of that, so this cannot be
an extra.
"""

import re
import subprocess
import sys

from pipeline.cli.installation.pip_steps import Step, check_pip, take, try_run

REPLACED = ("onnxruntime", "faiss-cpu")
"""Distributions whose files are taken over."""
WANTED = ("onnxruntime-gpu[cuda,cudnn]", "faiss-gpu-cu12")
"""What takes them over, with the libraries of CUDA that it needs."""

FIND_DEVICE = """
import faiss
from models.backends.onnx_runtime import offers_cuda
found = offers_cuda() and faiss.get_num_gpus() > 0
print("cuda" if found else "cpu")
"""
"""Prints the device of a run, in a process of its own, since this one has imported the builds for processors."""


def steps() -> list[Step]:
    """Return the steps in order."""
    own = [re.sub(r"\[.*\]", "", name) for name in WANTED]
    return [
        Step("the libraries with those of CUDA that they need", WANTED),
        Step("the builds for processors, whose files are the same", ("--yes", *REPLACED), verb="uninstall"),
        Step("the builds for GPUs, whose files went with them", ("--force-reinstall", "--no-deps", *own)),
    ]


def install() -> None:
    """Install everything into this environment, and run the pipeline with it.

    Raises:
        MissingDependencyError: If a step fails; names it.
        ConfigError: If this environment has no pip.
    """
    check_pip("gpu")
    print(
        "CUDA's libraries need about 3.5 GB. A later pip install of Passerby undoes this: run it again then", flush=True
    )
    for step in steps():
        take("gpu", step)
    _try()


def _try() -> None:
    """Run two seconds of a camera with what is there: a GPU, or the processor if the libraries find none."""
    found = subprocess.run([sys.executable, "-c", FIND_DEVICE], capture_output=True, text=True, check=False)
    device = found.stdout.strip() or "cpu"
    print(f"a run with device={device}", flush=True)
    try_run("gpu", f"device={device}")
    print("device=cuda works here" if device == "cuda" else "both libraries work; they find no GPU here: device=cpu")
