"""From a checkpoint to a network that the pipeline runs: ONNX, a model card, and an entry in the catalogue.

    python -m models.training export run=outputs/detector name=passerby_detector
    python -m models.training export run=outputs/reid name=passerby_reid folder=/elsewhere

Torch and onnxruntime must agree before anything is kept. Scores on real footage are no part of it: run
``models.training.scoring.score_pets`` and add them to the card by ``note='…'``.
"""

import hashlib
import json
import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.backends.onnx_runtime import OnnxRuntimeNetwork
from models.training.checkpoint import Position, load_mean
from models.training.detector.network import ExportedYolox, YoloxSmall
from models.training.keypoints.network import HeatmapSmall
from models.training.layers import count_macs, num_parameters
from models.training.reid.network import WIDTHS, ExportedReid, OmniSmall
from models.training.reid.pretrained import MobileReid
from models.weights.store import CATALOGUE, SHIPPED
from pipeline.core.errors import ConfigError, WeightsError

_OPSET = 18
_TOLERANCE = 1e-3
_FRAME_HW = (384, 640)
"""Input of the exported detector, pixels. It finds more where frames are shrunk less; 640x360 frames are not shrunk."""
_ANY_NUMBER = {"images": {0: "N"}, "output": {0: "N"}}
_ANY_SIZE = {"images": {0: "N", 2: "height", 3: "width"}, "output": {0: "N", 1: "places"}}


@dataclass(frozen=True, slots=True)
class Deployable:
    """A trained network and what is said of it.

    Attributes:
        network: In evaluation mode, on the processor.
        size_hw: Height and width of its input, pixels.
        free: Axes of the input and of the output that may have any size, by name, as ``torch.onnx.export`` takes
            them; both sizes of a picture are multiples of 32 then.
        what: A line for the card.
        use: How to choose it.
    """

    network: nn.Module
    size_hw: tuple[int, int]
    free: Mapping[str, Mapping[int, str]]
    what: str
    use: str


def load_run(run: Path) -> tuple[Deployable, dict[str, Any], Position]:
    """Return the network of a finished run, the record of the run with its scores, and its length.

    Raises:
        ConfigError: If there is no finished run.
        WeightsError: If its checkpoint is damaged.
    """
    try:
        record: dict[str, Any] = json.loads((run / "score.json").read_text(encoding="utf-8"))
        task, options = record["config"]["task"], record["config"]["options"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"run: expected the folder of a finished training with score.json, got {run}: {error!r}"
        ) from error
    checkpoint = run / "checkpoint.safetensors"
    if task == "detector":
        detector = YoloxSmall()
        position = load_mean(checkpoint, detector)
        network = ExportedYolox(detector).eval()
        made = Deployable(network, _FRAME_HW, _ANY_SIZE, "Finds people in frames.", "detector=passerby")
    elif task == "keypoints":
        pose = HeatmapSmall()
        position = load_mean(checkpoint, pose)
        size = tuple(options.get("input_hw", (192, 96)))
        made = Deployable(pose.eval(), size, _ANY_NUMBER, "Finds the 17 COCO keypoints in a crop.", "pose=passerby")
    elif task == "reid":
        is_pretrained = options.get("pretrained") is not None
        reid = MobileReid() if is_pretrained else OmniSmall(widths=tuple(options.get("widths", WIDTHS)))
        position = load_mean(checkpoint, reid, below="network.")
        size = tuple(options.get("crop_hw", (128, 64)))
        network = ExportedReid(reid).eval()
        made = Deployable(network, size, _ANY_NUMBER, "Tells people apart by crops.", "embedder=passerby")
    else:
        raise ConfigError(f"run: expected a task that is known here, got {task!r} in {run}")
    return made, record, position


def write_onnx(made: Deployable, path: Path) -> float:
    """Write the network; return the greatest difference to torch.

    Raises:
        WeightsError: If onnxruntime does not compute the same.
    """
    height, width = made.size_hw
    example = torch.full((1, 3, height, width), 114.0)
    with warnings.catch_warnings():
        # The newer exporter needs a package more and gives the same graph for these networks.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Sizes are checked while it traces; and instance normalisation is the same in training and in use.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", message=".*instance_norm.*", category=UserWarning)
        torch.onnx.export(
            made.network,
            (example,),
            path,
            input_names=["images"],
            output_names=["output"],
            dynamic_axes=made.free,
            opset_version=_OPSET,
            dynamo=False,
        )
    network = OnnxRuntimeNetwork(path, device="cpu", threads=1)
    worst = 0.0
    for seed in range(4):
        pixels = _picture(seed, made.size_hw)
        with torch.no_grad():
            expected = made.network(pixels).numpy()
        (got,) = network.run(pixels.numpy())
        worst = max(worst, float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max())))
    if not worst < _TOLERANCE:
        raise WeightsError(f"{path}: expected onnxruntime to agree with torch within {_TOLERANCE}, got {worst:.2g}")
    return worst


def _picture(seed: int, size_hw: tuple[int, int]) -> Tensor:
    """Return a picture of coarse and fine structure, ``(1, 3, h, w)``."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, 8, 8), generator=generator)
    fine = torch.rand((1, 3, *size_hw), generator=generator)
    return nn.functional.interpolate(coarse, size=size_hw, mode="bilinear") * 200 + fine * 55


def write_card(path: Path, made: Deployable, record: Mapping[str, Any], *, onnx: Path, worst: float, note: str) -> None:
    """Write the model card."""
    config = record["config"]
    height, width = made.size_hw
    macs = count_macs(made.network, torch.zeros(1, 3, height, width))
    scores = (
        "\n".join(f"- {name}: {value:.3f}" for name, value in record["scores"].items()) or "- none: nothing held out"
    )
    origin = (
        "ImageNet (published weights of MobileNetV2), then rendered worlds, {data}; no other real picture"
        if config["options"].get("pretrained")
        else "rendered worlds alone, {data}; no picture of a real person, no other weights"
    ).format(data=f"`{Path(config['data']).name}`")
    options = ", ".join(f"{name}={value}" for name, value in config["options"].items()) or "defaults"
    path.write_text(
        f"""# {onnx.stem}

{made.what} `{made.use}`

| | |
|---|---|
| file | `{onnx.name}`, {onnx.stat().st_size} bytes |
| network | {num_parameters(made.network) / 1e6:.3f} million parameters, {macs / 1e9:.3f} GMAC at {height}x{width} |
| learned from | {origin} |
| recipe | `task={config["task"]}`, seed {config["seed"]}, options: {options} |
| trained | {record["steps"]} steps, {record["minutes"]} minutes, {"bfloat16" if record["bfloat16"] else "float32"} |
| code | commit {record["commit"]} |
| exported | {date.today().isoformat()}; onnxruntime within {worst:.1g} of torch |
| licence | Apache-2.0 |

Scores on rendered worlds that were held out:

{scores}

{note}
""".rstrip()
        + "\n",
        encoding="utf-8",
    )


def enter_catalogue(catalogue: Path, onnx: Path, what: str) -> None:
    """Write the file's digest and size into the catalogue, in the place of an older entry."""
    digest = hashlib.sha256(onnx.read_bytes()).hexdigest()
    entry = (
        f"# Ours, shipped in models/weights: {what[0].lower()}{what[1:]} Card: {onnx.stem}.md\n"
        f"{onnx.name}:\n  url: null\n  sha256: {digest}\n  size: {onnx.stat().st_size}\n  licence: Apache-2.0\n"
    )
    text = catalogue.read_text(encoding="utf-8")
    older = re.compile(rf"(?:^#.*\n)*^{re.escape(onnx.name)}:\n(?:^  .*\n)+", re.MULTILINE)
    text = older.sub(lambda _: entry, text) if older.search(text) else f"{text.rstrip()}\n\n{entry}"
    catalogue.write_text(text, encoding="utf-8")


def export(run: Path, name: str, *, folder: Path, catalogue: Path | None, note: str) -> Path:
    """Export a run; return the ONNX file."""
    made, record, _ = load_run(run)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        part = Path(scratch) / f"{name}.onnx"
        worst = write_onnx(made, part)
        onnx = part.replace(folder / part.name)
    write_card(folder / f"{name}.md", made, record, onnx=onnx, worst=worst, note=note)
    if catalogue is not None:
        enter_catalogue(catalogue, onnx, made.what)
    return onnx


def main(arguments: list[str]) -> None:
    """Export what the command line names."""
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    unknown = chosen.keys() - {"run", "name", "folder", "note"}
    if unknown or not {"run", "name"} <= chosen.keys():
        raise ConfigError(
            f"command line: expected run=… name=… and perhaps folder=… note=…, got {' '.join(arguments) or 'nothing'}"
        )
    folder = Path(chosen.get("folder", SHIPPED))
    catalogue = CATALOGUE if folder == SHIPPED else None
    print(export(Path(chosen["run"]), chosen["name"], folder=folder, catalogue=catalogue, note=chosen.get("note", "")))
