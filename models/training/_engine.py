"""Trains a network within a budget of time or of steps; can be interrupted anywhere and resumed."""

import csv
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from models.reid._video import prefer_channels_last
from models.training._checkpoint import Position, load_checkpoint, save_checkpoint
from pipeline.core.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

_WARM_UP_STEPS = 100
_LAST_RATE = 0.01
_MAX_NORM = 10.0
_MEAN_DECAY = 0.998
_MEAN_AFTER_STEPS = 300

Batch = Mapping[str, NDArray[np.generic]]


class Task(Protocol):
    """What is trained: data, loss and score of one kind of network."""

    learning_rate: float
    weight_decay: float

    def draw(self, step: int) -> Batch:
        """Return the batch of a step: of the same step always the same. Called in other processes too."""
        ...

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss under ``loss``, and its parts."""
        ...

    def score(self, network: nn.Module) -> dict[str, float]:
        """Return figures on the worlds held out; nothing if there are none."""
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
    """

    device: torch.device
    bfloat16: bool
    loaders: int
    save_every_s: float = 120.0

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context in which networks run."""
        context: AbstractContextManager[None] = torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)
        return context


class _Draws(Dataset[Batch]):
    def __init__(self, task: Task) -> None:
        self._task = task

    def __getitem__(self, step: int) -> Batch:
        return self._task.draw(step)


class Engine:
    """Trains one network.

    Args:
        task: Data and loss.
        network: Is changed.
        pace: How to compute.
        folder: For ``checkpoint.safetensors`` and ``curve.csv``; what lies there is resumed.
        schedule: Learning rate of a step; None for a warm-up and half a cosine over the budget.
    """

    def __init__(
        self,
        task: Task,
        network: nn.Module,
        *,
        pace: Pace,
        folder: Path,
        schedule: Callable[[int], float] | None = None,
    ) -> None:
        self._task = task
        self._schedule = schedule
        self._pace = pace
        self._network = network.to(pace.device)
        prefer_channels_last(self._network)
        self.mean = deepcopy(self._network).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(_groups(network, task.weight_decay), lr=task.learning_rate)
        self._checkpoint = folder / "checkpoint.safetensors"
        self._curve = folder / "curve.csv"
        self.position = Position(step=0, elapsed_s=0.0)
        folder.mkdir(parents=True, exist_ok=True)
        if self._checkpoint.exists():
            self.position = load_checkpoint(self._checkpoint, self._network, self.mean, self._optimiser)
            logger.info("resumed %s at step %d", self._checkpoint, self.position.step)
            self._forget_after(self.position.step)

    def run(self, budget: Budget) -> dict[str, float]:
        """Train to the end of the budget; return the score of the mean of the last weights.

        Raises:
            DataError: If the loss is no number any more.
        """
        started = time.monotonic() - self.position.elapsed_s
        saved_at = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        batches = self._batches(self.position.step)
        with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn()) as progress:
            bar = progress.add_task("", total=1.0)
            while (spent := budget.spent(self.position)) < 1:
                parts = self._step(next(batches), spent)
                self.position = Position(self.position.step + 1, time.monotonic() - started)
                if self.position.step % 20 == 0 or budget.spent(self.position) >= 1:
                    losses = {name: float(value.detach()) for name, value in parts.items()}
                    if not math.isfinite(losses["loss"]):
                        raise DataError(
                            f"loss: expected a number, got {losses} at step {self.position.step}; lower learning_rate"
                        )
                    self._write(losses)
                    progress.update(bar, completed=spent, description=f"loss {losses['loss']:.3f}")
                if time.monotonic() - saved_at > self._pace.save_every_s:
                    self.save()
                    saved_at = time.monotonic()
        self.save()
        return self._task.score(self.mean)

    def save(self) -> None:
        """Write a checkpoint from which a run goes on as if it had never stopped."""
        save_checkpoint(self._checkpoint, self._network, self.mean, self._optimiser, self.position)

    def _step(self, batch: Mapping[str, Tensor], spent: float) -> dict[str, Tensor]:
        rate = self._rate(spent) if self._schedule is None else self._schedule(self.position.step)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._network.train()
        with self._pace.autocast():
            parts = self._task.loss(self._network, batch)
        self._optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), _MAX_NORM)
        self._optimiser.step()
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
            _Draws(self._task),
            batch_size=None,
            sampler=_Steps(first),
            num_workers=self._pace.loaders,
            collate_fn=_tensors,
            prefetch_factor=3 if self._pace.loaders else None,
            worker_init_fn=_one_thread,
        )
        for batch in loader:
            yield {name: value.to(self._pace.device, non_blocking=True) for name, value in batch.items()}

    def _forget_after(self, step: int) -> None:
        """Drop the part of the curve that will be drawn again."""
        if self._curve.exists():
            heading, *rows = self._curve.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [row for row in rows if int(row.split(",", 1)[0]) <= step]
            self._curve.write_text("".join([heading, *kept]), encoding="utf-8")

    def _write(self, losses: Mapping[str, float]) -> None:
        row = {"step": self.position.step, "elapsed_s": round(self.position.elapsed_s, 1)}
        row |= {name: round(value, 5) for name, value in losses.items()}
        is_new = not self._curve.exists()
        with self._curve.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if is_new:
                writer.writeheader()
            writer.writerow(row)


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


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return the parameters in two groups; only weights of more than one axis decay."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
