"""Everything a training run needs to go on, in one file without code: safetensors."""

import json
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
    path: Path, network: nn.Module, mean: nn.Module, optimiser: torch.optim.Optimizer, position: Position
) -> None:
    """Write a checkpoint in the place of the last one, wholly or not at all."""
    tensors = _named("network", network.state_dict()) | _named("mean", mean.state_dict())
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= _named(f"optimiser/{number}", state)
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={"position": json.dumps(asdict(position))})
    part.replace(path)


def load_checkpoint(
    path: Path, network: nn.Module, mean: nn.Module, optimiser: torch.optim.Optimizer | None = None
) -> Position:
    """Fill network, mean and optimiser; return how far the run was.

    Raises:
        WeightsError: If the file is damaged, or of another network.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            position = Position(**json.loads((file.metadata() or {})["position"]))
        network.load_state_dict(_below("network", tensors))
        mean.load_state_dict(_below("mean", tensors))
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(
            f"{path}: expected a checkpoint of this network, got: {reason}; set another out= or delete it"
        ) from error
    if optimiser is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimiser", tensors).items():
            number, key = name.split("/")
            state.setdefault(int(number), {})[key] = tensor
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return position


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): t for name, t in tensors.items() if name.startswith(f"{prefix}/")}
