"""Where networks of clips look: the maps that their papers show, over the crops of a clip."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.reid.networks.asanet import AsaNet
from models.reid.networks.clip_network import Clips
from models.reid.networks.ctl import Ctl, GraphConvolution
from models.reid.networks.lstrl import AppearanceExtractor, Lstrl, MotionEstimator
from models.reid.networks.rapa import Rapa
from models.reid.networks.stca import Stca
from models.training.figures.image_grid import INK, PAPER
from models.training.pictures import Image

_CELL_HW = (96, 48)
_LABEL_WIDTH = 140
_STRENGTH = 0.55
_PARTS = ("head", "body", "legs")
_STAGE = "layer2"


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """What a network looks at.

    Attributes:
        name: Of the map, as in the paper.
        values: Shape ``(T, h, w)`` over frames, or ``(n, V, V)`` of links.
        is_over_frames: Which of the two.
    """

    name: str
    values: NDArray[np.float32]
    is_over_frames: bool = True


@torch.no_grad()
def attention_maps(network: nn.Module, clips: Clips) -> list[AttentionMap]:
    """Return the maps of a network for the first clip; none of one that the papers show nothing of.

    Args:
        network: In evaluation mode.
        clips: A batch of one clip.
    """
    kinds: dict[type, Callable[[Any, Clips], Iterator[tuple[str, Tensor]]]] = {
        Lstrl: _of_lstrl,
        Stca: _of_stca,
        AsaNet: _of_asanet,
        Rapa: _of_rapa,
    }
    if isinstance(network, Ctl):
        return [
            AttentionMap(name, values.float().numpy(), is_over_frames=False) for name, values in _of_ctl(network, clips)
        ]
    found = kinds[type(network)](network, clips) if type(network) in kinds else iter(())
    return [AttentionMap(name, values.float().numpy()) for name, values in found]


def draw_rows(images_THWC: Image, maps: list[AttentionMap], *, title: str) -> list[Image]:
    """Return rows of cells of one size: the crops, then a row a map, bright where the network looks.

    Args:
        images_THWC: The crops of the clip, uint8, RGB.
        maps: Of a network.
        title: Written beside the crops.
    """
    rows = [[_label(title), *(_resized(image) for image in images_THWC)]]
    blank = np.full((*_CELL_HW, 3), PAPER, np.uint8)
    for shown in maps:
        scaled = _scaled(shown.values)
        if shown.is_over_frames:
            cells = [_over(image, values) for image, values in zip(images_THWC, scaled, strict=True)]
        else:
            cells = [_matrix(values) for values in scaled]
        rows.append([_label(shown.name), *cells, *[blank] * (len(images_THWC) - len(cells))])
    return [np.hstack(row) for row in rows]


def _of_lstrl(network: Lstrl, clips: Clips) -> Iterator[tuple[str, Tensor]]:
    seen: dict[str, Tensor] = {}
    appearance, motion = network.mae[_STAGE], network.bme[_STAGE]
    assert isinstance(appearance, AppearanceExtractor)
    assert isinstance(motion, MotionEstimator)
    hooks = [
        appearance.register_forward_pre_hook(lambda _, inputs: seen.update(maps=inputs[0])),
        motion.register_forward_hook(lambda _, __, output: seen.update(motion=output)),
    ]
    try:
        network(clips)
    finally:
        for hook in hooks:
            hook.remove()
    num_frames, _, height, width = seen["maps"].shape[1:]
    middle = height // 2 * width + width // 2
    for granularity, relation_BQL in appearance.relations(seen["maps"]).items():
        # Who asks: the middle of the first frame, of all frames, each frame itself, the clip.
        maps_QTHW = relation_BQL[0].unflatten(1, (num_frames, height, width))
        asked = {1: middle, 2: middle, 4: 0}
        if granularity == 3:
            yield "LSTRL D3, a frame", torch.stack([maps_QTHW[frame, frame] for frame in range(num_frames)])
        else:
            what = {1: "a place", 2: "a map", 4: "the clip"}[granularity]
            yield f"LSTRL D{granularity}, {what}", maps_QTHW[asked[granularity]]
    yield "LSTRL motion", seen["motion"][0].norm(dim=1)


def _of_stca(network: Stca, clips: Clips) -> Iterator[tuple[str, Tensor]]:
    extras = network(clips).extras
    rows, columns = (-(-side // 16) for side in network.crop_size_hw)
    for name, what in (("attention_in_frames", "STCA A_S, frames"), ("attention_in_clip", "STCA A_T, clip")):
        if name in extras:
            yield what, extras[name][0].unflatten(1, (rows, columns))


def _of_asanet(network: AsaNet, clips: Clips) -> Iterator[tuple[str, Tensor]]:
    extras = network(clips).extras
    for name, what in (("mask_id_relevant", "ASA-Net, worn"), ("mask_id_irrelevant", "ASA-Net, pose")):
        if name in extras:
            yield what, extras[name][0]


def _of_rapa(network: Rapa, clips: Clips) -> Iterator[tuple[str, Tensor]]:
    maps_RTHW = network(clips).extras["part_maps"][0]
    for number, part in enumerate(_PARTS):
        # By the largest and by the mean of the reference's part.
        yield f"RAPA, {part}", maps_RTHW[2 * number : 2 * number + 2].mean(0)


def _of_ctl(network: Ctl, clips: Clips) -> Iterator[tuple[str, Tensor]]:
    seen: dict[str, Tensor] = {}
    hooks = []
    for scale, layers in network.layers.items():
        layer = layers[0]
        assert isinstance(layer, GraphConvolution)

        def keep(module: GraphConvolution, inputs: tuple[Tensor, ...], scale: str = scale) -> None:
            seen[scale] = module.propagation(module.windows(inputs[0]))[0, 0]

        hooks.append(layer.register_forward_pre_hook(keep))
    try:
        network(clips)
    finally:
        for hook in hooks:
            hook.remove()
    for scale, links_VV in seen.items():
        yield f"CTL links, {scale}", links_VV.abs()[None]


def _scaled(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values of each frame between 0 and 1."""
    low, high = (bound(values, axis=(1, 2), keepdims=True) for bound in (np.min, np.max))
    scaled: NDArray[np.float32] = (values - low) / np.maximum(high - low, 1e-12)
    return scaled


def _over(image: Image, values: NDArray[np.float32]) -> Image:
    cell = _resized(image)
    heat = cv2.resize(values, _CELL_HW[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    coloured = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.asarray(cv2.addWeighted(cell, 1 - _STRENGTH, coloured, _STRENGTH, 0), np.uint8)


def _matrix(values: NDArray[np.float32]) -> Image:
    side = min(_CELL_HW)
    square = cv2.resize((255 * values).astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
    cell = np.full((*_CELL_HW, 3), PAPER, np.uint8)
    top = (_CELL_HW[0] - side) // 2
    cell[top : top + side] = cv2.applyColorMap(square, cv2.COLORMAP_INFERNO)[..., ::-1]
    return cell


def _resized(image: Image) -> Image:
    return np.asarray(cv2.resize(image, _CELL_HW[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _label(text: str) -> Image:
    cell = np.full((_CELL_HW[0], _LABEL_WIDTH, 3), PAPER, np.uint8)
    cv2.putText(cell, text, (6, _CELL_HW[0] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return cell
