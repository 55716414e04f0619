"""Pictures of many worlds, decoded once and kept as far as memory allows."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from models.training.worlds import World

Image = NDArray[np.uint8]


class Pictures:
    """Frames or crops of worlds, one numbering for all.

    Args:
        worlds: In this order.
        kind: frame, crop or mask, as ``World.encoded`` knows them.
        max_bytes: Of decoded pictures; the rest is decoded whenever it is asked for.
        fit: What is done with a decoded picture before it is kept.
        threads: That decode.

    Raises:
        DataError: If a world is damaged.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        kind: str,
        *,
        max_bytes: int,
        fit: Callable[[Image], Image] = lambda image: image,
        threads: int = 2,
    ) -> None:
        self._encoded = [(world, picture) for world in worlds for picture in world.encoded(kind)]
        self._fit = fit
        self._kept: list[Image] = []
        with ThreadPoolExecutor(threads) as pool:
            while len(self._kept) < len(self._encoded) and max_bytes > 0:
                rows = range(len(self._kept), min(len(self._kept) + 256, len(self._encoded)))
                images = list(pool.map(self._decode, rows))
                self._kept += images
                max_bytes -= sum(image.nbytes for image in images)

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, row: int) -> Image:
        return self._kept[row] if row < len(self._kept) else self._decode(row)

    def _decode(self, row: int) -> Image:
        world, picture = self._encoded[row]
        return self._fit(world.decode(picture))


def spread(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most ``most`` of the rows, evenly spread, in their order.

    Example:
        >>> spread(np.arange(10), 4).tolist()
        [0, 3, 6, 9]
    """
    picked: NDArray[np.intp] = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    return picked
