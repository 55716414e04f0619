"""Weights of a video network as safetensors: no code in them, and nothing is loaded that does not fit."""

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.core.errors import WeightsError

_CLASSIFIER = "classifier."


def check_fits(path: Path, network: nn.Module) -> None:
    """Compare names and shapes, without reading the tensors; a classifier in the file is not needed.

    Raises:
        WeightsError: If the file is damaged or of another network.
    """
    wanted = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    try:
        with safe_open(path, "pt") as file:
            got = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: expected a readable safetensors file, got: {error}; copy it again") from error
    missing = sorted(wanted.keys() - got.keys())
    foreign = sorted(name for name in got.keys() - wanted.keys() if _CLASSIFIER not in name)
    unfit = sorted(name for name in wanted.keys() & got.keys() if wanted[name] != got[name])
    if missing or foreign or unfit:
        shapes = ", ".join(f"{name} {got[name]} for {wanted[name]}" for name in unfit[:2])
        raise WeightsError(
            f"{path}: expected the weights of {type(network).__name__} as configured, got {len(missing)} tensors "
            f"missing {missing[:2]}, {len(foreign)} foreign {foreign[:2]}, {len(unfit)} of another shape [{shapes}]; "
            "set network, clip_len and crop_size_hw to what it was trained with"
        )


def load_network(path: Path, network: nn.Module) -> None:
    """Fill a network.

    Raises:
        WeightsError: If the file is damaged or of another network.
    """
    check_fits(path, network)
    names = network.state_dict().keys()
    with safe_open(path, "pt") as file:
        network.load_state_dict({name: file.get_tensor(name) for name in names})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a published checkpoint: safetensors, or a pickle of tensors, of which no code is run.

    Raises:
        WeightsError: If there is no such file, or it holds anything else.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path}: expected a checkpoint of tensors, got: {reason}; convert it") from error
    # torchreid and most others say state_dict, fast-reid says model.
    weights = loaded.get("state_dict", loaded.get("model", loaded)) if isinstance(loaded, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise WeightsError(f"{path}: expected tensors by name, got {type(loaded).__name__}; save its state_dict")
    return weights
