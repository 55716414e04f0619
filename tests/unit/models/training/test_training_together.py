"""Several processes train one network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from worlds import make_world

from models.training.train import build, read_config

REPOSITORY = Path(__file__).resolve().parents[4]


def arguments(data: Path, out: Path, *, steps: int = 1) -> list[str]:
    given = [
        "model=lstrl_light",
        f"data={data}",
        f"out={out}",
        f"steps={steps}",
        "threads=1",
        "loaders=0",
        "held_out=0.5",
    ]
    given += ["device=cpu", "precision=float32", "schedule=recipe"]
    given += ["options.recipe_changes={num_people: 4, num_each: 2, weight_decay: 0.0}"]
    return [*given, "options.changes={network.width_mult: 0.125, clip_len: 2, crop_size_hw: '[64,32]'}"]


def run(command: list[str]) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_on_ray_and_by_torchrun_the_same_is_learnt(tmp_path: Path) -> None:
    for number in range(2):
        make_world(tmp_path, number, frames_per_camera=10)
    out = {name: tmp_path / name for name in ("torchrun", "ray")}
    start = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "models.training", "train"]
    run([*start, *arguments(tmp_path, out["torchrun"], steps=2)])
    run(["models.training", "train-on-ray", "workers=2", *arguments(tmp_path, out["ray"], steps=2)])
    on_ray, theirs = (load_file(folder / "checkpoint.safetensors") for folder in (out["ray"], out["torchrun"]))
    assert on_ray.keys() == theirs.keys()
    for name in on_ray.keys() - {"progress"}:
        torch.testing.assert_close(on_ray[name], theirs[name], msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.slow
def test_two_processes_step_by_the_mean_of_their_slopes(tmp_path: Path) -> None:
    for number in range(2):
        make_world(tmp_path, number, frames_per_camera=10)
    given = arguments(tmp_path, tmp_path / "out")
    run(["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "models.training", "train", *given])
    assert len((tmp_path / "out" / "curve.csv").read_text().splitlines()) == 2

    torch.set_num_threads(1)
    task, network, _ = build(read_config(given))
    gradients = []
    for step in range(2):
        batch = {name: torch.from_numpy(value.copy()) for name, value in task.draw(step).items()}
        network.train().zero_grad()
        task.loss(network, batch)["loss"].backward()
        gradients.append([parameter.grad for parameter in network.network.parameters()])
    saved = load_file(tmp_path / "out" / "checkpoint.safetensors")
    compared = 0
    for number, (one, other) in enumerate(zip(*gradients, strict=True)):
        if one is not None:
            # Adam's first moment after one step is a tenth of the slope.
            expected = (one + other) / 20
            torch.testing.assert_close(saved[f"optimiser/0/{number}/exp_avg"], expected, rtol=1e-3, atol=1e-5)
            compared += 1
    assert compared > 100
