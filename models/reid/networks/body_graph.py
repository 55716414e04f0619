"""The body as graphs of 17 keypoints, 10 limbs and 5 large parts (CTL, Fig. 3).

The paper's text does not describe the figure; the partition of the limbs and parts, and their edges, are a choice made
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_KEYPOINTS = range(17)


@dataclass(frozen=True, slots=True)
class BodyGraph:
    """One scale of the body.

    Attributes:
        parts: The keypoints (COCO order) of each node.
        edges: Pairs of nodes that touch.
    """

    parts: Sequence[Sequence[int]]
    edges: Sequence[tuple[int, int]]

    def averages(self) -> Tensor:
        """Return the matrix that makes nodes of keypoints, ``(N, 17)``; its rows sum to 1."""
        matrix = torch.zeros(len(self.parts), len(_KEYPOINTS))
        for node, part in enumerate(self.parts):
            matrix[node, list(part)] = 1 / len(part)
        return matrix

    def regroup(self, finer: "BodyGraph") -> Tensor:
        """Return the matrix that makes nodes of those of a finer graph that lie wholly inside them, ``(N, M)``."""
        inside = [[float(set(part) <= set(whole)) for part in finer.parts] for whole in self.parts]
        matrix = torch.tensor(inside)
        return matrix / matrix.sum(1, keepdim=True)

    def adjacency(self) -> Tensor:
        """Return A^p, ``(N, N)``: 1 where two nodes touch, 0 on the diagonal."""
        matrix = torch.zeros(len(self.parts), len(self.parts))
        for one, other in self.edges:
            matrix[one, other] = matrix[other, one] = 1
        return matrix


def body_graphs() -> tuple[BodyGraph, BodyGraph, BodyGraph]:
    """Return the keypoints, the limbs and the large parts as graphs."""
    keypoints = BodyGraph(
        parts=[(point,) for point in _KEYPOINTS],
        edges=[
            *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9)),
            *((8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
        ],
    )
    # Head, torso, then left and right: upper arm, forearm, left and right: thigh, calf.
    limbs = BodyGraph(
        parts=[
            *((0, 1, 2, 3, 4), (5, 6, 11, 12), (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14)),
            (14, 16),
        ],
        edges=[(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (1, 6), (6, 7), (1, 8), (8, 9)],
    )
    # Head, left arm, right arm, left leg, right leg.
    large = BodyGraph(
        parts=[(0, 1, 2, 3, 4), (5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16)],
        edges=[(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 4)],
    )
    return keypoints, limbs, large
