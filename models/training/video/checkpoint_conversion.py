"""Checkpoint conversion: a published network of single images becomes the baseline of clips.

    python -m models.training convert-checkpoint from=/a/resnet50.pth.tar out=weights/baseline.safetensors
    make run ARGS="embedder=baseline embedder.weights=weights/baseline.safetensors embedder.network.last_stride=2"

Known are checkpoints of ResNet-50 of torchreid (``resnet50``; ``last_stride: 2``) and of fast-reid (``bagtricks_R50``;
``last_stride: 1``), which have their classifiers left out. Pickles are read as tensors alone, so that no code of theirs
runs. The baseline averages what the network says of each crop, as users of single images do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.reid.checkpoint import check_fits, read_tensors
from models.reid.networks.baseline import Baseline
from pipeline.core.errors import ConfigError

_LEFT_OUT = ("classifier.", "heads.weight", "heads.cls_layer.", "pixel_mean", "pixel_std", "fc.")


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors by their names in the baseline.

    Where there is no neck, one that changes nothing stands in.

    Args:
        tensors: By their names in torchreid or fast-reid, ``module.`` before or not.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("module.")
        if name.startswith(_LEFT_OUT):
            continue
        if name.startswith("heads.bottleneck.0."):
            renamed[f"neck.norm.{name.removeprefix('heads.bottleneck.0.')}"] = tensor
        else:
            renamed[f"trunk.{name.removeprefix('backbone.')}"] = tensor
    if not any(name.startswith("neck.") for name in renamed):
        norm = nn.BatchNorm1d(_blank().vector_dim).state_dict()
        renamed |= {f"neck.norm.{name}": tensor for name, tensor in norm.items()}
    # Old checkpoints do not count batches.
    for name in [name for name in renamed if name.endswith("running_var")]:
        renamed.setdefault(name.replace("running_var", "num_batches_tracked"), torch.tensor(0))
    return {name: tensor.contiguous() for name, tensor in renamed.items()}


def convert(checkpoint: Path, out: Path) -> None:
    """Write the weights of a published network as those of the baseline.

    Args:
        checkpoint: Of torchreid or fast-reid.
        out: The ``.safetensors`` file; replaced if it is there.

    Raises:
        WeightsError: If it is damaged, or of another network.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    try:
        save_file(rename(read_tensors(checkpoint)), part, metadata={"told": checkpoint.name})
        check_fits(part, _blank())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _blank() -> Baseline:
    """Return the baseline without numbers."""
    with torch.device("meta"):
        return Baseline(num_ids=0, clip_len=1, crop_size_hw=(256, 128))


def main(arguments: Sequence[str]) -> None:
    """Convert the checkpoint that the command line names."""
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if chosen.keys() != {"from", "out"}:
        raise ConfigError(f"command line: expected from=… out=…, got {' '.join(arguments) or 'nothing'}")
    convert(Path(chosen["from"]), Path(chosen["out"]))
    print(chosen["out"])
