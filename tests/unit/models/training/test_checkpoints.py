"""Checkpoints survive what ends a run: a loss that is no number, a process that is killed."""

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from models.training.checkpoint import Position, load_mean, read_best, save_best
from models.training.engine import Budget, Engine, Pace
from pipeline.core.errors import DataError, WeightsError

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[4]
PACE = Pace(device=torch.device("cpu"), bfloat16=False, loaders=0, save_every_s=0.0)


class Line:
    """Learns a straight line; scores are as given."""

    learning_rate, max_norm = 0.1, None

    def __init__(self, *, broken_at: int | None = None, scores: tuple[float, ...] = ()) -> None:
        self.broken_at, self.scores = broken_at, iter(scores)

    def optimisers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(network.parameters(), lr=0.1)]

    def draw(self, step: int) -> dict[str, Any]:
        values = np.full((4, 1), np.nan if step == self.broken_at else 1.0, np.float32)
        return {"x": values}

    def loss(self, network: nn.Module, batch: Any) -> dict[str, torch.Tensor]:
        return {"loss": (network(batch["x"]) - 2).square().mean()}

    def score(self, network: nn.Module) -> dict[str, float]:
        score = next(self.scores, None)
        return {} if score is None else {"mean_ap": score}


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def test_a_loss_that_is_no_number_ends_the_run_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    engine = Engine(Line(broken_at=5), make_network(), pace=PACE, folder=tmp_path)
    with pytest.raises(DataError, match=r"step 6: expected weights that are numbers.*checkpoint\.safetensors"):
        engine.run(Budget(minutes=None, steps=30))
    saved = load_file(tmp_path / "checkpoint.safetensors")
    assert all(tensor.isfinite().all() for tensor in saved.values())
    again = Engine(Line(), make_network(), pace=PACE, folder=tmp_path)
    assert again.position.step == 5


def test_the_best_network_is_kept_with_the_configuration_of_the_run(tmp_path: Path) -> None:
    run = {"task": "line", "options": {"slope": 2}}
    pace = replace(PACE, score_every=2)
    engine = Engine(Line(scores=(0.2, 0.7, 0.4)), make_network(), pace=pace, folder=tmp_path, run=run)
    assert engine.run(Budget(minutes=None, steps=6)) == {"mean_ap": 0.4}
    with (tmp_path / "scores.csv").open() as file:
        assert [(int(row["step"]), float(row["mean_ap"])) for row in csv.DictReader(file)] == [
            (2, 0.2),
            (4, 0.7),
            (6, 0.4),
        ]
    assert read_best(tmp_path / "best.safetensors") == 0.7
    best, last = make_network(), make_network()
    assert load_mean(tmp_path / "best.safetensors", best).step == 4
    assert load_mean(tmp_path / "checkpoint.safetensors", last).step == 6
    assert not torch.equal(best.weight, last.weight)
    for name in ("best", "checkpoint"):
        with safe_open(tmp_path / f"{name}.safetensors", "pt") as file:
            assert json.loads(file.metadata()["told"]) == run


def test_a_better_network_of_an_earlier_run_is_not_replaced(tmp_path: Path) -> None:
    save_best(tmp_path / "best.safetensors", make_network(), Position(1, 0.0), 0.9, {})
    engine = Engine(Line(scores=(0.5,)), make_network(), pace=replace(PACE, score_every=1), folder=tmp_path)
    engine.run(Budget(minutes=None, steps=1))
    assert read_best(tmp_path / "best.safetensors") == 0.9


def test_a_best_network_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"cut")
    with pytest.raises(WeightsError, match=r"best\.safetensors"):
        read_best(tmp_path / "best.safetensors")


WRITER = """
import sys
from pathlib import Path
import torch
from torch import nn
from models.training.checkpoint import Position, save_checkpoint
network, mean = nn.Linear(1500, 1500), nn.Linear(1500, 1500)
for step in range(10**9):
    nn.init.constant_(mean.weight, step)
    save_checkpoint(Path(sys.argv[1]), network, mean, [], Position(step, 0.0), {})
    print(step, flush=True)
"""


def test_who_is_killed_while_writing_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    steps = []
    for wait_s in (0.0, 0.013, 0.031):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            time.sleep(wait_s)
            process.send_signal(signal.SIGKILL)
        network = nn.Linear(1500, 1500)
        step = load_mean(path, network).step
        assert (network.weight == step).all()
        steps.append(step)
    assert min(steps) >= 2
