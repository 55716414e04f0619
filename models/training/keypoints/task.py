"""Training of the keypoint network."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from models.training.engine import MAX_NORM, Batch, make_adamw
from models.training.keypoints.network import STRIDE, HeatmapSmall
from models.training.keypoints.samples import HIDDEN, OUTSIDE, VISIBLE, KeypointSamples
from models.training.pictures import spread
from models.training.worlds import World

_SIGMA_CELLS = 1.5
_WEIGHTS = {OUTSIDE: 0.2, HIDDEN: 0.4, VISIBLE: 1.0}
_LOSS_SCALE = 100.0
_MAX_SCORED = 1000
_NEAR = 0.05


class KeypointTask:
    """Finds keypoints in crops.

    Args:
        worlds: Training worlds.
        held_out: Worlds to score with.
        seed: Seed of the sampling.
        device: Device of the loss.
        max_bytes: Of decoded crops.
        input_hw: Height and width of the network's input, pixels, multiples of 32.
        min_visible: Least part of a person that a crop must show.
        batch_size: Crops a step.
        learning_rate: The highest of the schedule.
        weight_decay: Of AdamW.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        held_out: Sequence[World],
        *,
        seed: int,
        device: torch.device,
        max_bytes: int,
        input_hw: tuple[int, int] = (192, 96),
        min_visible: float = 0.4,
        batch_size: int = 48,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.03,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_norm: float | None = MAX_NORM
        self._weight_decay = weight_decay
        self._seed = seed
        self._device = device
        self._batch_size = batch_size
        size = (input_hw[0], input_hw[1])
        self._samples = KeypointSamples(worlds, input_hw=size, min_visible=min_visible, max_bytes=max_bytes)
        self._held_out = KeypointSamples(held_out, input_hw=size, min_visible=min_visible, max_bytes=0)

    def make_network(self) -> HeatmapSmall:
        """Return a network that knows nothing."""
        return HeatmapSmall()

    def optimisers(self, network: nn.Module) -> list[torch.optim.Optimizer]:
        """Return what moves the weights."""
        return [make_adamw(network, rate=self.learning_rate, decay=self._weight_decay)]

    def draw(self, step: int) -> Batch:
        """Return the crops ``(N, 3, h, w)`` of a step and their keypoints."""
        rng = np.random.default_rng([self._seed, step])
        drawn = [self._samples.draw(rng) for _ in range(self._batch_size)]
        return {
            "pixels": np.ascontiguousarray(np.stack([one.image for one in drawn]).transpose(0, 3, 1, 2)),
            "points_xy": np.stack([one.points_xy for one in drawn]),
            "visible": np.stack([one.visible for one in drawn]),
        }

    def loss(self, network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted mean of squared differences to bumps at the keypoints; flat maps where there is none."""
        maps = network(batch["pixels"].float().contiguous(memory_format=torch.channels_last)).float()
        targets = bumps(batch["points_xy"], batch["visible"], (maps.shape[2], maps.shape[3]))
        weights = torch.zeros_like(batch["visible"], dtype=torch.float32)
        for kind, weight in _WEIGHTS.items():
            weights[batch["visible"] == kind] = weight
        squared = (maps - targets).square().mean((2, 3))
        return {"loss": _LOSS_SCALE * (squared * weights).sum() / weights.sum().clamp(min=1)}

    @torch.no_grad()
    def score(self, network: nn.Module) -> dict[str, float]:
        """Return the part of visible keypoints within 5 % of the person's height, and the mean error in heights."""
        rows = spread(self._held_out.rows, _MAX_SCORED)
        errors = [np.empty(0)]
        for row in rows:
            posed = self._held_out.plain(int(row))
            pixels = torch.from_numpy(posed.image.transpose(2, 0, 1)[None].copy()).float().to(self._device)
            maps = network(pixels)[0].cpu().numpy()
            cells = np.stack(np.unravel_index(maps.reshape(len(maps), -1).argmax(1), maps.shape[1:])[::-1], axis=1)
            distances = np.linalg.norm(cells * STRIDE - posed.points_xy, axis=1) / max(posed.height_px, 1.0)
            errors.append(distances[posed.visible == VISIBLE])
        found = np.concatenate(errors)
        if not len(found):
            return {}
        return {"near": float((found < _NEAR).mean()), "mean_error_heights": float(found.mean())}


def bumps(points_xy: Tensor, visible: Tensor, map_hw: tuple[int, int]) -> Tensor:
    """Return maps with a Gaussian of peak 1 at each keypoint that is inside, ``(N, 17, h', w')``.

    Args:
        points_xy: ``(N, 17, 2)``, pixels of the input; cell i of a map stands for pixel ``4 i``.
        visible: ``(N, 17)``.
        map_hw: Rows and columns.
    """
    centres = points_xy / STRIDE
    rows = torch.arange(map_hw[0], device=points_xy.device)
    columns = torch.arange(map_hw[1], device=points_xy.device)
    down = torch.exp(-((rows - centres[..., 1:]) ** 2) / (2 * _SIGMA_CELLS**2))
    across = torch.exp(-((columns - centres[..., :1]) ** 2) / (2 * _SIGMA_CELLS**2))
    return down[..., None] * across[..., None, :] * (visible != OUTSIDE)[..., None, None]
