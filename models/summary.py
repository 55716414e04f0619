"""What a video network costs and asks for, as one JSON object.

    python -m models.summary model=lstrl num_ids=625
    python -m models.summary model=stca num_ids=625 clip_len=1 network.width_mult=0.25

``model`` is a choice of ``configs/embedder``; other keys change its settings. Nothing is computed and no weights are
needed. ``gmacs_per_frame`` are the multiplications of convolutions and linear layers, in units of 10^9, and, where
the paper's own count has them, some for each number that a batch normalisation gives out; products of attention,
pooling and activations are not counted, as in the papers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from models.reid.networks.clip_network import NUM_KEYPOINTS, Clips
from models.reid.video import RANDOM, VideoEmbedder
from pipeline.config.composition import load_config
from pipeline.config.plugins import attribute, build
from pipeline.core.command_line import run_command
from pipeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Summary:
    """What a network costs and asks for.

    Attributes:
        parameters: Numbers that it learns or holds fixed; running statistics are none.
        gmacs_per_frame: As the module says.
        embedding_dim: Length of the vectors.
        clip_len: Crops of a clip.
        crop_size_hw: Height and width of the crops, pixels.
        needs: nothing, keypoints or heatmaps.
        distance: cosine or euclidean: how vectors are compared.
    """

    parameters: int
    gmacs_per_frame: float
    embedding_dim: int
    clip_len: int
    crop_size_hw: tuple[int, int]
    needs: str
    distance: str


def summarise(
    make_network: Callable[..., nn.Module], *, num_ids: int, clip_len: int, crop_size_hw: tuple[int, int]
) -> Summary:
    """Return the summary of a network.

    Args:
        make_network: Takes the other three as keywords.
        num_ids: People of the classifier.
        clip_len: Crops of a clip.
        crop_size_hw: Height and width of the crops, pixels.
    """
    with torch.device("meta"):
        network = make_network(num_ids=num_ids, clip_len=clip_len, crop_size_hw=crop_size_hw).eval()
        clips = Clips(
            torch.empty(1, clip_len, 3, *crop_size_hw),
            torch.empty(1, clip_len, NUM_KEYPOINTS, 3),
            torch.empty(1, clip_len, NUM_KEYPOINTS, crop_size_hw[0] // 4, crop_size_hw[1] // 4),
        )
    macs = count_macs(network, clips, per_normalised=network.macs_per_normalised)
    return Summary(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        gmacs_per_frame=macs / clip_len / 1e9,
        embedding_dim=network.vector_dim,
        clip_len=clip_len,
        crop_size_hw=crop_size_hw,
        needs=str(network.needs),
        distance=network.distance,
    )


def count_macs(network: nn.Module, *inputs: object, per_normalised: int = 0) -> int:
    """Return the multiplications of a call of a network.

    Args:
        network: On the meta device nothing is computed.
        inputs: Of the call.
        per_normalised: Counted for each number that a batch normalisation gives out.
    """
    total = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            total += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += output.numel() * layer.in_features
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            total += per_normalised * output.numel()

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def read_embedder(model: str, changes: Mapping[str, str]) -> Callable[[], VideoEmbedder]:
    """Return the factory of a choice of ``configs/embedder`` without weights, its settings changed.

    Args:
        model: The choice.
        changes: Values by key, as on a command line; for instance ``network.width_mult``.

    Raises:
        ConfigError: If there is no such choice, key or setting, or it is no network of clips.
    """
    overrides = [f"embedder.{key}={value}" for key, value in changes.items()]
    config = load_config([f"embedder={model}", f"embedder.weights={RANDOM}", *overrides])
    if config.embedder["_target_"] != f"{VideoEmbedder.__module__}.{VideoEmbedder.__name__}":
        raise ConfigError(f"model: expected a network of clips, got {model}; see configs/embedder")
    return build({**config.embedder, "device": "cpu"}, "model")


def main(arguments: Sequence[str]) -> None:
    """Print the summary of the network that the command line names.

    Raises:
        ConfigError: If it names none, or one that is not there.
    """
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if len(chosen) != len(arguments) or "model" not in chosen:
        raise ConfigError(f"command line: expected model=… and perhaps num_ids=…, got {' '.join(arguments) or 'none'}")
    model, num_ids = chosen.pop("model"), chosen.pop("num_ids", "0")
    if not num_ids.isdigit():
        raise ConfigError(f"num_ids: expected a number of people, got {num_ids!r}")
    embedder = read_embedder(model, chosen)
    height, width = attribute(embedder, "crop_size_hw")
    summary = summarise(
        attribute(embedder, "network"),
        num_ids=int(num_ids),
        clip_len=attribute(embedder, "clip_len"),
        crop_size_hw=(height, width),
    )
    print(json.dumps(asdict(summary)))


if __name__ == "__main__":
    run_command(main)
