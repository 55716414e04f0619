"""Video networks narrow enough for tests, and clips for them."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from plugins import plugin_names, plugin_yaml
from safetensors.torch import save_file
from torch import nn

from models.reid.networks.clip_network import NUM_KEYPOINTS, Clips
from pipeline.core import PoseNeed

NARROW = 1 / 8
CROP_HW = (64, 32)
NUM_IDS = 5


def embedder_yaml(name: str) -> dict[str, Any]:
    """Return a choice of configs/embedder, nothing resolved but ``reproducible``."""
    loaded = OmegaConf.to_container(plugin_yaml("embedder", name))
    assert isinstance(loaded, dict)
    return {str(key): value for key, value in loaded.items()} | {"reproducible": True}


def video_names() -> list[str]:
    """Return the choices of configs/embedder that are networks of clips."""
    return [name for name in plugin_names("embedder") if "network" in embedder_yaml(name)]


def make_network(kind: Callable[..., nn.Module], *, seed: int = 0, **settings: Any) -> nn.Module:
    """Return a narrow network for small crops, in evaluation mode."""
    # Networks so narrow are quickest on one thread, above all where tests share the processor.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    given = {"num_ids": NUM_IDS, "clip_len": 4, "crop_size_hw": CROP_HW, "width_mult": NARROW} | settings
    return kind(**given).eval()


def save_network(path: Path, network: nn.Module) -> None:
    """Write all tensors of a network, its classifiers too, as safetensors."""
    save_file({name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}, path)


def make_clips(
    num_clips: int = 2,
    num_frames: int = 4,
    *,
    crop_hw: tuple[int, int] = CROP_HW,
    seed: int = 0,
    needs: PoseNeed = PoseNeed.HEATMAPS,
) -> Clips:
    """Return random clips with as much pose as is needed; heat-maps come with keypoints."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(num_clips, num_frames, 3, *crop_hw, generator=generator)
    keypoints = torch.rand(num_clips, num_frames, NUM_KEYPOINTS, 3, generator=generator)
    heatmaps = torch.rand(num_clips, num_frames, NUM_KEYPOINTS, 16, 8, generator=generator)
    return Clips(
        pixels,
        None if needs is PoseNeed.NOTHING else keypoints,
        heatmaps if needs is PoseNeed.HEATMAPS else None,
    )


def reorder_frames(clips: Clips, order: torch.Tensor) -> Clips:
    """Return the same clips with their frames in another order."""
    return Clips(
        clips.pixels[:, order],
        None if clips.keypoints is None else clips.keypoints[:, order],
        None if clips.heatmaps is None else clips.heatmaps[:, order],
    )


def settings_of(kind: type) -> dict[str, Any]:
    """Return the settings that a network's constructor has defaults for."""
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
