"""Trains a network in several processes of a Ray cluster; all other keys are those of ``train``.

    python -m models.training train-on-ray workers=4 gpu=true model=lstrl dataset=mars data=/a/mars out=/a/run …
    ray job submit --working-dir . -- python -m models.training train-on-ray workers=4 gpu=true …

``data`` and ``out`` have to be folders that all machines share. A run that was interrupted goes on when the same
command is given again, on as many processes.
"""

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from models.training.candidates import read_options
from models.training.train import TrainConfig, read_config, train
from pipeline.core.errors import ConfigError, ReidError
from pipeline.runtime.cluster import join_cluster, leave_cluster


@dataclass
class Options:
    """Where a run is computed, as ``key=value``.

    Attributes:
        workers: Processes.
        gpu: One GPU for each.
    """

    workers: int = 2
    gpu: bool = False


def main(arguments: list[str]) -> None:
    """Train.

    Raises:
        ConfigError: If a value makes no sense.
    """
    options, rest = read_options(arguments, Options)
    if options.workers < 1:
        raise ConfigError(f"workers: expected 1 or more, got {options.workers}")
    config = read_config(rest)
    # Workers have a folder of their own.
    config = replace(config, data=str(Path(config.data).resolve()), out=str(Path(config.out).resolve()))
    join_cluster()
    # Imported before a cluster is joined, this prevents joining one (Ray 2.60).
    from ray.train import RunConfig, ScalingConfig, WorkerGroupError
    from ray.train.torch import TorchTrainer

    Path(config.out).mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="ray-", dir=config.out) as scratch:
            TorchTrainer(
                _train,
                train_loop_config=asdict(config),
                scaling_config=ScalingConfig(num_workers=options.workers, use_gpu=options.gpu),
                run_config=RunConfig(storage_path=scratch),
            ).fit()
    except WorkerGroupError as error:
        known = [failure for failure in error.worker_failures.values() if isinstance(failure, ReidError)]
        raise (known[0] if known else error) from error
    finally:
        leave_cluster()


def _train(config: dict[str, Any]) -> None:
    from ray.train.torch import get_device

    if (device := get_device()).type == "cuda":
        torch.cuda.set_device(device)
    train(TrainConfig(**config))
