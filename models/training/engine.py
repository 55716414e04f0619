"""Trains a network within a budget of time or of steps; can be interrupted anywhere and resumed.

Started by torchrun, each process draws batches of its own and the gradients are averaged.
"""

import csv
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from models.reid.networks.clip_network import prefer_channels_last
from models.training.checkpoint import Position, load_checkpoint, read_best, save_best, save_checkpoint
from models.training.process_group import Group
from pipeline.core.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

MAX_NORM = 10.0
"""To which gradients are cut where nothing else is known."""
_WARM_UP_STEPS = 100
_LAST_RATE = 0.01
_MEAN_DECAY = 0.998
_MEAN_AFTER_STEPS = 300

Batch = Mapping[str, NDArray[np.generic]]


class Task(Protocol):
    """What is trained: data, loss and score of one kind of network."""

    learning_rate: float
    """At its highest."""
    max_norm: float | None
    """To which gradients are cut."""

    def optimisers(self, network: nn.Module) -> Sequence[torch.optim.Optimizer]:
        """Return what moves the weights; the rate of the first follows the schedule, that of others stays."""
        ...

    def draw(self, step: int) -> Batch:
        """Return the batch of a step: of the same step always the same. Called in other processes too."""
        ...

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss under ``loss``, and its parts."""
        ...

    def score(self, network: nn.Module) -> dict[str, float]:
        """Return figures on what is held out; nothing if there is none. By the first, the best network is chosen."""
        ...


@dataclass(frozen=True, slots=True)
class Budget:
    """When training ends: whichever comes first.

    Attributes:
        minutes: Of training, checkpoints and resumed runs included; None for any.
        steps: Optimiser steps; None for any. Only with this is a run reproducible bit for bit.
    """

    minutes: float | None
    steps: int | None

    def __post_init__(self) -> None:
        if (self.minutes or 0) <= 0 and (self.steps or 0) <= 0:
            raise ConfigError("minutes, steps: expected at least one above 0, got none; set minutes=30")

    def spent(self, at: Position) -> float:
        """Return the part of the budget that is used, 1 or more at the end."""
        parts = [at.elapsed_s / 60 / self.minutes] if self.minutes else []
        parts += [at.step / self.steps] if self.steps else []
        return max(parts)


@dataclass(frozen=True, slots=True)
class Pace:
    """How an engine computes.

    Attributes:
        device: cpu or cuda.
        bfloat16: Convolutions in bfloat16; three times as fast on processors that know it.
        loaders: Processes that draw batches ahead; 0 draws in between.
        save_every_s: Seconds between checkpoints.
        score_every: Steps between scores while training; 0 for none.
    """

    device: torch.device
    bfloat16: bool
    loaders: int
    save_every_s: float = 120.0
    score_every: int = 0

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which networks run."""
        context: AbstractContextManager[None] = torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)
        return context


class _Draws:
    """The batches of this process by step, as a map-style data set of torch."""

    def __init__(self, task: Task, group: Group) -> None:
        self._task, self._group = task, group

    def __getitem__(self, step: int) -> Batch:
        return self._task.draw(step * self._group.size + self._group.rank)


class _Loss(nn.Module):
    """A network that answers a batch with what it costs, so that torch can average gradients over processes."""

    def __init__(self, task: Task, network: nn.Module) -> None:
        super().__init__()
        self._task, self.network = task, network

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self._task.loss(self.network, batch)


class Engine:
    """Trains one network.

    Args:
        task: Data and loss.
        network: Is changed.
        pace: How to compute.
        folder: For ``checkpoint.safetensors`` and ``curve.csv``; what lies there is resumed. If there are scores on
            the way, also for ``scores.csv`` and ``best.safetensors``.
        schedule: Learning rate of a step; None for a warm-up and half a cosine over the budget.
        run: The configuration of the run, kept in the checkpoints.
        group: The processes that train it.
    """

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        *,
        pace: Pace,
        folder: Path,
        schedule: Callable[[int], float] | None = None,
        run: Mapping[str, object] | None = None,
        group: Group | None = None,
    ) -> None:
        self._task = task
        self._group = group or Group()
        self._schedule = schedule
        self._pace = pace
        self._network = network.to(pace.device)
        prefer_channels_last(self._network)
        self.mean = deepcopy(self._network).eval().requires_grad_(False)
        self._loss: nn.Module = _Loss(task, self._network)
        if self._group.size > 1:
            # ASA-Net's heads learn nothing where no attributes are known.
            self._loss = DistributedDataParallel(self._loss, find_unused_parameters=True)
        self._optimisers = task.optimisers(network)
        self._checkpoint, self._best = folder / "checkpoint.safetensors", folder / "best.safetensors"
        self._curve, self._scores = folder / "curve.csv", folder / "scores.csv"
        self._metadata = {"told": json.dumps(dict(run or {}))}
        self.position = Position(step=0, elapsed_s=0.0)
        folder.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.exists():
            self.position = load_checkpoint(self._checkpoint, self._network, self.mean, self._optimisers)
            logger.info("resumed %s at step %d", self._checkpoint, self.position.step)
            for table in (self._curve, self._scores) if self._group.rank == 0 else ():
                _forget_after(table, self.position.step)

    def run(self, budget: Budget) -> dict[str, float]:
        """Train to the end of the budget; return the score of the mean of the last weights.

        Raises:
            DataError: If the loss is no number any more.
        """
        started = time.monotonic() - self.position.elapsed_s
        saved_at = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        batches = self._batches(self.position.step)
        is_quiet = self._group.rank > 0
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), disable=is_quiet) as progress:
            bar = progress.add_task("", total=1.0)
            while (spent := budget.spent(self.position)) < 1:
                parts = self._step(next(batches), spent)
                elapsed_s = self._group.of_first(time.monotonic() - started)
                self.position = Position(self.position.step + 1, elapsed_s)
                is_last = budget.spent(self.position) >= 1
                if self.position.step % 20 == 0 or is_last:
                    losses = {name: float(value.detach()) for name, value in parts.items()}
                    if not math.isfinite(losses["loss"]):
                        raise self._broken(f"a loss that is a number, got {losses}")
                    self._write(self._curve, losses)
                    progress.update(bar, completed=spent, description=f"loss {losses['loss']:.3f}")
                if self._pace.score_every and self.position.step % self._pace.score_every == 0 and not is_last:
                    self._score()
                if time.monotonic() - saved_at > self._pace.save_every_s:
                    self.save()
                    saved_at = time.monotonic()
        self.save()
        return self._score()

    def save(self) -> None:
        """Write a checkpoint from which a run goes on as if it had never stopped.

        Raises:
            DataError: If a weight is no number any more; the last checkpoint stays.
        """
        weights = [value for value in self._network.state_dict().values() if value.dtype.is_floating_point]
        if not all(bool(value.isfinite().all()) for value in weights):
            raise self._broken("weights that are numbers, got others")
        if self._group.rank > 0:
            return
        save_checkpoint(self._checkpoint, self._network, self.mean, self._optimisers, self.position, self._metadata)

    def _broken(self, what: str) -> DataError:
        return DataError(
            f"step {self.position.step}: expected {what}; lower learning_rate and go on from {self._checkpoint}"
        )

    def _score(self) -> dict[str, float]:
        """Return the score of the mean, and keep the mean if none was better; the first process does."""
        scores = self._task.score(self.mean) if self._group.rank == 0 else {}
        if scores and self._pace.score_every:
            self._write(self._scores, scores)
            score = next(iter(scores.values()))
            if score >= read_best(self._best):
                save_best(self._best, self.mean, self.position, score, self._metadata)
        return scores

    def _step(self, batch: Mapping[str, Tensor], spent: float) -> dict[str, Tensor]:
        num_drawn = self.position.step * self._group.size
        rate = self._rate(spent) if self._schedule is None else self._schedule(num_drawn)
        for group in self._optimisers[0].param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        self._network.train()
        with self._pace.autocast():
            parts: dict[str, Tensor] = self._loss(batch)
        self._network.zero_grad(set_to_none=True)
        parts["loss"].backward()
        if self._task.max_norm is not None:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._task.max_norm)
        for optimiser in self._optimisers:
            optimiser.step()
        self._average()
        return parts

    def _rate(self, spent: float) -> float:
        rate = min(1.0, (self.position.step + 1) / _WARM_UP_STEPS)
        rate *= _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(spent, 1.0)))
        return self._task.learning_rate * rate

    @torch.no_grad()
    def _average(self) -> None:
        """Let the mean follow the weights, closely at first."""
        decay = _MEAN_DECAY * (1 - math.exp(-(self.position.step + 1) / _MEAN_AFTER_STEPS))
        for mean, new in zip(self.mean.state_dict().values(), self._network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(new, 1 - decay)
            else:
                mean.copy_(new)

    def _batches(self, first: int) -> Iterator[dict[str, Tensor]]:
        loader = DataLoader(
            cast("Dataset[Batch]", _Draws(self._task, self._group)),
            batch_size=None,
            sampler=_Steps(first),
            num_workers=self._pace.loaders,
            collate_fn=_tensors,
            prefetch_factor=3 if self._pace.loaders else None,
            worker_init_fn=_one_thread,
        )
        for batch in loader:
            yield {name: value.to(self._pace.device, non_blocking=True) for name, value in batch.items()}

    def _write(self, table: Path, values: Mapping[str, float]) -> None:
        """Append a row to a table."""
        if self._group.rank > 0:
            return
        row = {"step": self.position.step, "elapsed_s": round(self.position.elapsed_s, 1)}
        row |= {name: round(value, 5) for name, value in values.items()}
        is_new = not table.exists()
        with table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if is_new:
                writer.writeheader()
            writer.writerow(row)


def _forget_after(table: Path, step: int) -> None:
    """Drop the part of a table that will be written again."""
    if table.exists():
        heading, *rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [row for row in rows if int(row.split(",", 1)[0]) <= step]
        table.write_text("".join([heading, *kept]), encoding="utf-8")


class _Steps:
    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        step = self._first
        while True:
            yield step
            step += 1


def _tensors(batch: Batch) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in batch.items()}


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def make_adamw(
    network: nn.Module, *, rate: float, decay: float, slow: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """Return AdamW; only weights of more than one axis decay.

    Args:
        network: What is trained.
        rate: The learning rate.
        decay: Of the weights.
        slow: Parts of the rate, in (0, 1], by the beginning of a parameter's name; others learn at the whole rate.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            share = next((part for begin, part in (slow or {}).items() if name.startswith(begin)), 1.0)
            groups.setdefault((share, decay if parameter.ndim > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": of_group, "share": share}
            for (share, of_group), parameters in groups.items()
        ],
        lr=rate,
    )
