"""``make train``: trains a network on rendered worlds or on a benchmark.

    make train ARGS='task=detector data=/a/rendered out=outputs/detector minutes=40'
    make train ARGS='task=reid data=/a/rendered out=outputs/reid minutes=60 options.outfits=apart'
    make train ARGS='model=lstrl_light data=/a/rendered out=outputs/lstrl minutes=60'
    make train ARGS='model=lstrl dataset=mars data=/a/mars out=outputs/lstrl steps=31200 schedule=recipe'

``python -m models.training train task=…`` does the same. The same command again resumes an interrupted run. With
``steps`` in place of ``minutes`` the same seed gives the same network on the same machine. Several processes, on one
machine or many, train one network:

    torchrun --nproc-per-node 4 -m models.training train model=…
    python -m models.training train-on-ray workers=4 gpu=true model=…
"""

import json
import logging
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import torch
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from models.training.detector.task import DetectorTask
from models.training.engine import Budget, Engine, Pace
from models.training.keypoints.task import KeypointTask
from models.training.process_group import join_group
from models.training.reid.task import ReidTask
from models.training.video.task import VideoTask
from models.training.worlds import World, split_worlds
from pipeline.core.errors import ConfigError

TrainingTask = DetectorTask | KeypointTask | ReidTask | VideoTask

RENDERED = "rendered"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class TrainConfig:
    """The configuration of a run, as ``key=value``.

    Attributes:
        task: detector, keypoints, reid or video; a model makes it video.
        model: Of video: a choice of ``configs/embedder``.
        dataset: What ``data`` holds: rendered, or of video also mars, lsvid, duke, ilids or prid.
        data: Folder of the data set; of rendered worlds the one that has ``worlds/``.
        out: Folder for the checkpoint, the curve and the score.
        minutes: Of training in all; 0 for any.
        steps: In all; 0 for any.
        seed: Of first weights and of drawing.
        threads: Of the processor, for the network. More than there are free cores make it ten times slower.
        loaders: Processes that draw batches.
        device: cpu, cuda, or auto: cuda where there is one.
        precision: bfloat16, float32, or auto: bfloat16 where the device computes in it.
        held_out: Part of the worlds that is only scored with.
        cache_gb: Of decoded pictures in memory.
        score_every_epochs: Epochs between scores while training, of video alone; 0 scores at the end.
        schedule: budget: the learning rate falls over the budget; recipe: as the paper's, of video alone.
        options: Of the task, as its class describes them.
    """

    task: str = ""
    model: str = ""
    dataset: str = RENDERED
    data: str = MISSING
    out: str = MISSING
    minutes: float = 0.0
    steps: int = 0
    seed: int = 0
    threads: int = 1
    loaders: int = 1
    device: str = "auto"
    precision: str = "auto"
    held_out: float = 0.1
    cache_gb: float = 6.0
    score_every_epochs: float = 0.0
    schedule: str = "budget"
    options: dict[str, Any] = field(default_factory=dict)


def read_config(arguments: list[str]) -> TrainConfig:
    """Return what the command line says.

    Raises:
        ConfigError: If a key is unknown, mistyped or absent.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(TrainConfig), OmegaConf.from_dotlist(arguments))
        for key in ("data", "out"):
            if OmegaConf.is_missing(merged, key):
                raise ConfigError(f"{key}: expected a value, got none; say {key}=…")
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"command line: expected key=value of {', '.join(asdict(TrainConfig()))}, got: {reason}"
        ) from error
    assert isinstance(config, TrainConfig)
    return _settle(config)


def _settle(config: TrainConfig) -> TrainConfig:
    """Return the same with what it says in short written out."""
    options = dict(config.options)
    if config.model:
        if config.task not in ("", "video") or options.get("model", config.model) != config.model:
            raise ConfigError(f"model: expected a network of clips and no other task, got {config.task or options}")
        options["model"] = config.model
    if config.dataset != RENDERED:
        options["dataset"] = {"name": config.dataset, "root": config.data} | (options.get("dataset") or {})
    return replace(config, task="video" if config.model else config.task, options=options)


def make_task(config: TrainConfig, device: torch.device, worlds: list[World], held_out: list[World]) -> TrainingTask:
    """Return what is to be trained.

    Raises:
        ConfigError: If there is no such task or option.
        DataError: If a world is damaged.
    """
    tasks: dict[str, type[TrainingTask]] = {
        "detector": DetectorTask,
        "keypoints": KeypointTask,
        "reid": ReidTask,
        "video": VideoTask,
    }
    if config.task not in tasks:
        raise ConfigError(f"task: expected one of {', '.join(tasks)}, got {config.task!r}")
    known = {"seed": config.seed, "device": device, "max_bytes": int(config.cache_gb * 1e9)}
    try:
        return tasks[config.task](worlds, held_out, **known, **config.options)
    except TypeError as error:
        raise ConfigError(f"options: expected those of {config.task}, got: {error}") from error


def choose_pace(config: TrainConfig) -> Pace:
    """Return where and how to compute.

    Raises:
        ConfigError: If the device is not there, or a word is unknown.
    """
    has_cuda = torch.cuda.is_available()
    name = ("cuda" if has_cuda else "cpu") if config.device == "auto" else config.device
    if name not in ("cpu", "cuda") or (name == "cuda" and not has_cuda):
        raise ConfigError(f"device: expected one that torch finds here, got {name!r}; set device=cpu")
    if config.precision not in ("auto", "bfloat16", "float32"):
        raise ConfigError(f"precision: expected auto, bfloat16 or float32, got {config.precision!r}")
    # Without instructions of its own a processor is slower in bfloat16 than in float32.
    is_native = name == "cuda" or torch.cpu._is_avx512_bf16_supported()
    bfloat16 = config.precision == "bfloat16" or (config.precision == "auto" and is_native)
    return Pace(device=torch.device(name), bfloat16=bfloat16, loaders=config.loaders)


def choose_schedule(config: TrainConfig, task: TrainingTask) -> Callable[[int], float] | None:
    """Return the learning rate of a step where the recipe says so; None where the budget does.

    Raises:
        ConfigError: If the task has no recipe, or there is no such schedule.
    """
    if config.schedule == "recipe" and isinstance(task, VideoTask):
        return task.rate
    if config.schedule != "budget":
        raise ConfigError(f"schedule: expected budget, or of video also recipe, got {config.schedule!r}")
    return None


def build(config: TrainConfig) -> tuple[TrainingTask, nn.Module, Pace]:
    """Return task, fresh network and pace of a run.

    Raises:
        ConfigError: If a value makes no sense.
        DataError: If what is to be learned from is damaged.
    """
    pace = choose_pace(config)
    has_dataset = config.options.get("dataset") is not None
    worlds, held_out = ([], []) if has_dataset else split_worlds(Path(config.data), held_out=config.held_out)
    task = make_task(config, pace.device, worlds, held_out)
    if config.score_every_epochs:
        if not isinstance(task, VideoTask):
            raise ConfigError(f"score_every_epochs: expected 0, as {config.task} has no epochs, got others")
        every = max(1, round(config.score_every_epochs * task.batches_per_epoch))
        pace = replace(pace, score_every=every)
    torch.manual_seed(config.seed)
    return task, task.make_network(), pace


def main(arguments: list[str]) -> None:
    """Train as the command line says, and log the progress."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train(read_config(arguments))


def train(config: TrainConfig) -> None:
    """Train, then write ``score.json`` and print it.

    Raises:
        ConfigError: If a value makes no sense.
        DataError: If what is to be learned from is damaged, or the loss is no number any more.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    budget = Budget(minutes=config.minutes or None, steps=config.steps or None)
    with join_group() as group:
        task, network, pace = build(config)
        schedule, folder = choose_schedule(config, task), Path(config.out)
        engine = Engine(task, network, pace=pace, folder=folder, schedule=schedule, run=asdict(config), group=group)
        scores = engine.run(budget)
        if group.rank == 0:
            _report(config, engine, scores, pace)


def _report(config: TrainConfig, engine: Engine, scores: dict[str, float], pace: Pace) -> None:
    record = {
        "config": asdict(config),
        "scores": scores,
        "steps": engine.position.step,
        "minutes": round(engine.position.elapsed_s / 60, 1),
        "bfloat16": pace.bfloat16,
        "commit": _commit(),
    }
    (Path(config.out) / "score.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(scores))


def _commit() -> str | None:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or None
