"""From a run of ``task=video`` to weights that the pipeline loads.

    python -m models.training export-video run=outputs/lstrl out=weights/lstrl_light.safetensors
    make run ARGS='embedder=lstrl_light embedder.weights=weights/lstrl_light.safetensors'

The file holds the moving average of the weights, without classifiers, and the configuration of the run. ``out=….onnx``
writes a network for ``embedder=video_onnx`` instead, which must agree with torch before it is kept. ``best=true`` takes
the best network of a run that was scored during training instead of the last one: its score chose it, so the score is
no longer one on unseen data. ``half=true`` stores float16, which halves the file.
"""

import json
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import MISSING
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.reid.checkpoint import check_fits, load_network
from models.reid.networks.clip_network import NUM_KEYPOINTS, Clips
from models.summary import read_embedder
from models.training.candidates import read_options
from models.training.video.scoring import NetworkInput
from pipeline.core import PoseNeed
from pipeline.core.errors import ConfigError, WeightsError

_PREFIX = "mean/network."
_OPSET = 18
_MIN_COSINE = 0.999
_HEATMAP_HW = (64, 32)
"""What pose estimators give by default."""


@dataclass
class Options:
    """What is exported, as ``key=value``.

    Attributes:
        run: Folder of a finished training.
        out: The ``.safetensors`` or ``.onnx`` file.
        best: As the module says.
        half: Likewise.
    """

    run: str = MISSING
    out: str = MISSING
    best: bool = False
    half: bool = False


class VectorOfClip(nn.Module):
    """A network of clips as a function of tensors.

    Args:
        network: In evaluation mode.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels_BTCHW: Tensor, pose: Tensor | None = None) -> Tensor:
        """Return the vectors, ``(B, D)``.

        Args:
            pixels_BTCHW: Scaled.
            pose: Keypoints or heat-maps, whichever are needed.
        """
        is_keypoints = self.network.needs is PoseNeed.KEYPOINTS
        clips = Clips(pixels_BTCHW, *((pose, None) if is_keypoints else (None, pose)))
        vectors: Tensor = self.network(clips).vector
        return vectors


def write_onnx(network: nn.Module, path: Path, *, clip_len: int, crop_hw: tuple[int, int]) -> float:
    """Write a network that takes one clip a call; return the least cosine between its vectors and torch's.

    Args:
        network: In evaluation mode, on the processor.
        path: Of the ``.onnx`` file.
        clip_len: Frames of a clip.
        crop_hw: Height and width of crops, pixels.

    Raises:
        WeightsError: If onnxruntime computes something else.
    """
    made = VectorOfClip(network).eval()
    names = ["pixels", *([] if network.needs is PoseNeed.NOTHING else [str(network.needs)])]
    with warnings.catch_warnings():
        # As in ``models.training.export``; sizes are fixed on purpose.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", UserWarning)
        torch.onnx.export(
            made,
            example_of(network, 0, clip_len, crop_hw),
            path,
            input_names=names,
            output_names=["vectors"],
            opset_version=_OPSET,
            dynamo=False,
        )
    exported = OnnxRuntimeNetwork(path, device="cpu", threads=1)
    cosines = []
    for seed in range(1, 5):
        inputs = example_of(network, seed, clip_len, crop_hw)
        with torch.no_grad():
            expected = made(*inputs)
        (got,) = exported.run(*(value.numpy() for value in inputs))
        cosines.append(float(functional.cosine_similarity(torch.from_numpy(got), expected)[0]))
    if not min(cosines) >= _MIN_COSINE:
        raise WeightsError(f"{path}: expected onnxruntime to agree with torch to {_MIN_COSINE}, got {min(cosines):.5f}")
    return min(cosines)


def example_of(network: nn.Module, seed: int, clip_len: int, crop_hw: tuple[int, int]) -> tuple[Tensor, ...]:
    """Return a clip ``(1, T, 3, h, w)`` and the pose that is needed, drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(1, clip_len, 3, *crop_hw, generator=generator)
    shapes = {PoseNeed.KEYPOINTS: (3,), PoseNeed.HEATMAPS: _HEATMAP_HW}
    if network.needs not in shapes:
        return (pixels,)
    shape = (1, clip_len, NUM_KEYPOINTS, *shapes[network.needs])
    return pixels, torch.rand(shape, generator=generator)


def export(run: Path, out: Path, *, best: bool = False, half: bool = False) -> None:
    """Write the weights of a finished run.

    Args:
        run: Its folder.
        out: The ``.safetensors`` or ``.onnx`` file; replaced if it is there.
        best: Take the network with the best score, not the last one.
        half: Write float16.

    Raises:
        ConfigError: If it is no finished run of networks of clips.
        WeightsError: If its checkpoint is damaged, or not of the network that the run trained.
    """
    try:
        record: dict[str, Any] = json.loads((run / "score.json").read_text(encoding="utf-8"))
        options = record["config"]["options"] if record["config"]["task"] == "video" else None
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"run: expected the folder of a finished training with score.json, got {run}") from error
    if options is None:
        raise ConfigError(f"run: expected one of task=video, got {record['config']['task']} in {run}")
    changes = {key: str(value) for key, value in options.get("changes", {}).items()}
    settings = NetworkInput.of(read_embedder(options.get("model", "lstrl_light"), changes))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        part = Path(scratch) / "part.safetensors"
        weights = _read(run / f"{'best' if best else 'checkpoint'}.safetensors")
        if half:
            weights = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
        save_file(weights, part, metadata={"told": json.dumps(_without_folders(record))})
        with torch.device("meta"):
            check_fits(part, settings.make(0))
        if out.suffix == ".onnx":
            network = settings.make(0)
            load_network(part, network)
            part = part.with_suffix(".onnx")
            write_onnx(network.eval(), part, clip_len=settings.clip_len, crop_hw=settings.crop_hw)
        part.replace(out)


def _without_folders(record: Any) -> Any:
    """Return the record of a run, without the folders of the machine that it ran on."""
    if isinstance(record, dict):
        return {key: _without_folders(value) for key, value in record.items()}
    return Path(record).name if isinstance(record, str) and "/" in record else record


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
    options, rest = read_options(arguments, Options)
    if rest:
        raise ConfigError(f"command line: expected run=… out=… and perhaps best=… half=…, got {' '.join(rest)}")
    export(Path(options.run), Path(options.out), best=options.best, half=options.half)
    print(options.out)
