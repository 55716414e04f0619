"""The grid of a dense detector: one cell every 8, 16 and 32 pixels."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

MAX_SHARE = 2.0
"""A coordinate in shares of the input stays below this. Larger takes more boxes in pixels for shares."""

LIKE_CELLS = 0.9
"""Correlation of centres and cells from which centres lie on them. Larger finds fewer networks with boxes in shares."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of all levels, in the order in which YOLO networks answer.

    Attributes:
        cells: Column and row of each, shape ``(A, 2)``.
        strides: Pixels from cell to cell, shape ``(A, 1)``.
    """

    cells: NDArray[np.float32]
    strides: NDArray[np.float32]

    @classmethod
    def of(cls, input_hw: tuple[int, int], strides: tuple[int, ...]) -> Self:
        """Return the grid of an input with this height and width, pixels."""
        cells, steps = [], []
        for stride in strides:
            rows, columns = np.mgrid[: input_hw[0] // stride, : input_hw[1] // stride]
            cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
            steps.append(np.full((rows.size, 1), stride))
        return cls(np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32))

    def __len__(self) -> int:
        """Return the number of cells, A."""
        return len(self.cells)

    def decode(self, rows: NDArray[np.float32], found: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return boxes in pixels of the input: left, top, right, bottom.

        Args:
            rows: Offset from the cell and log size, in strides, shape ``(N, 4)`` (YOLOX, section 2.1).
            found: The cell of each row, shape ``(N,)``.
        """
        strides = self.strides[found]
        centres = (rows[:, :2] + self.cells[found]) * strides
        halves = np.exp(rows[:, 2:]) * strides / 2
        boxes_xyxy: NDArray[np.float32] = np.concatenate([centres - halves, centres + halves], axis=1)
        return boxes_xyxy

    def is_decoded(self, rows: NDArray[np.float32]) -> bool:
        """Return whether rows hold centres in pixels, not offsets from their cells: one a cell, shape ``(A, 4+)``.

        Centres stay near their cells and offsets near 0, whatever the picture shows.
        """
        middles = self._middles()
        from_cell = np.abs(rows[:, :2] - middles) / self.strides
        return bool(np.median(from_cell) < np.median(np.abs(rows[:, :2])))

    def is_in_shares(self, rows: NDArray[np.float32], input_hw: tuple[int, int]) -> bool:
        """Return whether rows hold centres in shares of the input: one a cell, shape ``(A, 4+)``.

        Centres in shares rise with the cells; offsets, which are as small, do not.
        """
        if np.abs(rows[:, :2]).max() > MAX_SHARE or (np.ptp(rows[:, :2], axis=0) == 0).any():
            return False
        shares = self._middles() / np.array(input_hw[::-1])
        return all(np.corrcoef(rows[:, axis], shares[:, axis])[0, 1] > LIKE_CELLS for axis in (0, 1))

    def _middles(self) -> NDArray[np.float32]:
        return (self.cells + np.float32(0.5)) * self.strides
