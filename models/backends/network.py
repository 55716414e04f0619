"""What a network of any backend offers to a plug-in: ports with names and shapes, and one call."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ConfigError, WeightsError

Array = NDArray[Any]

MAX_SHARED = 64
"""Crops or clips in one call, of several tracklets. A GPU is busy with that many of 256x128; more take more memory."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a network.

    Attributes:
        name: As the file has it; empty if it has none.
        dtype: Of the numbers, as numpy calls it: float32, uint8.
        shape: Sizes of the axes; None where any size is possible.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name or 'unnamed'} {self.dtype} ({sizes})"

    def fits(self, *sizes: int | None) -> bool:
        """Return whether the port takes an array with these sizes; None stands for any size."""
        return len(sizes) == len(self.shape) and all(
            has is None or size is None or has == size for has, size in zip(self.shape, sizes, strict=True)
        )


class Network(Protocol):
    """A network in memory, ready to compute on one device."""

    path: Path
    """The file it was loaded from."""
    device: str
    threads: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    calls: Counter[int]
    """How often it was called with so many pictures, crops or clips at once."""

    def run(self, *inputs: Array) -> list[Array]:
        """Return the outputs, in order, for the inputs, in order.

        The arrays that come back belong to the caller. The inputs stay as they are.
        """
        ...


def list_ports(ports: Sequence[Port]) -> str:
    """Return ports as a message shows them."""
    return ", ".join(str(port) for port in ports) or "none"


def run_crops(network: Network, crops: Array) -> list[Array]:
    """Return the outputs of a network with one input for a batch, shape ``(N, …)``.

    A network whose first axis is fixed at 1 is run once per crop.
    """
    if network.inputs[0].shape[0] != 1:
        return network.run(crops)
    answers = [network.run(crop) for crop in np.split(crops, len(crops))]
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]


def shared_calls(
    answer: Callable[[Array], Sequence[Array]], groups: Sequence[Array], *, reproducible: bool
) -> Iterator[list[Array]]:
    """Yield the answers to each group of inputs, in order.

    Args:
        answer: From inputs ``(N, …)`` to outputs ``(N, …)``, for any N.
        groups: Each ``(n, …)``, n at least 1.
        reproducible: True: each group is a call of its own. False: groups share calls of ``MAX_SHARED`` inputs, or of
            one group where that has more.
    """
    for first, last in neighbours([len(group) for group in groups], 1 if reproducible else MAX_SHARED):
        outputs = answer(np.concatenate(groups[first:last]) if last - first > 1 else groups[first])
        start = 0
        for group in groups[first:last]:
            yield [output[start : start + len(group)] for output in outputs]
            start += len(group)


def neighbours(sizes: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Yield first and last (exclusive) of neighbours with at most so many together, or of one that has more."""
    first = together = 0
    for number, size in enumerate(sizes):
        if number > first and together + size > most:
            yield first, number
            first, together = number, 0
        together += size
    if len(sizes) > first:
        yield first, len(sizes)


def check_crops(network: Network, crop_hw: tuple[int, int], *, weights: str, option: str) -> None:
    """Check that the first input of a network takes crops ``(N, 3, h, w)``.

    Args:
        network: Its first input has four axes.
        crop_hw: Height and width that the crops will have, pixels.
        weights: Name of the network in messages.
        option: Name of the size in messages.

    Raises:
        ConfigError: If the network takes another size.
        WeightsError: If it takes a fixed number of crops that is not 1.
    """
    (taken, *_) = network.inputs
    if not taken.fits(None, 3, *crop_hw):
        raise ConfigError(f"{option}: expected what {weights} takes, {taken}, got {[3, *crop_hw]}")
    if taken.shape[0] not in (None, 1):
        raise WeightsError(
            f"{weights}: expected any number of crops a call, or 1, got {taken.shape[0]}; export it with a free N"
        )
