"""A pose network behind its preprocessing: letter-boxed crops of a tracklet in, the network's arrays out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.backends.network import Array, Network, run_crops, shared_calls
from models.pose.crops import Letterbox, letterbox_each
from pipeline.core import Tracklet


class LetterboxedNetwork:
    """Fits each crop of a tracklet into the network's input and runs the network.

    The last bits of a result may depend on the size of the batch. So a tracklet is a call of its own, unless results
    need not be reproducible.

    Args:
        network: Has one input, a batch of crops.
        input_hw: Height and width of that input, pixels.
        margin: Ratio of the region that the network sees to the crop; the rest is black. At least 1.
        scale: Makes the input of uint8 RGB ``(N, h, w, 3)``; None for a network that takes it as it is.
        reproducible: False: the crops of all tracklets share a call.
    """

    def __init__(
        self,
        network: Network,
        *,
        input_hw: tuple[int, int],
        margin: float,
        scale: Callable[[NDArray[np.uint8]], NDArray[Any]] | None,
        reproducible: bool = True,
    ) -> None:
        self._network, self._input_hw, self._margin, self._scale = network, input_hw, margin, scale
        self._reproducible = reproducible
        self.calls = network.calls

    def run(self, tracklets: Sequence[Tracklet]) -> Iterator[tuple[list[Array], list[Letterbox]]]:
        """Yield for each tracklet the outputs of the network, each ``(N, …)``, and the letter-box of each crop."""
        boxes = [letterbox_each(tracklet, self._input_hw, margin=self._margin) for tracklet in tracklets]
        fitted = [
            np.stack([box.apply(crop) for box, crop in zip(own, tracklet.crops, strict=True)])
            for own, tracklet in zip(boxes, tracklets, strict=True)
        ]
        yield from zip(shared_calls(self._answer, fitted, reproducible=self._reproducible), boxes, strict=True)

    def _answer(self, fitted: NDArray[np.uint8]) -> list[Array]:
        return run_crops(self._network, fitted if self._scale is None else self._scale(fitted))
