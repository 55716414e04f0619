"""Takes off maps what they have by their place alone.

Convolutions that pad with zeros see the border: behind ResNet-50 most of what tells one cell from another is where it
lies, the same for everybody. A mean over all cells does not notice; features of single cells drown in it.
"""

import torch
from torch import Tensor, nn

from pipeline.core.errors import ShapeError

_MOMENTUM = 0.1
"""Of the newest batch in the running mean, as batch normalisation has it; larger forgets sooner."""


class CellMean(nn.Module):
    """Subtracts each cell's mean over many pictures, and adds the mean of all cells back.

    So the mean over the cells of a picture stays as it is. While training the mean is that of the batch; otherwise
    the running one. It is part of the weights, and so is the size of the maps.

    Args:
        channels: C.
        grid_hw: Rows and columns of the maps.
    """

    def __init__(self, channels: int, grid_hw: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("mean_CHW", torch.zeros(channels, *grid_hw))

    def forward(self, maps_NCHW: Tensor) -> Tensor:
        """Return maps of the same shape.

        Raises:
            ShapeError: If the maps are of another size than the weights.
        """
        if maps_NCHW.shape[1:] != self.mean_CHW.shape:
            raise ShapeError(
                f"cell_mean: expected maps of {tuple(self.mean_CHW.shape[1:])}, got {tuple(maps_NCHW.shape[2:])}; "
                "the size of crops is part of the weights"
            )
        mean_CHW = self.mean_CHW
        if self.training:
            mean_CHW = maps_NCHW.mean(0)
            self.mean_CHW.lerp_(mean_CHW.detach().to(self.mean_CHW.dtype), _MOMENTUM)
        return maps_NCHW - (mean_CHW - mean_CHW.mean((1, 2), keepdim=True)).to(maps_NCHW.dtype)
