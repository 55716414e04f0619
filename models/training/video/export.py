"""From a run of ``task=video`` to weights that the line serves.

    python -m models.training.video.export run=outputs/lstrl out=weights/lstrl_light.safetensors
    make run ARGS='embedder=lstrl_light embedder.weights=weights/lstrl_light.safetensors'

The file has the weights' mean of the run, without classifiers, and what the run was told.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.reid._checkpoint import check_fits
from models.summary import read_embedder
from pipeline.build import attribute
from pipeline.core.errors import ConfigError, ReidError, WeightsError

_PREFIX = "mean/network."


def export(run: Path, out: Path) -> None:
    """Write the weights of a finished run.

    Args:
        run: Its folder.
        out: The ``.safetensors`` file; replaced if it is there.

    Raises:
        ConfigError: If it is no finished run of networks of clips.
        WeightsError: If its checkpoint is damaged, or not of the network that the run was told to train.
    """
    try:
        told: dict[str, Any] = json.loads((run / "score.json").read_text(encoding="utf-8"))
        options = told["config"]["options"] if told["config"]["task"] == "video" else None
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"run: expected the folder of a finished training with score.json, got {run}") from error
    if options is None:
        raise ConfigError(f"run: expected one of task=video, got {told['config']['task']} in {run}")
    changes = {key: str(value) for key, value in options.get("changes", {}).items()}
    embedder = read_embedder(options.get("model", "lstrl_light"), changes)
    with torch.device("meta"):
        network = attribute(embedder, "network")(
            num_ids=0, clip_len=attribute(embedder, "clip_len"), crop_size_hw=attribute(embedder, "crop_size_hw")
        )
    tensors = _read(run / "checkpoint.safetensors")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    save_file(tensors, part, metadata={"told": json.dumps(told)})
    try:
        check_fits(part, network)
    except WeightsError:
        part.unlink()
        raise
    part.replace(out)


def _read(checkpoint: Path) -> dict[str, Tensor]:
    """Return the mean of the weights, by their names in the network, without classifiers."""
    try:
        with safe_open(checkpoint, "pt") as file:
            names = [name for name in file.keys() if name.startswith(_PREFIX)]  # noqa: SIM118
            return {name.removeprefix(_PREFIX): file.get_tensor(name) for name in names if ".classifier." not in name}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{checkpoint}: expected a checkpoint, got: {error}; train again") from error


def main(arguments: Sequence[str]) -> None:
    """Export the run that the command line names."""
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if chosen.keys() != {"run", "out"}:
        raise ConfigError(f"command line: expected run=… out=…, got {' '.join(arguments) or 'nothing'}")
    export(Path(chosen["run"]), Path(chosen["out"]))
    print(chosen["out"])


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ReidError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
