"""Everything a training run needs to go on, in one file without code: safetensors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.core.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is.

    Attributes:
        step: Optimiser steps done.
        elapsed_s: Seconds spent.
    """

    step: int
    elapsed_s: float


def save_checkpoint(
    path: Path,
    network: nn.Module,
    mean: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    position: Position,
    metadata: Mapping[str, str],
) -> None:
    """Write a checkpoint in the place of the last one, wholly or not at all; ``metadata`` goes with it."""
    tensors = _named("network", network.state_dict()) | _named("mean", mean.state_dict())
    for place, optimiser in enumerate(optimisers):
        for number, state in optimiser.state_dict()["state"].items():
            tensors |= _named(f"optimiser/{place}/{number}", state)
    _write(path, tensors, {"position": json.dumps(asdict(position)), **metadata})


def load_checkpoint(
    path: Path, network: nn.Module, mean: nn.Module, optimisers: Sequence[torch.optim.Optimizer]
) -> Position:
    """Fill network, mean and optimisers; return how far the run was.

    Raises:
        WeightsError: If the file is damaged, or of another network.
    """
    tensors, position = _read(path)
    _fill(path, network, _below("network/", tensors))
    _fill(path, mean, _below("mean/", tensors))
    for place, optimiser in enumerate(optimisers):
        try:
            state = _by_parameter(_below(f"optimiser/{place}/", tensors))
        except ValueError as error:
            raise _unfit(path, error) from error
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return position


def _by_parameter(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Return what an optimiser keeps, by the number of the parameter."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, key = name.split("/")
        state.setdefault(int(number), {})[key] = tensor
    return state


def save_best(path: Path, mean: nn.Module, position: Position, score: float, metadata: Mapping[str, str]) -> None:
    """Write the mean of the weights and its score in the place of the last best one, wholly or not at all."""
    known = {"position": json.dumps(asdict(position)), "score": repr(score), **metadata}
    _write(path, _named("mean", mean.state_dict()), known)


def read_best(path: Path) -> float:
    """Return the score of the best network so far; minus infinity if there is none.

    Raises:
        WeightsError: If the file is damaged.
    """
    if not path.exists():
        return float("-inf")
    try:
        with safe_open(path, "pt") as file:
            return float((file.metadata() or {})["score"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise _unfit(path, error) from error


def load_mean(path: Path, network: nn.Module, *, below: str = "") -> Position:
    """Fill a network with the mean of a run's last weights; return how far the run was.

    Args:
        path: Of the checkpoint.
        network: What was trained, or a part of it.
        below: Name of the part, with a dot at its end.

    Raises:
        WeightsError: If the file is absent, damaged, or of another network.
    """
    tensors, position = _read(path)
    _fill(path, network, _below(f"mean/{below}", tensors))
    return position


def _read(path: Path) -> tuple[dict[str, Tensor], Position]:
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, Position(**json.loads((file.metadata() or {})["position"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _unfit(path, error) from error


def _fill(path: Path, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise _unfit(path, error) from error


def _unfit(path: Path, error: Exception) -> WeightsError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return WeightsError(f"{path}: expected a checkpoint of this network, got: {reason}; set another out= or delete it")


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata=metadata)
    part.replace(path)


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
