"""Forward kinematics: from joint rotations to one matrix per bone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BONES = (
    *("root", "spine_low", "spine_mid", "spine_high", "neck", "head"),
    *("clavicle.L", "upper_arm.L", "lower_arm.L", "hand.L", "clavicle.R", "upper_arm.R", "lower_arm.R", "hand.R"),
    *("upper_leg.L", "lower_leg.L", "foot.L", "toes.L", "upper_leg.R", "lower_leg.R", "foot.R", "toes.R"),
)
"""Names, parents before children. The left side is +x; people face -y; z is up; metres."""

PARENTS = (-1, 0, 1, 2, 3, 4, 3, 6, 7, 8, 3, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20)

BONE = {name: number for number, name in enumerate(BONES)}


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """The joints of one person at rest.

    Attributes:
        heads: Shape ``(B, 3)``, metres: the joint about which each bone turns.
        parents: Length ``B``; -1 for the root.
    """

    heads: NDArray[np.float64]
    parents: tuple[int, ...] = PARENTS

    def head(self, name: str) -> NDArray[np.float64]:
        """Return the joint of the bone ``name``, metres."""
        joint: NDArray[np.float64] = self.heads[BONE[name]]
        return joint

    def pose(self, rotations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the matrices that take points from rest to a pose.

        Args:
            rotations: Shape ``(P, B, 3, 3)``: of each bone relative to its parent, in the axes of the body.

        Returns:
            Shape ``(P, B, 3, 4)``.
        """
        num_poses, num_bones = rotations.shape[:2]
        turned = np.empty((num_poses, num_bones, 3, 3))
        moved = np.empty((num_poses, num_bones, 3))
        for bone, parent in enumerate(self.parents):
            if parent < 0:
                turned[:, bone] = rotations[:, bone]
                carried = np.broadcast_to(self.heads[bone], (num_poses, 3))
            else:
                turned[:, bone] = turned[:, parent] @ rotations[:, bone]
                carried = turned[:, parent] @ self.heads[bone] + moved[:, parent]
            moved[:, bone] = carried - turned[:, bone] @ self.heads[bone]
        return np.concatenate([turned, moved[..., None]], axis=3)


def turn(axis: NDArray[np.float64], angle: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return rotations about ``axis`` by ``angle`` radians (Rodrigues), shape ``(..., 3, 3)``.

    Example:
        >>> turn(np.array([0.0, 0.0, 2.0]), np.pi / 2).round(6).tolist()
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sine, cosine = np.sin(angle), np.cos(angle)
    rotation: NDArray[np.float64] = (
        np.eye(3) + np.multiply.outer(sine, cross) + np.multiply.outer(1 - cosine, cross @ cross)
    )
    return rotation


def turn_towards(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest rotation that takes the direction ``start`` to ``end``, shape ``(3, 3)``."""
    axis = np.cross(start, end)
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        return np.eye(3)
    return turn(axis, float(np.arctan2(length, start @ end)))
